"""FAISS, every vector at half or a quarter of its size."""

from typing import ClassVar

import faiss

from indexer.collection import Vectors

from ._faiss import FaissIndex, Index, Progress, one_of

_KINDS = {8: faiss.ScalarQuantizer.QT_8bit, 16: faiss.ScalarQuantizer.QT_fp16}


class FaissSq(FaissIndex):
    """Comparison with every vector in 8 or 16 bits for each coordinate; next to exact.

    16 bits need no training and are the same index whatever the number of threads.

    Args:
        vectors: (N, D).
        bits: 8 or 16 for each coordinate.
        k_factor: Candidates for each row that is asked for, refined with the full vectors.
        index: See :class:`FaissIndex`.
        on_progress: See :class:`FaissIndex`.
    """

    option: ClassVar[str] = "k_factor"

    def __init__(
        self,
        vectors: Vectors,
        *,
        bits: int = 16,
        k_factor: int = 1,
        index: Index | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self._kind = _KINDS[one_of("bits", bits, tuple(_KINDS))]
        super().__init__(vectors, k_factor=k_factor, index=index, on_progress=on_progress)

    def _empty(self, count: int, dim: int) -> Index:
        return faiss.IndexScalarQuantizer(dim, self._kind, faiss.METRIC_INNER_PRODUCT)
