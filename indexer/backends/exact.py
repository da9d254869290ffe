"""Comparison with every vector: the reference the other engines are measured against."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Vectors
from retrieval.ranking import BLOCK_BYTES, best_of_gallery

_COPIED_SHARE = 0.25  # copying a row costs about as much as comparing with three


class Exact:
    """Needs nothing but the vectors: nothing to prepare, nothing to keep, nothing to tune."""

    exact: ClassVar[bool] = True

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def search(
        self, queries: Vectors, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], Vectors]:
        """See :class:`indexer.engines.Engine`."""
        if allowed is None or allowed.mean() > _COPIED_SHARE:
            return best_of_gallery(queries, self._vectors, k, allowed=allowed)
        rows = np.flatnonzero(allowed)
        positions = np.empty((len(queries), 0), np.int64)
        scores = np.empty((len(queries), 0), np.float32)
        size = max(1, BLOCK_BYTES // (4 * self._vectors.shape[1]))
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            found, near = best_of_gallery(queries, self._vectors[some], min(k, len(some)))
            positions = np.concatenate([positions, some[found]], axis=1)
            scores = np.concatenate([scores, near], axis=1)
            order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            positions = np.take_along_axis(positions, order, axis=1)
            scores = np.take_along_axis(scores, order, axis=1)
        return positions, scores
