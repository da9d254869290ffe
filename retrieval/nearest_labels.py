r"""Which class, and how sure: votes of the nearest photos as probabilities.

The k nearest photos vote with weights that fall with distance, after a first question: whether the
nearest one is near enough for any of them to be right.

.. math::
    P(\text{none} \mid q) = \frac{1}{1 + e^{(s_1 - b) / \tau}}, \qquad
    P(y \mid q) = \big(1 - P(\text{none} \mid q)\big)
        \frac{\sum_{j:\, y_j = y} e^{s_j / T}}{\sum_{j} e^{s_j / T}}

over the k nearest, with :math:`s_j` their cosines, largest first. The labels among them and *none*
sum to 1; every other label has 0. T, b and :math:`\tau` are those under which the gallery's own
photos, each left out in turn, are most likely: once as a query of its class (its photo alone is
gone), and once as a stranger (its whole class is gone), weighted by the share of strangers that one
expects. A photo whose class is not among its neighbours, such as the only one of its class, counts
as *none* both times, and says nothing of T.

Probabilities are honest for queries like the gallery's photos, and for strangers that are no nearer
to the known classes than these are to one another. Photos that are almost the same, such as frames
of one film, make the gallery look easier than queries are: keep one of each.

References:
    Guo, Pleiss, Sun, Weinberger, On calibration of modern neural networks, ICML 2017 (temperature,
    expected calibration error). Wu, Efros, Yu, Improving generalization via scalable neighborhood
    component analysis, ECCV 2018, eq. 1 (votes weighted by exp(s / T)).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape, check_unit_rows
from .errors import BadInputError
from .ranking import best_of_block, rank, score_blocks

K = 10
"""Neighbours that vote."""

UNKNOWN_SHARE = 0.5
"""Expected share of strangers where nothing is known of it."""

SAMPLE = 2000
"""Most photos that are left out in turn."""

_STARTS = (5.0, 20.0, 80.0)  # 1 / tau, from where the best one is sought
_STEEPEST = 1000.0


class LabelProbabilities(NamedTuple):
    """Of Q queries; a row of ``probabilities`` and its ``none`` sum to 1.

    Attributes:
        labels: (Q, k) int64 targets, most likely first; -1 where neighbours have fewer labels.
        probabilities: (Q, k) float64, 0 beyond them.
        none: (Q,) float64, of none of these.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    none: NDArray[np.float64]


