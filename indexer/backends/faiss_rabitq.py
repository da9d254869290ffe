"""FAISS, one bit a coordinate."""

from typing import ClassVar

import faiss

from indexer.collection import Vectors

from ._faiss import FaissIndex, Index, Progress, at_least, in_lists, list_count


class FaissRabitq(FaissIndex):
    """The signs of the rotated row propose candidates; the full vectors decide among them.

    The smallest and the quickest to build of all. One bit tells little of short vectors: below
    about 256 coordinates ``faiss_ivf_pq`` is the better choice.

    Args:
        vectors: (N, D).
        nlist: Lists; 1 looks at every code, 0 means 4 sqrt(N).
        nprobe: Lists that a query looks into.
        k_factor: Candidates for each row that is asked for, refined with the full vectors.
        index: See :class:`FaissIndex`.
        on_progress: See :class:`FaissIndex`.

    References:
        Gao, Long, RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for
        approximate nearest neighbor search, SIGMOD 2024.
    """

    option: ClassVar[str] = "k_factor"

    def __init__(
        self,
        vectors: Vectors,
        *,
        nlist: int = 1,
        nprobe: int = 16,
        k_factor: int = 10,
        index: Index | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self._lists = list_count(at_least("nlist", nlist, 0), len(vectors))
        self.nprobe = at_least("nprobe", nprobe, 1)
        super().__init__(vectors, k_factor=k_factor, index=index, on_progress=on_progress)

    def _empty(self, count: int, dim: int) -> Index:
        metric = faiss.METRIC_INNER_PRODUCT
        return in_lists(faiss.IndexIVFRaBitQFastScan, dim, self._lists, metric)

    def _parameters(self) -> faiss.SearchParameters:
        parameters = faiss.IVFRaBitQSearchParameters()
        parameters.nprobe = self.nprobe
        return parameters
