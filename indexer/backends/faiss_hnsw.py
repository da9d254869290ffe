"""FAISS, a graph of neighbours over half-precision vectors."""

from typing import Any, ClassVar

import faiss

from indexer.collection import Vectors

from ._faiss import FaissIndex, Index, Progress, at_least

_faiss: Any = faiss  # its own type hints know neither of these two


class FaissHnsw(FaissIndex):
    """A query walks from neighbour to neighbour. Quick to ask, slow to build.

    Built by several threads the graph differs from run to run, with equal recall; one thread
    (``OMP_NUM_THREADS=1``) makes it the same each time.

    Args:
        vectors: (N, D).
        m: Neighbours of each row; twice as many on the lowest level.
        ef_construction: Rows looked at for the neighbours of a new one.
        ef_search: Rows kept in sight by a query, at least as many as it asks for.
        index: See :class:`FaissIndex`.
        on_progress: See :class:`FaissIndex`.

    References:
        Malkov, Yashunin, Efficient and robust approximate nearest neighbor search using
        hierarchical navigable small world graphs, TPAMI 2020.
    """

    option: ClassVar[str] = "ef_search"

    def __init__(
        self,
        vectors: Vectors,
        *,
        m: int = 32,
        ef_construction: int = 80,
        ef_search: int = 64,
        index: Index | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self._neighbours = at_least("m", m, 2)
        self._width = at_least("ef_construction", ef_construction, 1)
        self.ef_search = at_least("ef_search", ef_search, 1)
        super().__init__(vectors, index=index, on_progress=on_progress)

    def _empty(self, count: int, dim: int) -> Index:
        kind, metric = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        index: Index = _faiss.IndexHNSWSQ(dim, kind, self._neighbours, metric)
        index.hnsw.efConstruction = self._width
        return index

    def _parameters(self) -> faiss.SearchParameters:
        parameters: faiss.SearchParameters = _faiss.SearchParametersHNSW(efSearch=self.ef_search)
        return parameters
