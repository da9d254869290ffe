"""How far an engine has to look, measured against exact answers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from indexer import tuning
from indexer.choice import EngineChoice
from indexer.collection import Item
from indexer.disk import DiskCollection
from retrieval.errors import BadInputError
from tests.indexer.approximate import APPROXIMATE, DIM, clustered
from tests.indexer.gallery import FINGERPRINT, unit_rows

COUNT = 1_500
Start = Callable[..., DiskCollection]


@pytest.fixture(autouse=True)
def few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "QUERIES", 150)
    monkeypatch.setattr(tuning, "_TIMED", 3)


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def started(engine: str, *, count: int = COUNT, **options: int) -> DiskCollection:
        choice = EngineChoice(engine, options)
        folder = tmp_path / "birds"
        collection = DiskCollection.create(folder, dim=DIM, fingerprint=FINGERPRINT, choice=choice)
        if count:
            rows = unit_rows(np.random.default_rng(0), count, DIM)  # the hardest: no clusters
            items = [Item(f"{number:04}") for number in range(count)]
            collection.add(rows, items, fingerprint=FINGERPRINT)
        return collection

    return started


def recall_by_definition(collection: DiskCollection, option: str, value: int) -> float:
    """Each drawn row is asked, leaves itself out, and its ten nearest are counted by hand."""
    vectors = collection.vectors.astype(np.float64)
    rows = np.sort(np.random.default_rng(0).choice(len(vectors), 150, replace=False))
    choice = collection.choice
    collection.choose(EngineChoice(choice.engine, {**choice.options, option: value}))
    total = 0
    answers = collection.search(collection.vectors[rows], 11, fingerprint=FINGERPRINT)
    for row, hits in zip(rows.tolist(), answers, strict=True):
        scores = vectors @ vectors[row]
        scores[row] = -2
        true = {f"{place:04}" for place in np.argsort(-scores)[:10]}
        found = [hit.item.id for hit in hits if hit.item.id != f"{row:04}"][:10]
        total += len(true & set(found))
    return total / 1_500


@pytest.mark.parametrize("engine", APPROXIMATE)
def test_the_smallest_value_that_reaches_the_target_is_taken(engine: str, start: Start):
    with start(engine) as collection:
        measured = tuning.tune(collection, 0.9)
        assert measured is not None
        assert measured.reached
        assert measured.interval[0] >= 0.9
        assert collection.choice.options[measured.option] == measured.value
        again = recall_by_definition(collection, measured.option, measured.value)
        assert measured.recall == pytest.approx(again, abs=1e-9)
        if measured.value > 1:
            less = recall_by_definition(collection, measured.option, measured.value - 1)
            assert less < measured.recall
            assert less < 0.9 + 0.05  # its interval began below the target


def test_what_was_measured_is_kept_and_printed(start: Start):
    with start("faiss_ivf_flat", nlist=20) as collection:
        measured = tuning.tune(collection, 0.8)
        folder = collection.folder
    assert measured is not None
    with DiskCollection.open(folder) as reader:
        assert reader.choice.options == {"nlist": 20, "nprobe": measured.value}
        line = str(reader.info()["recall@10"])
        low, high = measured.interval
        assert line.startswith(f"{measured.recall:.4f} [{low:.4f}, {high:.4f}] of the exact")
        for part in ("n = 150", f"nprobe = {measured.value}", measured.date, "target 0.8"):
            assert part in line
        assert "at 1,500 items (1,500 now)" in line


def test_a_target_out_of_reach_is_said_and_the_furthest_value_taken(
    start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tuning, "_FURTHEST", 3)
    tried: list[int] = []
    with start("faiss_ivf_flat") as collection:
        measured = tuning.tune(collection, 1.0, on_value=tried.append)
    assert measured is not None
    assert not measured.reached
    assert tried == [1, 2, 3]
    assert measured.value == 3
    assert str(measured).endswith("; 1.0 is not reached")


def test_queries_of_another_kind_can_be_given(start: Start):
    with start("faiss_ivf_flat") as collection:
        near = tuning.tune(collection, 0.9, queries=collection.vectors[:40])
        far = tuning.tune(collection, 0.9, queries=clustered(40, seed=3))
    assert near is not None
    assert far is not None
    assert near.queries == far.queries == 40
    assert near.value != far.value


def test_doubles_of_a_query_are_as_good_as_one_another(start: Start):
    with start("faiss_sq", count=1_100) as collection:
        same = np.repeat(collection.vectors[:1], 30, axis=0)
        items = [Item(f"a{number}") for number in range(30)]
        collection.add(same, items, fingerprint=FINGERPRINT)
        measured = tuning.tune(collection, 0.999)
    assert measured is not None
    assert measured.recall == 1.0


@pytest.mark.parametrize(("engine", "count"), [("exact", COUNT), ("faiss_hnsw", 900)])
def test_where_everything_is_compared_there_is_nothing_to_tune(
    start: Start, engine: str, count: int
):
    with start(engine, count=count) as collection:
        assert tuning.tune(collection, 0.99) is None


@pytest.mark.parametrize("target", [0.0, 1.01, -1.0, float("nan")])
def test_a_target_that_is_no_share_is_refused(start: Start, target: float):
    with (
        start("faiss_sq", count=3) as collection,
        pytest.raises(BadInputError, match="target recall must be above 0 and at most 1"),
    ):
        tuning.tune(collection, target)


@pytest.mark.parametrize("count", [0, 2])
def test_too_few_items_cannot_be_measured(start: Start, count: int):
    with (
        start("faiss_sq", count=count) as collection,
        pytest.raises(
            BadInputError, match=f"must hold at least 3 items to be measured; got {count}"
        ),
    ):
        tuning.tune(collection, 0.9)
