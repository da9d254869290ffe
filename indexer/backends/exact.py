"""Comparison with every vector: the reference the other engines are measured against."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Vectors
from retrieval.ranking import best_of_block, score_blocks


class Exact:
    """Needs nothing but the vectors: nothing to prepare, nothing to keep, nothing to tune."""

    exact: ClassVar[bool] = True

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
        """See :class:`indexer.engines.Engine`."""
        positions = np.empty((len(queries), k), np.int64)
        scores = np.empty((len(queries), k), np.float32)
        for start, block in score_blocks(queries, self._vectors):
            rows = slice(start, start + len(block))
            best = best_of_block(block, queries[rows], self._vectors, k)
            positions[rows], scores[rows] = best
        return positions, scores
