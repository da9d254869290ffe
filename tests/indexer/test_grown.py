"""Engines that live on while their collection changes: a removed item is never a hit."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import grown
from indexer.backends.exact import Exact
from indexer.choice import EngineChoice
from indexer.collection import Item, Vectors
from indexer.disk import DiskCollection
from indexer.engines import nearest
from indexer.grown import Grown, places_of, row_keys
from indexer.manifest import CACHE
from indexer.records import read_record, write_record
from retrieval.files import sha256_of_file
from tests.indexer.approximate import APPROXIMATE, DIM, clustered, made, thorough
from tests.indexer.damages import Damage, append, cut, flip, folder_instead
from tests.indexer.gallery import FINGERPRINT, answer_by_definition, pairs, unit_rows

COUNT = 1_200
FEW = 100  # less than a tenth of COUNT
every_engine = pytest.mark.parametrize("engine", APPROXIMATE)

# Nothing is left out, so every answer can be compared with the definition.
THOROUGH: dict[str, dict[str, Any]] = {
    "faiss_hnsw": {"m": 8, "ef_search": 4 * COUNT},
    "faiss_ivf_flat": {"nprobe": COUNT},
    "faiss_ivf_sq": {"nprobe": COUNT, "k_factor": 20},
    "faiss_sq": {},
}
each_thorough = pytest.mark.parametrize("engine", THOROUGH)

Start = Callable[[str], DiskCollection]
Base = Callable[[str], Path]


@pytest.fixture(scope="module")
def base(quick_root: Path) -> Base:
    """Copies a closed collection of COUNT items, made once for each engine."""
    root = Path(tempfile.mkdtemp(dir=quick_root))

    def copied(engine: str) -> Path:
        folder = root / engine
        if not folder.exists():
            choice = EngineChoice(engine, THOROUGH.get(engine, {}))
            with DiskCollection.create(
                folder, dim=DIM, fingerprint=FINGERPRINT, choice=choice
            ) as collection:
                add(collection, clustered(COUNT), range(COUNT))
        copy = Path(tempfile.mkdtemp(dir=root)) / engine
        return Path(shutil.copytree(folder, copy))

    return copied


@pytest.fixture
def start(base: Base, built: list[int]) -> Start:
    """Opens a collection of COUNT items with a kept engine for writing."""

    def started(engine: str) -> DiskCollection:
        folder = base(engine)
        built.clear()
        return DiskCollection.open(folder, write=True)

    return started


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each engine had that was built and not opened."""
    counts: list[int] = []
    build = grown.GrowingEngine._made

    def counted(self: Any, snapshot: Any, keys: Any) -> Any:
        counts.append(len(keys))
        return build(self, snapshot, keys)

    monkeypatch.setattr(grown.GrowingEngine, "_made", counted)
    return counts


def add(collection: DiskCollection, rows: Vectors, numbers: Any, *, replace: bool = False) -> None:
    items = [Item(f"{number:05}") for number in numbers]
    collection.add(rows, items, fingerprint=FINGERPRINT, replace=replace)


def check(collection: DiskCollection, k: int = 7) -> None:
    queries = np.concatenate([clustered(2, seed=5), collection.vectors[-1:]])
    ids = collection.ids()
    for query, hits in zip(
        queries, collection.search(queries, k, fingerprint=FINGERPRINT), strict=True
    ):
        assert pairs(hits) == answer_by_definition(collection.vectors, ids, query, k)


def test_keys_are_equal_for_equal_bits_only():
    rows = unit_rows(np.random.default_rng(0), 500, 7)
    keys = row_keys(rows)
    assert len(set(keys.tolist())) == 500
    np.testing.assert_array_equal(row_keys(rows[::-1]), keys[::-1])
    signs = np.array([[1, -1, 1, -1], [1, 1, 1, 1], [1, -1, 1, 1], [1, 1, 1, -1]], np.float32)
    assert len(set(row_keys(signs * np.float32(0.5)).tolist())) == 4


def test_keys_are_the_sums_of_the_definition():
    rows = unit_rows(np.random.default_rng(1), 3, 5)
    factors = np.random.default_rng(0).integers(0, 2**63, 3, np.uint64)
    for row, key in zip(rows, row_keys(rows), strict=True):
        words = np.append(row, np.float32(0)).view(np.uint64).tolist()
        total = 0
        for word, factor in zip(words, factors.tolist(), strict=True):
            total += (word ^ (word >> 32)) * (2 * factor + 1)
        assert int(key) == total % 2**64


