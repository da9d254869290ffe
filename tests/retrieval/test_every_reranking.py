"""What every file of ``retrieval/reranking`` must do, found without a list."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from retrieval import plugins, reranking
from retrieval.local_descriptors import LocalDescriptors
from retrieval.metrics import judge
from retrieval.reranker import Reranker
from retrieval.reranking import Reranking
from tests.retrieval.rerankings import Scene, reranked, scene
from tests.retrieval.runs import made_vectors

NAMES = plugins.names(reranking)


def variants() -> Iterator[dict[str, object]]:
    """Each part as it comes, and with each of its switches turned on."""
    for name in NAMES:
        yield {"name": name}
        settings = plugins.build(reranking, {"name": name}).settings()
        yield from ({"name": name, key: True} for key, value in settings.items() if value is False)


@pytest.fixture(params=variants(), ids=str)
def method(request: pytest.FixtureRequest) -> Reranking:
    made: Reranking = plugins.build(reranking, {**request.param, "candidates": 12})
    return made


@pytest.fixture(scope="module")
def gallery() -> Scene:
    return scene(40)


def test_the_folder_has_parts() -> None:
    assert len(NAMES) >= 3


def test_scores_are_new_and_in_range(method: Reranking, gallery: Scene) -> None:
    queries = scene(5, seed=1)
    orders = []
    for row in range(5):
        candidates, scores = reranked(method, queries, row, gallery)
        assert len(candidates) == len(scores) == 12
        assert np.abs(scores).max() <= 1
        orders.append(np.argsort(-scores, kind="stable").tolist())
    assert any(order != sorted(order) for order in orders)


def test_a_gallery_without_what_the_query_leaves_out(method: Reranking, gallery: Scene) -> None:
    """Query 3 is gallery image 3, image 7 its copy: as if neither were there."""
    rows = np.arange(40)
    rows[7] = 3
    with_copy = gallery.chosen(rows)
    kept = np.setdiff1d(np.arange(40), [3, 7])
    inside = reranked(method, with_copy, 3, with_copy, np.array([3, 7]))
    apart = reranked(method, with_copy, 3, with_copy.chosen(kept))
    assert inside[0].tolist() == kept[apart[0]].tolist()
    np.testing.assert_allclose(inside[1], apart[1], rtol=0, atol=1.5e-6)


def test_other_queries_do_not_matter(method: Reranking, gallery: Scene) -> None:
    queries = scene(6, seed=2)
    for row in (0, 5):
        together = reranked(method, queries, row, gallery)
        alone = reranked(method, queries.chosen(np.array([row])), 0, gallery)
        np.testing.assert_array_equal(together, alone)


def test_the_order_of_the_gallery_does_not_matter(method: Reranking, gallery: Scene) -> None:
    queries = scene(3, seed=3)
    moved = np.random.default_rng(0).permutation(40)
    for row in range(3):
        candidates, scores = reranked(method, queries, row, gallery)
        again, new = reranked(method, queries, row, gallery.chosen(moved))
        assert moved[again].tolist() == candidates.tolist()
        np.testing.assert_allclose(new, scores, rtol=0, atol=1.5e-6)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_gallery_smaller_than_a_list(method: Reranking, gallery: Scene, count: int) -> None:
    candidates, scores = reranked(method, scene(1, seed=4), 0, gallery.chosen(np.arange(count)))
    assert len(candidates) == count
    assert np.isfinite(scores).all()


def test_a_gallery_of_which_nothing_is_left(method: Reranking, gallery: Scene) -> None:
    alone = gallery.chosen(np.array([0]))
    assert reranked(method, alone, 0, alone, np.array([0]))[0].tolist() == []


def test_equal_vectors_have_no_order(method: Reranking) -> None:
    """A wrong answer that ties stands in front, so one vector for all finds nothing."""
    maps = LocalDescriptors(scene(20).maps)
    vectors = np.tile(made_vectors(np.zeros(1, np.int64), noise=0.1), (20, 1))
    targets = np.repeat(np.arange(4), 5)
    made = Reranker(method, vectors, vectors, most_left_out=1, maps=(maps, maps))
    found = judge(vectors, vectors, targets, targets, same_images=True, rescore=made)
    assert (found.first_rank == 16).all()


def test_settings_make_the_same_part_again(method: Reranking) -> None:
    again = plugins.build(reranking, json.loads(json.dumps(method.settings())))
    assert again.settings() == method.settings()
    assert str(method).startswith(f"{method.settings()['name']}:")
    assert "candidates=12" in str(method)


@pytest.mark.parametrize("name", NAMES)
def test_candidates_must_be_some(name: str) -> None:
    with pytest.raises(ValueError, match=r"^candidates must be at least 1; got 0\.$"):
        plugins.build(reranking, {"name": name, "candidates": 0})
