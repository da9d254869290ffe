"""Groups of pictures that show the same, against the definition."""

import itertools

import numpy as np
import pytest

from indexer.collection import Item, Vectors
from indexer.duplicates import connected, duplicate_groups
from indexer.rows import rows_of
from indexer.store import Change
from retrieval.errors import BadInputError
from tests.indexer.conftest import Make
from tests.indexer.gallery import DIM, FINGERPRINT, unit_rows, vector_of

NONE = np.empty((0, 2), np.int64)


def by_definition(vectors: Vectors, likeness: float) -> list[list[int]]:
    """Plain loops: connect each near pair, then collect."""
    group = list(range(len(vectors)))
    for a, b in itertools.combinations(range(len(vectors)), 2):
        score = sum(float(x) * float(y) for x, y in zip(vectors[a], vectors[b], strict=True))
        if round(min(1.0, score) * 1e6) >= round(likeness * 1e6):
            one, other = sorted((group[a], group[b]))
            group = [one if place == other else place for place in group]
    members = [[i for i, place in enumerate(group) if place == j] for j in range(len(vectors))]
    return [places for places in members if len(places) > 1]


def turned(angle: float) -> Vectors:
    row = np.zeros(DIM, np.float32)
    row[0], row[1] = np.cos(angle), np.sin(angle)
    return row


@pytest.mark.parametrize("likeness", [0.5, 0.9, 0.98, 1.0])
@pytest.mark.parametrize("block_bytes", [1, 2_000, 2**20])
def test_groups_are_those_of_the_definition(likeness: float, block_bytes: int):
    rng = np.random.default_rng(3)
    base = unit_rows(rng, 60)
    near = base[rng.integers(0, 60, 60)] + 0.1 * unit_rows(rng, 60)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    vectors = np.concatenate([base, near, base[:5]])[rng.permutation(125)]
    found = connected(vectors, likeness, NONE, block_bytes=block_bytes)
    want = by_definition(vectors, likeness)
    assert found == want
    assert 5 <= len(want) < 60


def test_a_chain_is_one_group_and_blocks_do_not_cut_it():
    vectors = np.stack([turned(0.1 * number) for number in (0, 5, 1, 4, 2, 3, 15, 20)])
    for block_bytes in (1, 100, 2**20):
        assert connected(vectors, 0.99, NONE, block_bytes=block_bytes) == [[0, 1, 2, 3, 4, 5]]
    assert connected(vectors, 0.999, NONE) == []
    assert connected(vectors, 0.999, np.array([[6, 7], [0, 7]])) == [[0, 6, 7]]


def test_the_threshold_is_that_of_a_searchs_score():
    angle = np.arccos(0.98)
    for shift, found in ((-5e-6, [[0, 1]]), (0.0, [[0, 1]]), (5e-6, []), (2e-5, [])):
        vectors = np.stack([turned(0), turned(angle + shift)])
        assert connected(vectors, 0.98, NONE) == found


def test_all_the_same_are_one_group():
    vectors = np.repeat(vector_of("a")[None], 2_000, axis=0)
    assert connected(vectors, 1.0, NONE, block_bytes=2**17) == [list(range(2_000))]


def test_nothing_and_one_are_no_group():
    assert connected(np.empty((0, DIM), np.float32), 0.9, NONE) == []
    assert connected(vector_of("a")[None], 0.9, NONE) == []


def test_items_with_likeness_and_identical_bytes(make: Make):
    collection = make()
    names = ["a", "far", "near", "copy", "alone", "unknown"]
    vectors = np.stack([turned(0), turned(1), turned(0.1), turned(1.5), turned(2.5), turned(2.9)])
    contents = [b"1" * 32, b"2" * 32, b"3" * 32, b"2" * 32, b"", b""]
    items = [Item(name, label=name.upper()) for name in names]
    collection.write(Change(vectors, rows_of(items, contents)))
    done: list[int] = []
    groups = duplicate_groups(collection, 0.99, on_progress=done.append)
    assert [[one.item.id for one in group] for group in groups] == [["a", "near"], ["far", "copy"]]
    assert [[one.identical for one in group] for group in groups] == [[False] * 2, [True] * 2]
    assert groups[0][1].likeness == round(float(np.cos(0.1)), 6)
    assert groups[1][1].likeness == round(float(np.cos(0.5)), 6)
    assert groups[0][0].item == items[0]
    assert sum(done) == 6


@pytest.mark.parametrize("likeness", [0, -1, 1.01, float("nan")])
def test_a_likeness_that_is_none_is_refused(make: Make, likeness: float):
    with pytest.raises(BadInputError, match=r"likeness must be in \(0, 1\]; got"):
        duplicate_groups(make("a"), likeness)


def test_fingerprints_are_not_needed(make: Make):
    collection = make("a", "b")
    collection.add(vector_of("a")[None], [Item("again")], fingerprint=FINGERPRINT)
    (group,) = duplicate_groups(collection, 1.0)
    assert [one.item.id for one in group] == ["a", "again"]