@given(st.lists(st.integers(0, 9), max_size=30), st.lists(st.integers(0, 9), max_size=30))
def test_each_old_row_finds_a_new_one_with_its_key_and_none_is_taken_twice(
    old: list[int], new: list[int]
):
    places = places_of(np.array(old, np.uint64), np.array(new, np.uint64))
    taken = [place for place in places.tolist() if place >= 0]
    assert len(set(taken)) == len(taken)
    assert all(
        new[place] == key for key, place in zip(old, places.tolist(), strict=True) if place >= 0
    )
    common = Counter(old) & Counter(new)
    assert Counter(new[place] for place in taken) == common


@pytest.mark.parametrize("engine", APPROXIMATE)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_a_grown_engine_answers_as_comparison_with_every_row(engine: str, data: st.DataObject):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    old = clustered(1_050)
    base = _THOROUGH.setdefault(engine, thorough(engine, old))
    kept = rng.permutation(1_050)[: data.draw(st.integers(0, 1_050))]
    new = clustered(data.draw(st.integers(0 if len(kept) else 1, 60)), seed=7)
    order = rng.permutation(len(kept) + len(new))
    vectors = np.concatenate([old[kept], new])[order]
    places = places_of(row_keys(old), row_keys(vectors))
    np.testing.assert_array_equal(vectors[places[places >= 0]], old[places >= 0])
    one = Grown(base, places, vectors)
    allowed = rng.random(len(vectors)) < 0.5 if data.draw(st.booleans()) else None
    most = len(vectors) if allowed is None else int(allowed.sum())
    if not most:
        return
    k = data.draw(st.integers(1, min(most, 12)))
    ids = [f"{number:05}".encode() for number in range(len(vectors))]
    queries = clustered(3, seed=8)
    _, near = Exact(vectors).search(queries, k, allowed)
    found, scores = one.search(queries, k, allowed)
    assert (found >= 0).all()
    assert allowed is None or allowed[found].all()
    np.testing.assert_allclose(scores, near, atol=5e-3)  # 8 bits a coordinate
    mine = nearest(one, vectors, ids, queries, k, allowed)
    theirs = nearest(Exact(vectors), vectors, ids, queries, k, allowed)
    np.testing.assert_array_equal(mine[0], theirs[0])
    np.testing.assert_array_equal(mine[1], theirs[1])


_THOROUGH: dict[str, Any] = {}


@each_thorough
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_any_life_of_a_collection_answers_by_the_definition(
    engine: str, data: st.DataObject, base: Base
):
    folder = base(engine)
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    collection = DiskCollection.open(folder, write=True)
    next_ = COUNT
    for step in data.draw(
        st.lists(st.sampled_from(["add", "remove", "replace", "search", "reopen"]), max_size=8)
    ):
        if step == "add":
            add(collection, clustered(9, seed=next_), range(next_, next_ + 9))
            next_ += 9
        elif step == "remove":
            collection.remove(rng.choice(collection.ids(), 30, replace=False).tolist())
        elif step == "replace":
            numbers = [int(one) for one in rng.choice(collection.ids(), 5, replace=False)]
            add(collection, unit_rows(rng, 5, DIM), numbers, replace=True)
        elif step == "search":
            check(collection)
        else:
            collection.close()
            with DiskCollection.open(folder) as reader:
                check(reader)
            collection = DiskCollection.open(folder, write=True)
    check(collection)
    collection.close()
    shutil.rmtree(folder)


@every_engine
def test_a_removed_item_is_never_found_and_the_others_are(
    engine: str, start: Start, built: list[int]
):
    with start(engine) as collection:
        gone = [f"{number:05}" for number in range(FEW)]
        collection.remove(gone)
        (hits,) = collection.search(clustered(1), 50, fingerprint=FINGERPRINT)
        assert not {hit.item.id for hit in hits} & set(gone)
    with DiskCollection.open(collection.folder) as reader:
        answers = reader.search(clustered(FEW), 50, fingerprint=FINGERPRINT)
        assert not {hit.item.id for hits in answers for hit in hits} & set(gone)
        left = clustered(COUNT)[FEW : FEW + 40]
        found = reader.search(left, 1, fingerprint=FINGERPRINT)
        same = [hits[0].item.id == f"{FEW + row:05}" for row, hits in enumerate(found)]
        assert np.mean(same) >= 0.9
    assert built == []


@each_thorough
def test_few_changes_build_nothing_and_many_build_once(engine: str, start: Start, built: list[int]):
    with start(engine) as collection:
        record = (collection.folder / CACHE / f"{engine}.json").read_bytes()
        add(collection, clustered(60, seed=3), range(COUNT, COUNT + 60))
        collection.remove([f"{number:05}" for number in range(60)])
        check(collection)
    assert built == []
    assert (collection.folder / CACHE / f"{engine}.json").read_bytes() == record
    with DiskCollection.open(collection.folder, write=True) as collection:
        check(collection)
        add(collection, clustered(1, seed=4), [COUNT + 60])  # 121 of 1,200 rows have changed
    assert built == [COUNT + 1]
    assert (collection.folder / CACHE / f"{engine}.json").read_bytes() != record
    with DiskCollection.open(collection.folder) as reader:
        check(reader)
        assert reader.notices == []
    assert built == [COUNT + 1]


