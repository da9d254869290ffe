"""AUROC, FPR, ROC and calibration as loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.openset_metrics import (
    accepted_unknown,
    auroc,
    auroc_interval,
    expected_calibration_error,
    roc,
)

scores = st.lists(st.integers(0, 6).map(lambda n: n / 6), min_size=1, max_size=12)


@given(scores, scores)
def test_auroc_is_the_share_of_pairs_in_order(known: list[float], unknown: list[float]) -> None:
    pairs = [(a > b) + (a == b) / 2 for a in known for b in unknown]
    assert auroc(np.array(known), np.array(unknown)) == pytest.approx(np.mean(pairs))
    assert auroc(np.array(unknown), np.array(known)) == pytest.approx(1 - np.mean(pairs))


@given(scores, scores, st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_fpr_is_read_at_the_highest_threshold_that_passes_enough(
    known: list[float], unknown: list[float], share: float
) -> None:
    threshold = max(t for t in known if sum(a >= t for a in known) >= share * len(known) - 1e-9)
    want = sum(b >= threshold for b in unknown)
    assert accepted_unknown(np.array(known), np.array(unknown), share) == want


@given(scores, scores)
def test_roc_is_the_best_threshold_for_each_rate(known: list[float], unknown: list[float]) -> None:
    rates = np.linspace(0, 1, 7)
    want = [
        max(
            sum(a >= t for a in known) / len(known)
            for t in [*known, *unknown, np.inf]
            if sum(b >= t for b in unknown) <= rate * len(unknown) + 1e-9
        )
        for rate in rates
    ]
    np.testing.assert_allclose(roc(np.array(known), np.array(unknown), rates), want, atol=1e-12)


def test_the_interval_draws_whole_classes() -> None:
    rng = np.random.default_rng(0)
    known, unknown = rng.random(20), rng.random(15) - 0.2
    classes, others = rng.integers(0, 5, 20), rng.integers(0, 4, 15)
    generator = np.random.default_rng(7)
    count, other_count = len(set(classes)), len(set(others))
    drawn = generator.multinomial(count, np.full(count, 1 / count), 50)
    others_drawn = generator.multinomial(other_count, np.full(other_count, 1 / other_count), 50)
    areas = []
    for row, other in zip(drawn, others_drawn, strict=True):
        some = np.concatenate([np.tile(known[classes == c], n) for c, n in enumerate(row)])
        rest = np.concatenate([np.tile(unknown[others == c], n) for c, n in enumerate(other)])
        areas.append(auroc(some, rest))
    want = np.quantile(areas, [0.025, 0.975])
    got = auroc_interval(known, unknown, classes, others, seed=7, repeats=50)
    assert got == pytest.approx(tuple(want), abs=1e-9)
    assert auroc_interval(known, unknown, classes, np.zeros(15, np.int64)) is None


def test_calibration_error_by_loops() -> None:
    rng = np.random.default_rng(1)
    stated = np.concatenate([rng.random(200), [0.0, 1.0, 0.2, 0.4]])
    right = rng.random(204) < stated**2
    want = 0.0
    for b in range(5):
        inside = [i for i, c in enumerate(stated) if b / 5 < c <= (b + 1) / 5 or (b == 0 == c)]
        if inside:
            gap = np.mean([right[i] for i in inside]) - np.mean([stated[i] for i in inside])
            want += len(inside) / len(stated) * abs(gap)
    assert expected_calibration_error(stated, right, 5) == pytest.approx(want)
    assert expected_calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


def test_both_kinds_are_needed() -> None:
    with pytest.raises(ValueError, match=r"^known and unknown must each hold a query; got 0 known"):
        auroc(np.empty(0), np.ones(2))
    with pytest.raises(ValueError, match=r"^confidences must hold at least one; got none"):
        expected_calibration_error(np.empty(0), np.empty(0, bool))
