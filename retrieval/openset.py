r"""None of the known classes: how surprising a query is to a labelled gallery, as a p-value.

Nearness has no scale of its own, so the gallery gives one: its photos are left out one by one, and
the distance of each to the nearest other one, of whatever class, says what is usual. With
:math:`d = 1 - \text{cosine}` and the n photos of the gallery,

.. math::
    a_i = \min_{j \ne i} d(x_i, x_j), \qquad a(q) = \min_j d(q, x_j), \qquad
    p(q) = \frac{1 + |\{i : a_i \ge a(q)\}|}{n + 1}

A query is *none of the known* where :math:`p \le \alpha`. **What that promises**: where queries and
gallery photos are drawn alike (exchangeable), at most a share :math:`\alpha` of those queries is
wrongly refused, whatever the encoder. For the full conformal p-value puts the query among the
photos before each of them is left out, which can only lessen each :math:`a_i`, so that the p here,
whose scale is of the gallery alone, is never below it. It promises nothing of how many strangers
are refused: that is the encoder's part, and is measured.

:meth:`Openset.p_values` compares with all photos together: the promise is kept on the average over
classes, and rare or varied classes may be refused more often. :meth:`Openset.p_values_by_class`
compares with each class's own photos, with distances within it, and takes the class that fits best,

.. math::
    a_{i,y} = \min_{j \ne i,\, y_j = y_i = y} d(x_i, x_j), \qquad
    p(q) = \max_y \frac{1 + |\{i : y_i = y,\ a_{i,y} \ge a_y(q)\}|}{n_y + 1}

which keeps the promise for every class on its own, but needs many photos of each: a class of n
photos never gives a p below 1 / (n + 1), so with the smallest class below :math:`1/\alpha - 1`
photos nothing at all is refused.

A photo alone in its class (:attr:`Openset.singles`) counts among all photos like any other: a query
that is drawn as they were may be the only one of its class, too, and then is among those of which
at most :math:`\alpha` are refused. With many of them the scale is wide, and strangers pass more
easily. There are no p-values by class with one.

Nothing is learned that would have to be kept: the scale is made again from the gallery's vectors.
Of a large gallery :data:`SAMPLE` photos, drawn at random, are left out in turn; the promise is the
same, for the query is as likely as any of them to be in each place.

References:
    Vovk, Gammerman, Shafer, Algorithmic learning in a random world, 2005, chapters 2 and 4 (label
    conditional).
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape, check_unit_rows
from .errors import BadInputError
from .ranking import TIE, best_of_block, rank, score_blocks

SAMPLE = 5000
"""Most photos that are left out in turn for the scale of all photos together."""

_QUERIES = 256  # at once, against _ROWS of the gallery in float64
_ROWS = 8192

Ticks = NDArray[np.int64]
"""Distances in units of :data:`retrieval.ranking.TIE`: whole numbers, so that ties are ties."""


class PValues(NamedTuple):
    """What is known of Q queries.

    Attributes:
        labels: (Q,) int64, the target that fits best.
        p: (Q,) float64 in (0, 1]; small where even that one hardly fits.
    """

    labels: NDArray[np.int64]
    p: NDArray[np.float64]


class Openset:
    """A labelled gallery and the scale that its own photos give; see above.

    Attributes:
        count: n, photos that the scale is made of.
        singles: Photos without another one of their class.
    """

    def __init__(
        self, vectors: NDArray[np.float32], targets: NDArray[np.int64], seed: int = 0
    ) -> None:
        chosen = np.random.default_rng(seed).permutation(len(vectors))[:SAMPLE]
        self._scale = _left_out(vectors, np.sort(chosen))
        order = np.argsort(targets, kind="stable")
        self._vectors, self._targets = vectors[order], targets[order]
        self._classes, starts, sizes = np.unique(
            self._targets, return_index=True, return_counts=True
        )
        self._starts, self._ends = starts, starts + sizes
        self.count, self.singles = len(self._scale), int((sizes == 1).sum())

    @classmethod
    def fit(
        cls, vectors: NDArray[np.float32], targets: NDArray[np.int64], *, seed: int = 0
    ) -> "Openset":
        """Make the scale of a gallery.

        Args:
            vectors: (G, D) float32, rows of norm 1.
            targets: (G,) int64, 0 or more.
            seed: Of the choice of :data:`SAMPLE` photos where there are more.

        Raises:
            BadInputError: Arrays that are not what they must be, or no class with two photos.

        Example:
            >>> gallery = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]], np.float32)
            >>> openset = Openset.fit(gallery, np.array([0, 0, 1, 1]))
            >>> labels, p = openset.p_values(np.array([[1, 0], [-1, 0]], np.float32))
            >>> labels.tolist(), p.tolist()
            ([0, 1], [1.0, 0.2])
        """
        check_unit_rows("vectors", vectors)
        check_shape("targets", targets, (len(vectors),), "Give one target for each row.")
        if targets.dtype != np.int64 or (targets < 0).any():
            raise BadInputError(
                "targets must be int64, 0 or more; got "
                f"{targets.dtype}, least {targets.min()}. Leave photos without a class out."
            )
        if not (np.unique(targets, return_counts=True)[1] > 1).any():
            raise BadInputError(
                f"a gallery must have a class with two photos; got {len(targets)} photos, each "
                "alone in its class. Add photos: what is usual within a class is unknown."
            )
        return cls(vectors, targets, seed)

    def p_values(self, queries: NDArray[np.float32]) -> PValues:
        """The class of the nearest photo, and how usual its distance is among all photos.

        Args:
            queries: (Q, D) float32, rows of norm 1.
        """
        nearest = rank(queries, self._vectors, 1)
        p = _p(self._scale, _ticks(nearest.scores[:, 0]))
        return PValues(self._targets[nearest.indices[:, 0]], p)

    def p_values_by_class(self, queries: NDArray[np.float32]) -> PValues:
        """The class in which the query is least unusual, and how unusual it is there.

        Of classes with equal p the one with the nearer photo is taken, then the smaller target.

        Args:
            queries: (Q, D) float32, rows of norm 1.

        Raises:
            BadInputError: A class has a single photo.
        """
        if self.singles:
            alone = self._classes[self._ends - self._starts == 1]
            raise BadInputError(
                "every class must have two photos to be its own scale; got "
                f"{self.singles} with one, such as {alone[0]}. Add photos, or use p_values."
            )
        check_shape("queries", queries, ("Q", self._vectors.shape[1]), "One encoder makes both.")
        check_unit_rows("queries", queries)
        labels, p = np.empty(len(queries), np.int64), np.empty(len(queries))
        for start in range(0, len(queries), _QUERIES):
            rows = slice(start, start + _QUERIES)
            distances = self._to_classes(queries[rows])  # (B, C)
            fits = np.stack(
                [_p(scale, distances[:, c]) for c, scale in enumerate(self._scales)], axis=1
            )
            best = np.lexsort((distances, -fits), axis=1)[:, 0]
            labels[rows], p[rows] = self._classes[best], fits[np.arange(len(best)), best]
        return PValues(labels, p)

    @cached_property
    def _scales(self) -> list[Ticks]:
        """Of each class, from distances within it."""
        return [
            _left_out_of_class(self._vectors[start:end])
            for start, end in zip(self._starts, self._ends, strict=True)
        ]

    def _to_classes(self, queries: NDArray[np.float32]) -> Ticks:
        """To the nearest photo of each class, some whole classes at a time: (B, D) to (B, C)."""
        wanted = queries.astype(np.float64)
        found, first = [], 0
        while first < len(self._classes):
            start = self._starts[first]
            end = max(first + 1, int(np.searchsorted(self._ends, start + _ROWS, side="right")))
            products = wanted @ self._vectors[start : self._ends[end - 1]].astype(np.float64).T
            found.append(np.maximum.reduceat(products, self._starts[first:end] - start, axis=1))
            first = end
        return _ticks(np.concatenate(found, axis=1))


def _left_out(vectors: NDArray[np.float32], chosen: NDArray[np.int64]) -> Ticks:
    """(M,) ascending: of each chosen photo to the nearest other one, whatever its class."""
    wanted = vectors[chosen]
    found = []
    for start, block in score_blocks(wanted, vectors):
        rows = chosen[start : start + len(block)]
        block[np.arange(len(block)), rows] = -np.inf
        found.append(best_of_block(block, wanted[start : start + len(block)], vectors, 1)[1][:, 0])
    return np.sort(_ticks(np.concatenate(found)))


def _left_out_of_class(rows: NDArray[np.float32]) -> Ticks:
    """(N,) ascending: of each photo of a class of two or more to the nearest other one of it."""
    return np.sort(_ticks(rank(rows, rows, 1, same_images=True).scores[:, 0]))


def _ticks(cosines: NDArray[np.float32] | NDArray[np.float64]) -> Ticks:
    return np.rint((1 - cosines.astype(np.float64)) / TIE).astype(np.int64)


def _p(scale: Ticks, distances: Ticks) -> NDArray[np.float64]:
    as_far = len(scale) - np.searchsorted(scale, distances, side="left")
    return np.asarray((1 + as_far) / (len(scale) + 1))
