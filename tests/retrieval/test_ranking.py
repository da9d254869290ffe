"""Exact search: the definition as loops, ties, the same answer however the work is cut."""

import sys

import numpy as np
import pytest
import torch  # noqa: F401 - its products are used where it is imported
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval import ranking
from retrieval.ranking import Ranking, rank

Rows = NDArray[np.float32]


def unit(rows: NDArray[np.float64] | Rows) -> Rows:
    wide = rows.astype(np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True), np.float32)


def random_rows(count: int, dim: int, seed: int = 0) -> Rows:
    return unit(np.random.default_rng(seed).standard_normal((count, dim)))


def rank_by_loops(queries: Rows, gallery: Rows, k: int, same_images: bool = False) -> Ranking:
    indices, scores = [], []
    for q, query in enumerate(queries.tolist()):
        order = []
        for g, row in enumerate(gallery.tolist()):
            score = sum(a * b for a, b in zip(query, row, strict=True))
            if not (same_images and g == q):
                order.append((-round(score * 1e6), g))
        order.sort()
        indices.append([g for _, g in order[:k]])
        scores.append([-score / 1e6 for score, _ in order[:k]])
    return Ranking(np.array(indices), np.array(scores, np.float32))


def assert_same(got: Ranking, want: Ranking) -> None:
    np.testing.assert_array_equal(got.indices, want.indices)
    np.testing.assert_allclose(got.scores, want.scores, rtol=0, atol=2e-7)


@pytest.mark.parametrize(("count", "k"), [(5, 5), (40, 1), (40, 7), (1500, 3), (1500, 1500)])
def test_equals_the_definition(count: int, k: int) -> None:
    gallery, queries = random_rows(count, 6), random_rows(4, 6, seed=1)
    assert_same(rank(queries, gallery, k), rank_by_loops(queries, gallery, k))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_equals_the_definition_among_copies(data: st.DataObject) -> None:
    few = random_rows(4, 3)
    picks = data.draw(st.lists(st.integers(0, 3), min_size=2, max_size=30))
    rows = few[picks]
    k = data.draw(st.integers(1, len(rows) - 1))
    assert_same(rank(rows, rows, k, same_images=True), rank_by_loops(rows, rows, k, True))


def test_equal_scores_are_ordered_by_position() -> None:
    gallery = np.repeat(random_rows(1, 33), 10, axis=0)
    hits = rank(gallery[:1], gallery, 10)
    assert hits.indices.tolist() == [list(range(10))]
    assert len(np.unique(hits.scores)) == 1


def test_scores_that_differ_below_the_sixth_digit_are_equal() -> None:
    angle = np.array([0.5, 0.5 - 2e-7, 0.5 + 2e-7, 0.5 - 1e-4])  # radians from the query
    gallery = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    hits = rank(np.array([[1, 0]], np.float32), gallery, 4)
    assert hits.indices.tolist() == [[3, 0, 1, 2]]


def almost_copies(count: int, dim: int = 1024) -> tuple[Rows, Rows]:
    """Queries, and a gallery in which their scores differ in the sixth and seventh digit."""
    rng = np.random.default_rng(0)
    centre = random_rows(1, dim)
    gallery = unit(centre + 2e-6 * rng.standard_normal((count, dim)))
    return unit(centre + 0.03 * rng.standard_normal((40, dim))), gallery