def test_a_reader_that_is_refreshed_builds_nothing(start: Start, built: list[int]):
    with start("faiss_sq") as writer, DiskCollection.open(writer.folder) as reader:
        check(reader)
        add(writer, clustered(5, seed=6), range(COUNT, COUNT + 5))
        assert reader.refresh()
        check(reader)
        assert reader.notices == []
    assert built == []


def test_an_item_whose_payload_changes_keeps_its_place(start: Start, built: list[int]):
    with start("faiss_ivf_flat") as collection:
        row = collection.vector("00007")[None]
        collection.add(row, [Item("00007", label="x")], fingerprint=FINGERPRINT, replace=True)
        (hits,) = collection.search(row, 1, fingerprint=FINGERPRINT)
        assert hits[0].item == Item("00007", label="x")
    assert built == []


@pytest.mark.parametrize(
    "damage",
    [flip(0.0), flip(0.4), flip(1.0), cut(0), cut(0.5), append, Path.unlink, folder_instead],
    ids=["first", "middle", "last", "empty", "half", "more", "missing", "folder"],
)
@pytest.mark.parametrize("file", ["faiss_hnsw.bin", "faiss_hnsw.json"])
def test_a_damaged_engine_is_built_again(start: Start, built: list[int], file: str, damage: Damage):
    with start("faiss_hnsw") as collection:
        folder = collection.folder
    damage(folder / CACHE / file)
    with DiskCollection.open(folder) as reader:
        check(reader)
        assert any("is made again from the store" in notice for notice in reader.notices)
    assert built == [COUNT]


@pytest.mark.parametrize("place", np.linspace(0, 1, 8))
@each_thorough
def test_a_hostile_engine_with_a_fitting_hash_shows_no_item_that_is_gone(
    start: Start, engine: str, place: float
):
    with start(engine) as collection:
        collection.remove(["00003"])
    data, record = (collection.folder / CACHE / f"{engine}.{end}" for end in ("bin", "json"))
    flip(place, 6)(data)
    write_record(record, {**read_record(record), "bytes_sha256": sha256_of_file(data)})
    with DiskCollection.open(collection.folder) as reader:
        for hits in reader.search(clustered(30), 20, fingerprint=FINGERPRINT):
            assert len(hits) == 20
            for hit in hits:
                assert hit.item.id != "00003"
            scores = [hit.score for hit in hits]
            assert scores == sorted(scores, reverse=True)


def test_an_engine_of_another_collection_or_of_other_options_is_built_again(
    start: Start, built: list[int], tmp_path: Path
):
    first = start("faiss_ivf_flat")
    first.close()
    other = tmp_path / "other"
    choice = EngineChoice("faiss_ivf_flat", {"nlist": 3})
    with DiskCollection.create(other, dim=DIM, fingerprint=FINGERPRINT, choice=choice) as made_:
        add(made_, clustered(COUNT), range(COUNT))
    for file in ("faiss_ivf_flat.bin", "faiss_ivf_flat.json"):
        shutil.copy(first.folder / CACHE / file, other / CACHE / file)
    built.clear()
    with DiskCollection.open(other) as reader:
        reader.search(clustered(1), 1, fingerprint=FINGERPRINT)
        assert "another collection or with other options" in reader.notices[0]
    assert built == [COUNT]


def test_an_option_of_the_search_alone_builds_nothing(start: Start, built: list[int]):
    with start("faiss_ivf_flat") as collection:
        collection.choose(EngineChoice("faiss_ivf_flat", {"nprobe": 1}))
        collection.search(clustered(1), 1, fingerprint=FINGERPRINT)
    with DiskCollection.open(collection.folder) as reader:
        reader.search(clustered(1), 1, fingerprint=FINGERPRINT)
        assert reader.choice.options == {"nprobe": 1}
    assert built == []


def test_a_grown_engine_can_be_told_to_look_further():
    old = unit_rows(np.random.default_rng(9), 1_200, DIM)
    one = Grown(made("faiss_ivf_flat", old, nprobe=1), np.arange(1_200), old)
    assert one.most() == 30
    true, _ = Exact(old).search(old[:50], 10)
    assert not np.array_equal(one.search(old[:50], 10)[0], true)
    assert np.array_equal(one.tuned(30).search(old[:50], 10)[0], true)