class NearestLabels:
    """A labelled gallery whose photos vote; see above.

    Attributes:
        k: Neighbours that vote.
        temperature: T, of the votes.
        none_similarity: b, the cosine at which none is as likely as any label.
        none_temperature: tau.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        targets: NDArray[np.int64],
        *,
        k: int,
        temperature: float,
        none_similarity: float,
        none_temperature: float,
    ) -> None:
        self._vectors, self._targets = vectors, targets
        self.k, self.temperature = k, temperature
        self.none_similarity, self.none_temperature = none_similarity, none_temperature

    @classmethod
    def fit(
        cls,
        vectors: NDArray[np.float32],
        targets: NDArray[np.int64],
        *,
        k: int = K,
        unknown_share: float = UNKNOWN_SHARE,
        seed: int = 0,
    ) -> "NearestLabels":
        """Find T, b and tau on the gallery alone.

        Args:
            vectors: (G, D) float32, rows of norm 1.
            targets: (G,) int64, 0 or more.
            k: Neighbours that vote, 1 to G - 1.
            unknown_share: Share of queries of unknown classes that is expected, in [0, 1).
            seed: Of the choice of :data:`SAMPLE` photos where there are more.

        Raises:
            BadInputError: Arrays or numbers that are not what they must be.
        """
        check_unit_rows("vectors", vectors)
        check_shape("targets", targets, (len(vectors),), "Give one target for each row.")
        if targets.dtype != np.int64 or (targets < 0).any():
            raise BadInputError(
                "targets must be int64, 0 or more; got "
                f"{targets.dtype}, least {targets.min()}. Leave photos without a class out."
            )
        if not 1 <= k < len(vectors):
            raise BadInputError(f"k must be in 1..{len(vectors) - 1}, other photos; got {k}.")
        if not 0 <= unknown_share < 1:
            raise BadInputError(f"unknown_share must be in [0, 1); got {unknown_share}.")
        count = min(SAMPLE, len(vectors))
        chosen = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:count])
        known = _votes(vectors, targets, chosen, k, whole_class=False)
        strangers = _votes(vectors, targets, chosen, k, whole_class=True)
        none_similarity, none_temperature = _fitted_none(known, strangers, unknown_share)
        return cls(
            vectors,
            targets,
            k=k,
            temperature=_fitted_votes(known),
            none_similarity=none_similarity,
            none_temperature=none_temperature,
        )

    def probabilities(self, queries: NDArray[np.float32]) -> LabelProbabilities:
        """Labels of the k nearest photos with their probabilities, most likely first.

        Of equal probabilities the label of the nearer photo comes first.

        Args:
            queries: (Q, D) float32, rows of norm 1.
        """
        found = rank(queries, self._vectors, self.k)
        near = self._targets[found.indices]  # (Q, k)
        cosines = found.scores.astype(np.float64)
        nearness = (cosines[:, :1] - self.none_similarity) / self.none_temperature
        none = np.exp(-np.logaddexp(0, nearness))  # (Q, 1)
        weights = np.exp((cosines - cosines[:, :1]) / self.temperature)  # (Q, k)
        weights *= (1 - none) / weights.sum(axis=1, keepdims=True)
        same = near[:, :, None] == near[:, None, :]  # (Q, k, k)
        shares = (same * weights[:, None, :]).sum(axis=2)
        earlier = np.tril(same, -1).any(axis=2)  # its label was met at a nearer photo
        shares[earlier] = 0
        order = np.argsort(np.where(earlier, np.inf, -shares), axis=1, kind="stable")
        labels = np.take_along_axis(np.where(earlier, -1, near), order, axis=1)
        return LabelProbabilities(labels, np.take_along_axis(shares, order, axis=1), none[:, 0])


class _Votes(NamedTuple):
    """Of photos that were left out: (M, k) cosines, and which neighbours have the right label."""

    scores: NDArray[np.float64]
    right: NDArray[np.bool_]


def _votes(
    vectors: NDArray[np.float32],
    targets: NDArray[np.int64],
    chosen: NDArray[np.int64],
    k: int,
    *,
    whole_class: bool,
) -> _Votes:
    """Neighbours of the chosen photos without themselves, or without all of their class."""
    scores, right = [], []
    wanted = vectors[chosen]
    for start, block in score_blocks(wanted, vectors):
        rows = chosen[start : start + len(block)]
        own = targets[rows, None] == targets if whole_class else rows[:, None] == _places(vectors)
        block[own] = -np.inf
        indices, found = best_of_block(block, wanted[start : start + len(block)], vectors, k)
        scores.append(found.astype(np.float64))
        right.append((targets[indices] == targets[rows, None]) & (indices >= 0))
    return _Votes(np.concatenate(scores), np.concatenate(right))


def _places(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.arange(len(vectors))


def _fitted_votes(votes: _Votes) -> float:
    """T of the least mean -log of the right label's share; 1 where no neighbour has it anywhere."""
    from scipy.optimize import minimize_scalar  # only fitting needs it

    met = votes.right.any(axis=1)
    if not met.any():
        return 1.0
    scores, right = votes.scores[met], votes.right[met]

    def surprise(log_steepness: float) -> float:
        logits = scores * np.exp(log_steepness)
        of_right = np.logaddexp.reduce(np.where(right, logits, -np.inf), axis=1)
        return float((np.logaddexp.reduce(logits, axis=1) - of_right).mean())

    bounds = (0.0, np.log(_STEEPEST))
    return float(np.exp(-minimize_scalar(surprise, bounds=bounds, method="bounded").x))


def _fitted_none(known: _Votes, strangers: _Votes, unknown_share: float) -> tuple[float, float]:
    """B and tau of the least mean -log P of whether any neighbour has the right label."""
    from scipy.optimize import minimize

    nearest = np.concatenate([known.scores[:, 0], strangers.scores[:, 0]]).clip(min=-1)
    signs = np.where(np.concatenate([known.right.any(axis=1), strangers.right.any(axis=1)]), 1, -1)
    weights = np.repeat([1 - unknown_share, unknown_share], len(known.scores))

    def surprise(values: NDArray[np.float64]) -> float:
        nearness = (nearest - values[0]) * np.exp(values[1])
        return float((weights * np.logaddexp(0, -signs * nearness)).mean())

    found = [
        minimize(
            surprise,
            np.array([np.median(nearest), np.log(start)]),
            method="L-BFGS-B",
            bounds=[(-1.0, 1.0), (0.0, np.log(_STEEPEST))],
        )
        for start in _STARTS
    ]
    best = min(found, key=lambda one: float(one.fun))
    return float(best.x[0]), float(np.exp(-best.x[1]))