def rank_in_float64(queries: Rows, gallery: Rows, k: int, same_images: bool = False) -> Ranking:
    scores = np.round(queries.astype(np.float64) @ gallery.T.astype(np.float64) * 1e6) / 1e6
    if same_images:
        np.fill_diagonal(scores, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return Ranking(order, np.take_along_axis(scores, order, axis=1).astype(np.float32))


@pytest.mark.parametrize("crowd", [0, 10**9])
@pytest.mark.parametrize("count", [300, 3000])
def test_float32_sums_never_decide(monkeypatch: pytest.MonkeyPatch, crowd: int, count: int) -> None:
    queries, gallery = almost_copies(count)
    wrong = np.argsort(-(queries @ gallery.T), axis=1, kind="stable")[:, :10]
    want = rank_in_float64(queries, gallery, 10)
    assert (wrong != want.indices).any()
    monkeypatch.setattr(ranking, "_CROWD", crowd)
    assert_same(rank(queries, gallery, 10), want)


@pytest.mark.parametrize("crowd", [0, 10**9])
@pytest.mark.parametrize("rows_of_a_block", [1, 7, 1000])
def test_the_same_answer_however_the_work_is_cut(
    monkeypatch: pytest.MonkeyPatch, crowd: int, rows_of_a_block: int
) -> None:
    rows = random_rows(200, 64)
    rows = np.concatenate([rows, rows[::3], rows[::5]])  # copies, so ties everywhere
    whole = rank(rows, rows, 20, same_images=True)
    assert_same(whole, rank_in_float64(rows, rows, 20, same_images=True))
    monkeypatch.setattr(ranking, "BLOCK_BYTES", 4 * len(rows) * rows_of_a_block)
    monkeypatch.setattr(ranking, "_CROWD", crowd)
    again = rank(rows, rows, 20, same_images=True)
    np.testing.assert_array_equal(again.indices, whole.indices)
    np.testing.assert_array_equal(again.scores, whole.scores)
    one_by_one = [rank(rows[[i]], rows, 20).indices[0].tolist() for i in range(50)]
    assert one_by_one == rank(rows[:50], rows, 20).indices.tolist()


@given(st.integers(1, 60), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_scores_never_rise_and_no_position_comes_twice(k: int, seed: int) -> None:
    rows = random_rows(61, 4, seed)
    hits = rank(rows, rows, k, same_images=True)
    assert (np.diff(hits.scores, axis=1) <= 0).all()
    assert all(len(set(row)) == k for row in hits.indices.tolist())
    assert (hits.indices != np.arange(61)[:, None]).all()


def test_the_same_answer_with_and_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery = almost_copies(3000)
    queries.flags.writeable = gallery.flags.writeable = False
    assert "torch" in sys.modules
    with_torch = rank(queries, gallery, 10)
    monkeypatch.delitem(sys.modules, "torch")
    without = rank(queries, gallery, 10)
    np.testing.assert_array_equal(with_torch.indices, without.indices)
    np.testing.assert_array_equal(with_torch.scores, without.scores)
    assert_same(without, rank_in_float64(queries, gallery, 10))


@pytest.mark.parametrize("crowd", [0, 10**9])
@pytest.mark.parametrize("width", [1, 700, 1100, 2999])
def test_parts_of_the_gallery_give_the_best_of_all_of_it(
    monkeypatch: pytest.MonkeyPatch, crowd: int, width: int
) -> None:
    queries, gallery = random_rows(9, 16, seed=1), random_rows(3000, 16)
    gallery[2990:] = gallery[:10]  # equal scores in the first part and the last
    queries[:5] = gallery[2990:2995]
    monkeypatch.setattr(ranking, "BLOCK_BYTES", 4 * len(queries) * width)
    monkeypatch.setattr(ranking, "_CROWD", crowd)
    assert_same(rank(queries, gallery, 12), rank_in_float64(queries, gallery, 12))


def test_no_query() -> None:
    assert rank(random_rows(1, 4)[:0], random_rows(3, 4), 2).indices.shape == (0, 2)


@pytest.mark.parametrize("k", [0, -1, 4, 10**9])
def test_k_that_cannot_be(k: int) -> None:
    rows = random_rows(4, 3)
    with pytest.raises(ValueError, match=rf"^k must be in 1\.\.3, the images .* got {k}\."):
        rank(rows, rows, k, same_images=True)


def test_an_empty_gallery() -> None:
    with pytest.raises(ValueError, match=r"^gallery must hold an image .* got none\."):
        rank(random_rows(1, 3), random_rows(1, 3)[:0], 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38, 0.0])
def test_rows_that_are_no_unit_vectors(bad: float) -> None:
    rows = random_rows(4, 3)
    spoiled = rows.copy()
    spoiled[2] = bad
    with pytest.raises(ValueError, match=r"^queries must have finite rows of norm 1; .* at row 2"):
        rank(spoiled, rows, 1)
    with pytest.raises(ValueError, match=r"^gallery must have finite rows of norm 1; .* at row 2"):
        rank(rows, spoiled, 1)


def test_rows_of_two_encoders() -> None:
    with pytest.raises(ValueError, match=r"^queries must be \(Q, 5\); got \(2, 3\)\."):
        rank(random_rows(2, 3), random_rows(4, 5), 1)
    with pytest.raises(ValueError, match=r"^queries must be \(4, 3\); .* same_images"):
        rank(random_rows(2, 3), random_rows(4, 3), 1, same_images=True)
