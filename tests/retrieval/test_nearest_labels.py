"""Votes of neighbours against their formula as loops, and whether they mean what they say."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.nearest_labels import NearestLabels
from retrieval.openset_metrics import expected_calibration_error

Rows = NDArray[np.float32]


def unit(rows: NDArray[np.floating]) -> Rows:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def drawn(
    rng: np.random.Generator, centres: NDArray[np.float64], each: int, noise: float
) -> tuple[Rows, NDArray[np.int64]]:
    targets = np.repeat(np.arange(len(centres)), each)
    return unit(centres[targets] + noise * rng.standard_normal((len(targets), centres.shape[1]))), (
        targets
    )


def by_loops(
    made: NearestLabels, gallery: Rows, targets: NDArray[np.int64], query: Rows
) -> tuple[dict[int, float], float]:
    scores = [round(float(query.astype(float) @ row.astype(float)), 6) for row in gallery]
    nearest = sorted(range(len(scores)), key=lambda j: (-scores[j], j))[: made.k]
    weights = {j: math.exp(scores[j] / made.temperature) for j in nearest}
    nearness = (scores[nearest[0]] - made.none_similarity) / made.none_temperature
    none = 1 / (1 + math.exp(nearness))
    shares: dict[int, float] = {}
    for j, weight in weights.items():
        share = (1 - none) * weight / sum(weights.values())
        shares[int(targets[j])] = shares.get(int(targets[j]), 0) + share
    return shares, none


def test_probabilities_are_the_formula_and_sum_to_one() -> None:
    rng = np.random.default_rng(0)
    gallery, targets = drawn(rng, rng.standard_normal((6, 5)), 4, 0.8)
    made = NearestLabels(
        gallery, targets, k=7, temperature=0.1, none_similarity=0.7, none_temperature=0.2
    )
    queries = unit(rng.standard_normal((20, 5)))
    labels, shares, none = made.probabilities(queries)
    np.testing.assert_allclose(shares.sum(axis=1) + none, 1, rtol=0, atol=1e-12)
    assert (np.diff(shares, axis=1) <= 0).all()
    assert ((labels == -1) == (shares == 0)).all()
    for row, query in enumerate(queries):
        want, want_none = by_loops(made, gallery, targets, query)
        got = {
            label: share
            for label, share in zip(labels[row].tolist(), shares[row].tolist(), strict=True)
            if label >= 0
        }
        assert got == pytest.approx(want, abs=1e-6)
        assert none[row] == pytest.approx(want_none, abs=1e-6)


def test_probabilities_by_hand() -> None:
    gallery = np.array([[1, 0], [0, 1], [0, -1]], np.float32)
    made = NearestLabels(
        gallery,
        np.array([5, 9, 9]),
        k=3,
        temperature=1 / math.log(2),
        none_similarity=0.0,
        none_temperature=1 / math.log(3),
    )
    labels, shares, none = made.probabilities(np.array([[1, 0]], np.float32))
    # none 1 / (1 + 3); weights 2 for class 5, 1 + 1 for class 9; the nearer one is first.
    assert labels.tolist() == [[5, 9, -1]]
    np.testing.assert_allclose(shares, [[3 / 8, 3 / 8, 0]], atol=1e-12)
    np.testing.assert_allclose(none, [1 / 4], atol=1e-12)


def test_fitted_probabilities_mean_what_they_say() -> None:
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((60, 8))
    gallery, targets = drawn(rng, centres[:30], 12, 0.5)
    known, truth = drawn(rng, centres[:30], 30, 0.5)
    strangers, _ = drawn(rng, centres[30:], 30, 0.5)
    made = NearestLabels.fit(gallery, targets, k=10, unknown_share=0.5)
    labels, shares, none = made.probabilities(np.concatenate([known, strangers]))
    truth = np.concatenate([truth, np.full(len(strangers), -7)])
    says_none = none > shares[:, 0]
    right = np.where(says_none, truth == -7, labels[:, 0] == truth)
    stated = np.maximum(none, shares[:, 0])
    off = expected_calibration_error(stated, right)
    assert off < 0.08
    assert 0.5 < right.mean() < 0.98  # neither hopeless nor trivial
    of_labels = label_error(made, known, truth[: len(known)])
    assert of_labels < 0.1
    for worse in (made.temperature / 8, made.temperature * 8):
        other = NearestLabels(
            gallery,
            targets,
            k=10,
            temperature=worse,
            none_similarity=made.none_similarity,
            none_temperature=made.none_temperature,
        )
        assert label_error(other, known, truth[: len(known)]) > 1.5 * of_labels


def label_error(made: NearestLabels, queries: Rows, truth: NDArray[np.int64]) -> float:
    """Calibration of the first label, given that one of them is right."""
    labels, shares, none = made.probabilities(queries)
    return expected_calibration_error(shares[:, 0] / (1 - none), labels[:, 0] == truth)


def test_none_grows_with_the_share_of_strangers_that_is_expected() -> None:
    rng = np.random.default_rng(4)
    gallery, targets = drawn(rng, rng.standard_normal((10, 6)), 8, 0.6)
    queries = unit(rng.standard_normal((50, 6)))
    means = [
        NearestLabels.fit(gallery, targets, k=5, unknown_share=share)
        .probabilities(queries)
        .none.mean()
        for share in (0.0, 0.2, 0.5, 0.8)
    ]
    assert means == sorted(means)
    assert means[-1] > means[0] + 0.1


def test_fitting_is_the_same_every_time_and_takes_single_photos() -> None:
    rng = np.random.default_rng(6)
    gallery, targets = drawn(rng, rng.standard_normal((7, 6)), 3, 0.4)
    targets[-1] = 99  # alone in its class
    made = [NearestLabels.fit(gallery, targets, k=4) for _ in range(2)]
    assert made[0].temperature == made[1].temperature > 0
    assert made[0].none_similarity == made[1].none_similarity
    one_class = NearestLabels.fit(gallery[:3], np.zeros(3, np.int64), k=2)
    assert np.isfinite(one_class.probabilities(gallery).none).all()


def test_what_cannot_be_fitted_is_said() -> None:
    rows, targets = unit(np.eye(3) + 0.1), np.zeros(3, np.int64)
    with pytest.raises(ValueError, match=r"^k must be in 1\.\.2, other photos; got 3"):
        NearestLabels.fit(rows, targets, k=3)
    with pytest.raises(ValueError, match=r"^unknown_share must be in \[0, 1\); got 1"):
        NearestLabels.fit(rows, targets, k=2, unknown_share=1)
    with pytest.raises(ValueError, match=r"^targets must be int64, 0 or more; got int64, least -1"):
        NearestLabels.fit(rows, targets - 1, k=2)
