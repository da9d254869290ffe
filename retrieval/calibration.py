r"""One number that makes a classifier's probabilities honest: its temperature.

.. math:: p = \operatorname{softmax}(l / T), \qquad
    T = \arg\min_T \sum_i -\log p_{i, y_i}

on pictures that were not trained on. The order of classes, and so every hit, stays as it is.

References:
    Guo, Pleiss, Sun, Weinberger, On calibration of modern neural networks, ICML 2017, eq. 9.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape
from .errors import BadInputError
from .openset_metrics import expected_calibration_error

LEAST, MOST = 1e-2, 1e2
"""T is sought between these: who is never wrong would have it 0, who knows nothing infinite."""

_STEPS = 60  # halvings of log T: far below what float64 tells apart


def probabilities(logits: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Softmax of logits over a temperature, (N, K) to (N, K)."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def surprise(
    logits: NDArray[np.float64], targets: NDArray[np.int64], temperature: float = 1.0
) -> float:
    """Mean negative log-likelihood of the right classes, in nats.

    Example:
        >>> round(surprise(np.zeros((1, 4)), np.array([2])), 4)
        1.3863
    """
    _check(logits, targets)
    scaled = logits / temperature
    right = scaled[np.arange(len(targets)), targets]
    return float((np.logaddexp.reduce(scaled, axis=1) - right).mean())


def fit_temperature(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    r"""T of the least surprise, by bisection.

    With :math:`s = 1 / T` the surprise is convex, and its slope, the mean of
    :math:`\mathbb E_p[l] - l_y`, rises from the left to the right of its least.

    Args:
        logits: (N, K) float64.
        targets: (N,) int64, 0..K-1.

    Returns:
        In [:data:`LEAST`, :data:`MOST`], the nearer end where the least is beyond it.

    Example:
        >>> logits = np.array([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
        >>> round(fit_temperature(logits, np.array([0, 0, 0, 1])), 4)  # 2 / log 3
        1.8205
    """
    _check(logits, targets)
    right = logits[np.arange(len(targets)), targets]

    def slope(temperature: float) -> float:
        expected = (probabilities(logits, temperature) * logits).sum(axis=1)
        return float((expected - right).mean())

    cold, hot = math.log(LEAST), math.log(MOST)
    if slope(MOST) >= 0:
        return MOST
    if slope(LEAST) <= 0:
        return LEAST
    for _ in range(_STEPS):
        middle = (cold + hot) / 2
        if slope(math.exp(middle)) > 0:
            cold = middle
        else:
            hot = middle
    return math.exp((cold + hot) / 2)


def calibration_error(shares: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Expected calibration error of the first answer, see :mod:`retrieval.openset_metrics`."""
    _check(shares, targets)
    return expected_calibration_error(shares.max(axis=1), shares.argmax(axis=1) == targets)


def _check(values: NDArray[np.float64], targets: NDArray[np.int64]) -> None:
    check_shape("logits", values, ("N", "K"))
    check_shape("targets", targets, (len(values),), "Give one target for each row.")
    if not len(values):
        raise BadInputError("logits must be of one picture or more; got none.")
