"""Temperature against a search over all of them, and what it must not change."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.calibration import (
    LEAST,
    MOST,
    calibration_error,
    fit_temperature,
    probabilities,
    surprise,
)
from retrieval.errors import BadInputError


def drawn(seed: int, count: int = 60, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, count)
    logits = 3 * rng.standard_normal((count, classes))
    logits[np.arange(count), targets] += 2
    return logits, targets


def surprise_by_loops(logits: np.ndarray, targets: np.ndarray, temperature: float) -> float:
    total = 0.0
    for row, target in zip(logits, targets, strict=True):
        powers = [math.exp(value / temperature) for value in row]
        total -= math.log(powers[target] / sum(powers))
    return total / len(targets)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_no_other_temperature_is_better(seed: int) -> None:
    logits, targets = drawn(seed)
    best = fit_temperature(logits, targets)
    least = surprise_by_loops(logits, targets, best)
    assert surprise(logits, targets, best) == pytest.approx(least)
    for other in np.geomspace(0.2, 50, 60):
        assert least <= surprise_by_loops(logits, targets, float(other)) + 1e-12


def test_the_temperature_that_labels_were_drawn_with_is_found() -> None:
    rng = np.random.default_rng(0)
    logits = 4 * rng.standard_normal((20000, 6))
    shares = probabilities(logits, 2.5)
    targets = (shares.cumsum(axis=1) < rng.random((len(logits), 1))).sum(axis=1)
    assert fit_temperature(logits, targets) == pytest.approx(2.5, rel=0.03)
    assert calibration_error(shares, targets) < 0.02
    assert calibration_error(probabilities(logits, 1.0), targets) > 0.1


def test_logits_twice_as_large_want_a_temperature_twice_as_high() -> None:
    logits, targets = drawn(1)
    assert fit_temperature(2 * logits, targets) == pytest.approx(
        2 * fit_temperature(logits, targets)
    )


def test_beyond_its_ends() -> None:
    right = np.array([[9.0, 0.0], [0.0, 9.0]])
    assert fit_temperature(right, np.array([0, 1])) == LEAST
    assert fit_temperature(right, np.array([1, 0])) == MOST


def test_probabilities_are_shares_and_do_not_overflow() -> None:
    shares = probabilities(np.array([[1e4, 0.0, -1e4]]), 0.5)
    np.testing.assert_allclose(shares, [[1, 0, 0]])


def test_what_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"targets must be \(2,\); got \(1,\)"):
        fit_temperature(np.zeros((2, 3)), np.zeros(1, np.int64))
    with pytest.raises(BadInputError, match="logits must be of one picture or more"):
        surprise(np.zeros((0, 3)), np.zeros(0, np.int64))
