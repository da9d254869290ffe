"""Engines that may find only some rows: no other row, no row too few, the same order as ever."""

from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer import backends, engines
from indexer.backends.exact import Exact
from indexer.collection import Vectors
from indexer.engines import Engine, nearest
from retrieval import plugins
from tests.indexer.gallery import answer_by_definition, unit_rows

every_engine = pytest.mark.parametrize("engine", plugins.names(backends))
SHARES = [0.01, 0.2, 0.5, 0.99]
COUNT = 400


class Forgetful:
    """Approximate: finds at most ``most`` rows, and the second time twice as many."""

    exact: ClassVar[bool] = False
    most = 3

    def __init__(self, vectors: Vectors) -> None:
        self._exact = Exact(vectors)
        self.asked: list[int] = []

    def search(
        self, queries: Vectors, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], Vectors]:
        positions, scores = self._exact.search(queries, k, allowed)
        self.asked.append(k)
        positions[:, self.most * len(self.asked) :] = -1
        scores[:, self.most * len(self.asked) :] = -np.inf
        return positions, scores


@pytest.fixture(autouse=True)
def engines_are_asked(monkeypatch: pytest.MonkeyPatch):
    """However few rows are allowed."""
    monkeypatch.setattr(engines, "_FEW_ROWS", 0)
    monkeypatch.setattr(engines, "_SMALL_SHARE", 0.0)


def gallery(*, doubles: bool = True) -> tuple[Vectors, list[str], Vectors]:
    """Vectors, ids in an order of their own, and queries."""
    rng = np.random.default_rng(0)
    vectors = unit_rows(rng, COUNT)
    if doubles:
        vectors[200:300] = vectors[100:200]
    ids = [f"{number:03}" for number in rng.permutation(COUNT)]
    return vectors, ids, np.concatenate([unit_rows(rng, 4), vectors[100:103]])


def some(share: float) -> NDArray[np.bool_]:
    return np.random.default_rng(int(share * 100)).random(COUNT) < share


def check(
    engine: Engine, allowed: NDArray[np.bool_] | None, k: int, *, doubles: bool = True
) -> None:
    """``nearest`` answers as the definition does for a gallery of the allowed rows alone."""
    vectors, ids, queries = gallery(doubles=doubles)
    names = [id_.encode() for id_ in ids]
    positions, scores = nearest(engine, vectors, names, queries, k, allowed)
    kept = np.flatnonzero(np.ones(COUNT, bool) if allowed is None else allowed)
    for query, found, near in zip(queries, positions, scores, strict=True):
        want = answer_by_definition(vectors[kept], [ids[row] for row in kept], query, k)
        got = [(ids[row], round(score, 6)) for row, score in zip(found, near, strict=True)]
        assert got == want


@every_engine
@pytest.mark.parametrize("share", SHARES)
def test_an_engine_finds_allowed_rows_only_and_each_once(engine: str, share: float):
    vectors, _, queries = gallery()
    allowed = some(share)
    made = plugins.find(backends, engine)(vectors)
    for k in {1, int(allowed.sum())}:
        positions, scores = made.search(queries, k, allowed)
        assert positions.shape == scores.shape == (len(queries), k)
        for found in positions:
            hits = found[found >= 0]
            assert allowed[hits].all()
            assert len(set(hits.tolist())) == len(hits)
            assert len(hits) == k or not made.exact


@every_engine
@pytest.mark.parametrize("share", SHARES)
def test_an_exact_engine_answers_as_if_the_other_rows_were_not_there(engine: str, share: float):
    made = plugins.find(backends, engine)(gallery()[0])
    if not made.exact:
        pytest.skip(f"{engine} is approximate")
    allowed = some(share)
    for k in {1, 2, int(allowed.sum())}:
        check(made, allowed, k)


@every_engine
@pytest.mark.parametrize("share", SHARES)
def test_where_few_rows_are_allowed_every_engine_is_exact(
    monkeypatch: pytest.MonkeyPatch, engine: str, share: float
):
    monkeypatch.setattr(engines, "_FEW_ROWS", COUNT)
    made = plugins.find(backends, engine)(gallery()[0])
    check(made, some(share), 3)


@every_engine
def test_a_crowd_of_ties_among_the_allowed_is_searched_to_its_end(engine: str):
    rng = np.random.default_rng(2)
    vectors = np.repeat(unit_rows(rng, 1), 2_000, axis=0)
    allowed = rng.random(2_000) < 0.4
    ids = [f"{number:05}".encode() for number in rng.permutation(2_000)]
    made = plugins.find(backends, engine)(vectors)
    positions, _ = nearest(made, vectors, ids, vectors[:1], 5, allowed)
    if made.exact:
        assert [ids[row] for row in positions[0]] == sorted(
            ids[row] for row in np.flatnonzero(allowed)
        )[:5]
    assert allowed[positions].all()


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("rows", [1, 7, 1_000])
def test_the_reference_takes_the_allowed_rows_out_in_blocks_of_any_size(
    monkeypatch: pytest.MonkeyPatch, share: float, rows: int
):
    vectors, _, queries = gallery()
    monkeypatch.setattr("indexer.backends.exact.BLOCK_BYTES", rows * vectors[0].nbytes)
    allowed = some(share)
    kept = np.flatnonzero(allowed)
    for k in {1, 2, len(kept)}:
        positions, scores = Exact(vectors).search(queries, k, allowed)
        alone, near = Exact(vectors[kept]).search(queries, k)
        np.testing.assert_array_equal(positions, kept[alone])
        np.testing.assert_array_equal(scores, near)


@pytest.mark.parametrize("allowed", [None, some(0.5)])
@pytest.mark.parametrize("k", [3, 6, 20, 150])
def test_what_an_approximate_engine_leaves_out_is_found_by_comparison(
    allowed: NDArray[np.bool_] | None, k: int
):
    engine = Forgetful(gallery(doubles=False)[0])
    check(engine, allowed, k, doubles=False)
    assert len(engine.asked) == (1 if k <= 3 else 2)
    assert engine.asked == sorted(set(engine.asked))


def test_an_approximate_engine_is_asked_once_for_all_there_is():
    engine = Forgetful(gallery()[0])
    count = int(some(0.5).sum())
    check(engine, some(0.5), count)
    assert engine.asked == [count]
