"""Figures of a ranking: worked by hand, the definitions as loops, properties, parity."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from retrieval import metrics, ranking
from retrieval.metrics import (
    Outcomes,
    judge,
    mean_average_precision,
    mean_average_precision_at_r,
    mean_r_precision,
    recall_at_k,
)

Rows = NDArray[np.float32]
Targets = NDArray[np.int64]


def unit(rows: NDArray[np.float64]) -> Rows:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def random_set(count: int, classes: int, seed: int = 0, noise: float = 1.0) -> tuple[Rows, Targets]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, count)
    centres = rng.standard_normal((classes, 8))
    return unit(centres[targets] + noise * rng.standard_normal((count, 8))), targets


def on_a_line(scores: list[float]) -> Rows:
    """Gallery rows that score exactly so against the query (1, 0)."""
    values = np.array(scores)
    return np.stack([values, np.sqrt(1 - values**2)], axis=1).astype(np.float32)


def loops(
    queries: Rows,
    gallery: Rows,
    query_targets: Targets,
    gallery_targets: Targets,
    left_out: set[tuple[int, int]] | None = None,
) -> list[dict[str, float]]:
    """What came of each query, from the definitions, in float64; one dictionary a query."""
    answers = []
    for q in range(len(queries)):
        right: list[float] = []
        wrong: list[float] = []
        for g in range(len(gallery)):
            if left_out and (q, g) in left_out:
                continue
            score = sum(float(a) * float(b) for a, b in zip(queries[q], gallery[g], strict=True))
            (right if gallery_targets[g] == query_targets[q] else wrong).append(score)
        right.sort(reverse=True)
        ranks = []
        for i, score in enumerate(right, start=1):
            ranks.append(i + sum(other >= score - 1e-6 for other in wrong))
        count = len(ranks)
        answer: dict[str, float] = {"right_answers": count, "first_rank": ranks[0] if ranks else 0}
        average = at_r = precision = 0.0
        for i, place in enumerate(ranks, start=1):
            average += i / place / count
            if place <= count:
                at_r += i / place / count
                precision += 1 / count
        answer |= {
            "average_precision": average if ranks else np.nan,
            "average_precision_at_r": at_r if ranks else np.nan,
            "r_precision": precision if ranks else np.nan,
        }
        answers.append(answer)
    return answers


def assert_same(got: Outcomes, want: list[dict[str, float]]) -> None:
    for name in want[0]:
        np.testing.assert_allclose(
            getattr(got, name), [answer[name] for answer in want], rtol=0, atol=1e-12, err_msg=name
        )


def test_by_hand() -> None:
    """Right answers at ranks 2, 3 and 6 of 6: the worked example of many a lecture."""
    gallery = on_a_line([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    right = np.array([0, 1, 1, 0, 0, 1])
    outcomes = judge(np.array([[1, 0]], np.float32), gallery, np.array([1]), right, keep=2)
    assert outcomes.right_answers.tolist() == [3]
    assert outcomes.first_rank.tolist() == [2]
    assert [recall_at_k(outcomes, k) for k in (1, 2, 6)] == [0, 1, 1]
    assert mean_average_precision(outcomes) == pytest.approx((1 / 2 + 2 / 3 + 3 / 6) / 3)
    assert mean_average_precision_at_r(outcomes) == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert mean_r_precision(outcomes) == pytest.approx(2 / 3)
    assert outcomes.hits.indices.tolist() == [[0, 1]]
    np.testing.assert_allclose(outcomes.hits.scores, [[0.9, 0.8]], atol=1e-6)


@pytest.mark.parametrize(("count", "classes"), [(30, 4), (30, 30), (40, 1), (200, 2)])
def test_equals_the_definitions(count: int, classes: int) -> None:
    gallery, gallery_targets = random_set(count, classes)
    queries, query_targets = random_set(12, classes, seed=1)
    got = judge(queries, gallery, query_targets, gallery_targets)
    assert_same(got, loops(queries, gallery, query_targets, gallery_targets))


def test_every_image_queries_all_others() -> None:
    rows, targets = random_set(50, 6)
    got = judge(rows, rows, targets, targets, same_images=True)
    assert_same(got, loops(rows, rows, targets, targets, {(i, i) for i in range(50)}))


@pytest.mark.parametrize("most", [0, 64])
def test_counting_and_sorting_agree(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    rows, targets = random_set(120, 3)
    monkeypatch.setattr(metrics, "_MANY", most)
    got = judge(rows, rows, targets, targets, same_images=True)
    assert_same(got, loops(rows, rows, targets, targets, {(i, i) for i in range(120)}))


def test_the_same_however_the_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, targets = random_set(90, 9)
    whole = judge(rows, rows, targets, targets, same_images=True, keep=5)
    monkeypatch.setattr(metrics, "_PAIRS", 1)
    seen: list[int] = []
    single = judge(rows, rows, targets, targets, same_images=True, keep=5, on_progress=seen.append)
    assert seen == list(range(1, 91))
    np.testing.assert_array_equal(single.first_rank, whole.first_rank)
    np.testing.assert_allclose(single.average_precision, whole.average_precision)
    np.testing.assert_array_equal(single.hits.indices, whole.hits.indices)


def test_hits_are_those_of_rank() -> None:
    rows, targets = random_set(70, 5)
    hits = judge(rows, rows, targets, targets, same_images=True, keep=9).hits
    want = ranking.rank(rows, rows, 9, same_images=True)
    np.testing.assert_array_equal(hits.indices, want.indices)
    np.testing.assert_array_equal(hits.scores, want.scores)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_equals_the_definitions_among_copies(data: st.DataObject) -> None:
    """Few different rows, so scores tie everywhere, between right and wrong answers alike."""
    few = unit(np.random.default_rng(0).standard_normal((4, 3)))
    picks = data.draw(st.lists(st.integers(0, 3), min_size=2, max_size=16))
    targets = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(picks), max_size=16)))
    targets = np.resize(targets, len(picks))
    rows = few[picks]
    got = judge(rows, rows, targets, targets, same_images=True)
    assert_same(got, loops(rows, rows, targets, targets, {(i, i) for i in range(len(rows))}))


@given(st.integers(0, 50), st.integers(2, 12))
@settings(max_examples=30, deadline=None)
def test_recall_never_falls_with_k(seed: int, classes: int) -> None:
    rows, targets = random_set(40, classes, seed)
    outcomes = judge(rows, rows, targets, targets, same_images=True)
    values = [recall_at_k(outcomes, k) for k in range(1, 41)]
    assert values == sorted(values)
    assert values[0] >= 0
    assert values[-1] == 1


@given(st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_figures_are_ordered_fractions(seed: int) -> None:
    rows, targets = random_set(40, 6, seed)
    outcomes = judge(rows, rows, targets, targets, same_images=True)
    judged = outcomes.judged
    at_r = outcomes.average_precision_at_r[judged]
    assert (at_r >= 0).all()
    assert (at_r <= outcomes.r_precision[judged] + 1e-12).all()
    assert (at_r <= outcomes.average_precision[judged] + 1e-12).all()
    assert (outcomes.average_precision[judged] <= 1 + 1e-12).all()
    perfect = outcomes.r_precision[judged] == 1
    np.testing.assert_allclose(outcomes.average_precision[judged][perfect], 1)


@given(st.permutations(range(25)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_gallery_does_not_matter(order: list[int]) -> None:
    gallery, gallery_targets = random_set(25, 4)
    queries, query_targets = random_set(9, 4, seed=1)
    gallery[3] = gallery[7]  # a tie, between classes or within one
    before = judge(queries, gallery, query_targets, gallery_targets)
    after = judge(queries, gallery[order], query_targets, gallery_targets[order])
    np.testing.assert_array_equal(before.first_rank, after.first_rank)
    np.testing.assert_allclose(before.average_precision, after.average_precision, atol=1e-12)


def test_ties_count_against_the_system() -> None:
    """An encoder that gives every picture one vector finds nothing, in whatever order."""
    rows = np.repeat(unit(np.random.default_rng(0).standard_normal((1, 48))), 40, axis=0)
    targets = np.arange(40) % 4
    outcomes = judge(rows, rows, targets, targets, same_images=True)
    assert outcomes.first_rank.tolist() == [31] * 40  # behind all 30 wrong ones
    assert recall_at_k(outcomes, 30) == 0
    assert mean_r_precision(outcomes) == 0


def test_a_wrong_answer_within_a_millionth_ties() -> None:
    query, right = np.array([[1, 0]], np.float32), np.array([1, 0])
    close = judge(query, on_a_line([0.5 + 5e-7, 0.5]), np.array([1]), right)
    clear = judge(query, on_a_line([0.5 + 2e-6, 0.5]), np.array([1]), right)
    assert (close.first_rank.tolist(), clear.first_rank.tolist()) == ([2], [1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_never_a_hit(bad: float) -> None:
    gallery = on_a_line([0.9, 0.8, 0.7])
    gallery[0, 1] = bad
    query = np.array([[1, 0]], np.float32)
    right_is_lost = judge(query, gallery, np.array([1]), np.array([1, 0, 0]), keep=3)
    assert right_is_lost.first_rank.tolist() == [4]  # behind the whole gallery
    assert recall_at_k(right_is_lost, 3) == 0
    assert right_is_lost.average_precision.tolist() == [0]
    assert right_is_lost.hits.indices.tolist() == [[1, 2, -1]]
    wrong_is_lost = judge(query, gallery, np.array([1]), np.array([0, 1, 1]))
    assert wrong_is_lost.average_precision.tolist() == [1]


def test_a_query_that_is_not_finite_finds_nothing() -> None:
    rows, targets = random_set(20, 1)
    spoiled = rows.copy()
    spoiled[4, 0] = np.nan
    outcomes = judge(spoiled, spoiled, targets, targets, same_images=True, keep=2)
    assert outcomes.first_rank[4] == 21
    assert outcomes.r_precision[4] == 0
    assert outcomes.hits.indices[4].tolist() == [-1, -1]
    assert np.isnan(spoiled[4, 0])  # the caller's array is left alone


def test_queries_without_a_right_answer_are_left_out_and_counted() -> None:
    gallery = on_a_line([0.9, 0.1])
    queries = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    outcomes = judge(queries, gallery, np.array([0, 7, 1]), np.array([0, 1]))
    assert outcomes.judged.tolist() == [True, False, True]
    assert outcomes.found(2).tolist() == [True, False, True]
    assert outcomes.first_rank.tolist() == [1, 0, 1]
    assert np.isnan(outcomes.average_precision).tolist() == [False, True, False]
    assert recall_at_k(outcomes, 1) == 1


def test_only_itself_is_no_right_answer() -> None:
    rows, targets = random_set(6, 1)
    targets = np.array([0, 0, 1, 2, 2, 2])
    outcomes = judge(rows, rows, targets, targets, same_images=True)
    assert outcomes.right_answers.tolist() == [1, 1, 0, 2, 2, 2]


def test_unknown_targets_are_right_for_nobody() -> None:
    gallery = on_a_line([0.9, 0.8, 0.7])
    queries = np.array([[1, 0]] * 3, np.float32)
    outcomes = judge(queries, gallery, np.array([-1, -2, 5]), np.array([-1, -2, 5]))
    assert outcomes.judged.tolist() == [False, False, True]
    assert outcomes.first_rank.tolist() == [0, 0, 3]


def test_the_query_is_removed_once_but_its_copies_stay_unless_named() -> None:
    rows, _ = random_set(5, 5)
    rows[1] = rows[0]
    targets = np.array([0, 0, 0, 1, 1])
    copies = judge(rows, rows, targets, targets, same_images=True)
    assert copies.first_rank[0] == 1
    files = np.array([3, 3, 4, 5, 6])
    without = judge(rows, rows, targets, targets, same_images=True, same_files=(files, files))
    left_out = {(i, j) for i in range(5) for j in range(5) if files[i] == files[j]}
    assert_same(without, loops(rows, rows, targets, targets, left_out))
    assert without.right_answers.tolist() == [1, 1, 2, 1, 1]


def test_a_copy_of_the_query_in_another_gallery_is_left_out() -> None:
    gallery, gallery_targets = random_set(12, 2)
    queries, query_targets = gallery[:3].copy(), gallery_targets[:3]
    files = (np.array([0, 1, 2]), np.arange(12))
    got = judge(queries, gallery, query_targets, gallery_targets, same_files=files, keep=12)
    left_out = {(i, i) for i in range(3)}
    assert_same(got, loops(queries, gallery, query_targets, gallery_targets, left_out))
    assert got.hits.indices[:, -1].tolist() == [-1, -1, -1]
    assert all(i not in got.hits.indices[i] for i in range(3))


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_agrees_with_pytorch_metric_learning(noise: float) -> None:
    rows, targets = random_set(150, 25, noise=noise)
    outcomes = judge(rows, rows, targets, targets, same_images=True)
    figures = {
        "precision_at_1": recall_at_k(outcomes, 1),
        "r_precision": mean_r_precision(outcomes),
        "mean_average_precision_at_r": mean_average_precision_at_r(outcomes),
        "mean_average_precision": mean_average_precision(outcomes),
    }
    theirs = AccuracyCalculator(include=tuple(figures), device=torch.device("cpu"))
    want = theirs.get_accuracy(torch.from_numpy(rows), torch.from_numpy(targets))
    # theirs breaks a near-tie deep in a ranking by float32 distance, ours against the system
    assert figures == pytest.approx(want, abs=1e-5)


@pytest.mark.parametrize("k", [0, -1, 13])
def test_k_outside_the_gallery(k: int) -> None:
    rows, targets = random_set(12, 2)
    outcomes = judge(rows, rows, targets, targets, same_images=True)
    with pytest.raises(ValueError, match=rf"^k must be in 1\.\.12, the size .* got {k}\."):
        recall_at_k(outcomes, k)


def test_nothing_to_find() -> None:
    rows, _ = random_set(3, 1)
    outcomes = judge(rows, rows, np.arange(3), np.arange(3), same_images=True)
    for figure in (mean_average_precision, mean_average_precision_at_r, mean_r_precision):
        with pytest.raises(ValueError, match=r"^a query must have a right answer .* in 3 queries"):
            figure(outcomes)


def test_no_query() -> None:
    rows, targets = random_set(3, 1)
    outcomes = judge(rows[:0], rows, targets[:0], targets, keep=2)
    assert len(outcomes) == 0
    assert outcomes.hits.indices.shape == (0, 2)


def test_arrays_that_do_not_fit() -> None:
    rows, targets = random_set(4, 2)
    with pytest.raises(ValueError, match=r"^query_targets must be \(4,\); got \(3,\)"):
        judge(rows, rows, targets[:3], targets)
    with pytest.raises(ValueError, match=r"^queries must be \(Q, 8\); got \(4, 7\)"):
        judge(rows[:, :7], rows, targets, targets)
    with pytest.raises(ValueError, match=r"^queries must be the gallery .*; got 3"):
        judge(rows[:3], rows, targets[:3], targets, same_images=True)
    two = (np.arange(4), np.arange(4) + 1)
    with pytest.raises(ValueError, match="same_files must hold"):
        judge(rows, rows, targets, targets, same_images=True, same_files=two)
    with pytest.raises(ValueError, match=r"^same_files\[1\] must be \(4,\); got \(3,\)"):
        judge(rows, rows, targets, targets, same_files=(np.arange(4), np.arange(3)))
