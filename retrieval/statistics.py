"""How far a figure may be off, and whether two encoders differ."""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape
from .errors import BadInputError

CONFIDENCE = 0.95
"""Share of repetitions of an experiment whose interval holds the true value."""

REPEATS = 2000
"""Resamples of a bootstrap: the ends of a 95 % interval then stand on 50 of them each."""

_DRAWS = 2**22  # cluster counts drawn at once, 8 bytes each

Interval = tuple[float, float]


def wilson(hits: int, count: int, confidence: float = CONFIDENCE) -> Interval:
    r"""Interval of a share, when the queries are independent of each other.

    .. math:: \frac{\hat p + z^2/2n \pm z\sqrt{\hat p(1-\hat p)/n + z^2/4n^2}}{1 + z^2/n}

    Unlike the textbook's p ± z·sqrt(p(1-p)/n) it stays inside [0, 1] and is not empty at 0 of n.
    Queries of one class are alike, so it is too narrow for them: see :func:`cluster_bootstrap`.

    Args:
        hits: 0 to ``count``.
        count: n, at least 1.
        confidence: In (0, 1).

    Example:
        >>> low, high = wilson(8, 10)
        >>> f"{low:.4f} to {high:.4f}"
        '0.4902 to 0.9433'

    References:
        Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.
    """
    _check_confidence(confidence)
    if not 0 <= hits <= count or count < 1:
        raise BadInputError(f"hits must be in 0..count, count at least 1; got {hits} of {count}.")
    share = hits / count
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = share + z**2 / (2 * count)
    half = z * (share * (1 - share) / count + z**2 / (4 * count**2)) ** 0.5
    scale = 1 + z**2 / count
    low, high = (centre - half) / scale, (centre + half) / scale
    return (0.0 if hits == 0 else low), (1.0 if hits == count else high)


def cluster_bootstrap(
    values: NDArray[np.float64],
    clusters: NDArray[np.int64],
    *,
    repeats: int = REPEATS,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> NDArray[np.float64]:
    """Percentile intervals of means, when the queries come in clusters that are alike.

    Whole clusters are drawn with replacement, as many as there are, and the mean is taken over the
    queries drawn. A cluster is a class, or with instance relevance the photo that all its sketches
    look for. For the difference of two encoders give the differences: the same draw then serves
    both, which is what makes the interval narrow.

    Args:
        values: (Q, M) M figures of each query.
        clusters: (Q,) Number of each query's cluster. With fewer than about twenty clusters the
            interval is too narrow.
        repeats: Resamples.
        seed: Of the draws; equal seeds give equal intervals.
        confidence: In (0, 1).

    Returns:
        (M, 2) lower and upper ends.

    Raises:
        BadInputError: Fewer than two clusters: nothing is known of how they differ.

    References:
        Davison and Hinkley, Bootstrap methods and their application, 1997, section 3.8.
    """
    _check_confidence(confidence)
    check_shape("values", values, ("Q", "M"), "Add an axis to one figure: values[:, None].")
    check_shape("clusters", clusters, (len(values),))
    names, members = np.unique(clusters, return_inverse=True)
    if len(names) < 2:
        raise BadInputError(
            f"clusters must be at least two; got {len(names)}. "
            "Leave this interval out for a single class."
        )
    sizes = np.bincount(members).astype(np.float64)  # (C,)
    sums = np.stack([np.bincount(members, column) for column in values.T], axis=1)  # (C, M)
    generator = np.random.default_rng(seed)
    step = max(1, _DRAWS // len(names))
    means = []
    for start in range(0, repeats, step):
        some = min(step, repeats - start)
        # (some, C) how often each cluster is drawn
        drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), some)
        means.append((drawn @ sums) / (drawn @ sizes)[:, None])
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    return np.asarray(np.quantile(np.concatenate(means), ends, axis=0).T)


def mcnemar(only_first: int, only_second: int) -> float:
    r"""Exact two-sided McNemar test of two encoders on the same queries.

    Only queries that one of them gets right and the other wrong tell them apart. If neither were
    better, each such query would fall to either side like a fair coin:

    .. math:: p = \min\left(1, 2 \sum_{i=0}^{\min(b,c)} \binom{b+c}{i} 2^{-(b+c)}\right)

    Args:
        only_first: b, queries that only the first gets right.
        only_second: c, queries that only the second gets right.

    Returns:
        Probability of a split at least as uneven if neither is better; 1 when b + c is 0.

    Example:
        >>> round(mcnemar(1, 6), 4)
        0.125

    References:
        McNemar, Note on the sampling error of the difference between correlated proportions,
        Psychometrika 1947; the exact form is the sign test.
    """
    fewer, count = min(only_first, only_second), only_first + only_second
    if fewer < 0:
        raise BadInputError(f"counts must be 0 or more; got {only_first} and {only_second}.")
    ways = term = 1  # binomial coefficients in whole numbers: exact, and quick enough for 100,000
    for i in range(fewer):
        term = term * (count - i) // (i + 1)
        ways += term
    return float(min(1, 2 * ways / 2**count))


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise BadInputError(f"confidence must be in (0, 1); got {confidence}.")
