"""Comparison with every vector: the reference the other engines are measured against."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Vectors
from retrieval.ranking import best_of_gallery


class Exact:
    """Needs nothing but the vectors: nothing to prepare, nothing to keep, nothing to tune."""

    exact: ClassVar[bool] = True

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
        """See :class:`indexer.engines.Engine`."""
        return best_of_gallery(queries, self._vectors, k)
