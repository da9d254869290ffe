r"""None of the known classes: how surprising a query is to a labelled gallery, as a p-value.

Nearness has no scale of its own, so the gallery gives one: its photos are left out one by one, and
the distance of each to the nearest other photo of its own class says what is usual. With
:math:`d = 1 - \text{cosine}` and the n photos whose class has another one,

.. math::
    a_i = \min_{j \ne i,\, y_j = y_i} d(x_i, x_j), \qquad
    a(q) = \min_j d(q, x_j), \qquad
    p(q) = \frac{1 + |\{i : a_i \ge a(q)\}|}{n + 1}

A query is *none of the known* where :math:`p \le \alpha`. **What that promises**: where queries of
known classes and gallery photos are drawn alike (exchangeable), at most a share :math:`\alpha` of
those queries is wrongly refused, whatever the encoder. For the full conformal p-value adds the
query to its class, which can only lessen each :math:`a_i`, so that the p here is never below it;
and the nearest photo of any class is never farther than that of the right class. It promises
nothing of how many strangers are refused: that is the encoder's part, and is measured.

:meth:`Openset.p_values` compares with all photos together: the promise is kept on the average over
classes, and rare or varied classes may be refused more often. :meth:`Openset.p_values_by_class`
compares with each class's own photos, and takes the class that fits best,

.. math:: p(q) = \max_y \frac{1 + |\{i : y_i = y,\ a_i \ge a_y(q)\}|}{n_y + 1}

which keeps the promise for every class on its own, but needs many photos of each: a class of n
photos never gives a p below 1 / (n + 1), so with the smallest class below :math:`1/\alpha - 1`
photos nothing at all is refused.

A class with a single photo has no leave-one-out distance. Such photos are found like any other, but
have no part in the scale and the promise is not for queries of their classes:
:attr:`Openset.singles` counts them, and they have no p-value by class.

Nothing is learned that would have to be kept: the scale is made again from the gallery's vectors,
in the time of comparing each class with itself.

References:
    Vovk, Gammerman, Shafer, Algorithmic learning in a random world, 2005, chapters 2 and 4 (label
    conditional).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape, check_unit_rows
from .errors import BadInputError
from .ranking import TIE, rank

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
        singles: Photos without another one of their class, which are not among them.
    """

    def __init__(self, vectors: NDArray[np.float32], targets: NDArray[np.int64]) -> None:
        order = np.argsort(targets, kind="stable")
        self._vectors, self._targets = vectors[order], targets[order]
        self._classes, starts, sizes = np.unique(
            self._targets, return_index=True, return_counts=True
        )
        self._starts, self._ends = starts, starts + sizes
        self._scales = [
            _left_out(self._vectors[start:end])
            for start, end in zip(self._starts, self._ends, strict=True)
        ]
        self._scale = np.sort(np.concatenate(self._scales))
        self.count, self.singles = len(self._scale), int((sizes == 1).sum())

    @classmethod
    def fit(cls, vectors: NDArray[np.float32], targets: NDArray[np.int64]) -> "Openset":
        """Make the scale of a gallery.

        Args:
            vectors: (G, D) float32, rows of norm 1.
            targets: (G,) int64, 0 or more.

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
        return cls(vectors, targets)

    def p_values(self, queries: NDArray[np.float32]) -> PValues:
        """The class of the nearest photo, and how usual its distance is in the whole gallery.

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


def _left_out(rows: NDArray[np.float32]) -> Ticks:
    """(N,) ascending: of each photo of a class to the nearest other one; none of a single one."""
    if len(rows) < 2:
        return np.empty(0, np.int64)
    return np.sort(_ticks(rank(rows, rows, 1, same_images=True).scores[:, 0]))


def _ticks(cosines: NDArray[np.float32] | NDArray[np.float64]) -> Ticks:
    return np.rint((1 - cosines.astype(np.float64)) / TIE).astype(np.int64)


def _p(scale: Ticks, distances: Ticks) -> NDArray[np.float64]:
    as_far = len(scale) - np.searchsorted(scale, distances, side="left")
    return np.asarray((1 + as_far) / (len(scale) + 1))
