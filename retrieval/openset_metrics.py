"""Numbers that judge who is told from whom, and how honest a probability is."""

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape
from .errors import BadInputError
from .statistics import CONFIDENCE, REPEATS, Interval

BINS = 15
"""Of the expected calibration error, as in the paper."""

Values = NDArray[np.float64]


def auroc(known: Values, unknown: Values) -> float:
    r"""Area under the ROC curve: how often a known query looks more known than an unknown one.

    .. math:: \frac{1}{K U} \sum_{k, u} [s_k > s_u] + \tfrac12 [s_k = s_u]

    Args:
        known: (K,) scores, larger is more surely known.
        unknown: (U,) of queries that should be refused.

    Example:
        >>> auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
        0.875
    """
    _check_both(known, unknown)
    return float(_wins(known, unknown).sum() / (len(known) * len(unknown)))


def auroc_interval(
    known: Values,
    unknown: Values,
    known_classes: NDArray[np.int64],
    unknown_classes: NDArray[np.int64],
    *,
    seed: int = 0,
    repeats: int = REPEATS,
    confidence: float = CONFIDENCE,
) -> Interval | None:
    """Percentile bootstrap of :func:`auroc` over whole classes, known and unknown ones apart.

    Queries of one class are alike, so an interval over single queries would be too narrow.

    Args:
        known: (K,) scores.
        unknown: (U,) scores.
        known_classes: (K,) class of each.
        unknown_classes: (U,) class of each.
        seed: Of the draws.
        repeats: Resamples.
        confidence: In (0, 1).

    Returns:
        None with a single class on either side.
    """
    _check_both(known, unknown)
    names, members = np.unique(known_classes, return_inverse=True)
    others, other_members = np.unique(unknown_classes, return_inverse=True)
    if len(names) < 2 or len(others) < 2:
        return None
    wins = np.stack(
        [
            np.bincount(members, _wins(known, unknown[other_members == other]), len(names))
            for other in range(len(others))
        ],
        axis=1,
    )  # (C, C') summed over the queries of two classes
    sizes, other_sizes = np.bincount(members), np.bincount(other_members)
    generator = np.random.default_rng(seed)
    # How often each class is drawn, for each resample.
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), repeats)
    others_drawn = generator.multinomial(
        len(others), np.full(len(others), 1 / len(others)), repeats
    )
    areas = np.einsum("rc,cd,rd->r", drawn, wins, others_drawn, optimize=True)
    areas /= (drawn @ sizes) * (others_drawn @ other_sizes)
    low, high = np.quantile(areas, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return low, high


def accepted_unknown(known: Values, unknown: Values, share: float = 0.95) -> int:
    """Unknown queries that pass where at least ``share`` of the known ones do: hits of FPR@TPR.

    Example:
        >>> accepted_unknown(np.array([0.9, 0.8, 0.3]), np.array([0.8, 0.2]), 2 / 3)
        1
    """
    _check_both(known, unknown)
    must_pass = int(np.ceil(share * len(known) - 1e-9))
    threshold = np.sort(known)[len(known) - must_pass]
    return int((unknown >= threshold).sum())


def roc(known: Values, unknown: Values, rates: Values) -> Values:
    """Largest share of known queries that pass where at most a share of the unknown ones does.

    Args:
        known: (K,) scores.
        unknown: (U,) scores.
        rates: (P,) shares of unknown queries.

    Returns:
        (P,) shares of known queries.
    """
    _check_both(known, unknown)
    thresholds = np.unique(np.concatenate([known, unknown]))[::-1]
    passing = np.concatenate([[0], _at_least(unknown, thresholds)]) / len(unknown)
    caught = np.concatenate([[0], _at_least(known, thresholds)]) / len(known)
    return np.asarray(caught[np.searchsorted(passing, rates + 1e-12, side="right") - 1])


def expected_calibration_error(
    confidences: Values, right: NDArray[np.bool_], bins: int = BINS
) -> float:
    r"""How far stated probabilities are from what came true, in bins of equal width.

    .. math:: \sum_b \frac{n_b}{n} \Big| \tfrac1{n_b} \sum_{i \in b} [\text{right}_i]
        - \tfrac1{n_b} \sum_{i \in b} c_i \Big|

    Args:
        confidences: (N,) in [0, 1]; bin b holds those in (b / B, (b + 1) / B].
        right: (N,) whether what was said came true.
        bins: B.

    Example:
        >>> round(expected_calibration_error(np.array([0.9, 0.9]), np.array([True, False])), 3)
        0.4

    References:
        Guo, Pleiss, Sun, Weinberger, On calibration of modern neural networks, ICML 2017, eq. 3.
    """
    check_shape("right", right, (len(confidences),))
    if not len(confidences):
        raise BadInputError("confidences must hold at least one; got none.")
    places = np.clip(np.ceil(confidences * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(places, right - confidences, bins)  # summed in each bin
    return float(np.abs(gaps).sum() / len(confidences))


def _wins(known: Values, unknown: Values) -> Values:
    """(K,) unknown ones below each known one, ties as one half."""
    ordered = np.sort(unknown)
    below = np.searchsorted(ordered, known, side="left")
    return np.asarray((below + np.searchsorted(ordered, known, side="right")) / 2)


def _at_least(values: Values, thresholds: Values) -> NDArray[np.int64]:
    ordered = np.sort(values)
    return np.asarray(len(values) - np.searchsorted(ordered, thresholds, side="left"))


def _check_both(known: Values, unknown: Values) -> None:
    if not len(known) or not len(unknown):
        raise BadInputError(
            "known and unknown must each hold a query; got "
            f"{len(known)} known and {len(unknown)} unknown."
        )
