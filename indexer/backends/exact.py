"""Comparison with every vector: the reference the other engines are measured against."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Vectors

_BLOCK_SCORES = 1 << 24


class Exact:
    """Needs nothing but the vectors: nothing to prepare, nothing to keep, nothing to tune."""

    exact: ClassVar[bool] = True

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
        """See :class:`indexer.engines.Engine`."""
        positions = np.empty((len(queries), k), np.int64)
        scores = np.empty((len(queries), k), np.float32)
        block = max(1, _BLOCK_SCORES // len(self._vectors))
        for start in range(0, len(queries), block):
            part = slice(start, start + block)
            products = queries[part] @ self._vectors.T
            best = np.argpartition(-products, k - 1, axis=1)[:, :k]
            order = np.argsort(-np.take_along_axis(products, best, 1), axis=1, kind="stable")
            positions[part] = np.take_along_axis(best, order, 1)
            scores[part] = np.take_along_axis(products, positions[part], 1)
        return positions, scores
