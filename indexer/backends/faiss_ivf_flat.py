"""FAISS, inverted lists of full vectors."""

from typing import ClassVar

import faiss

from indexer.collection import Vectors

from ._faiss import FaissIndex, Index, Progress, at_least, in_lists, list_count, lists_searched


class FaissIvfFlat(FaissIndex):
    """k-means shares the rows out among lists; a query looks into the nearest of them.

    Args:
        vectors: (N, D).
        nlist: Lists; 0 for 4 sqrt(N). Never more than N / 39, which is what training needs.
        nprobe: Lists that a query looks into; with all of them nothing is left out.
        index: See :class:`FaissIndex`.
        on_progress: See :class:`FaissIndex`.
    """

    option: ClassVar[str] = "nprobe"

    def __init__(
        self,
        vectors: Vectors,
        *,
        nlist: int = 0,
        nprobe: int = 16,
        index: Index | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self._lists = list_count(at_least("nlist", nlist, 0), len(vectors))
        self.nprobe = at_least("nprobe", nprobe, 1)
        super().__init__(vectors, index=index, on_progress=on_progress)

    def most(self) -> int:
        """All lists."""
        return self._lists

    def _empty(self, count: int, dim: int) -> Index:
        return in_lists(faiss.IndexIVFFlat, dim, self._lists, faiss.METRIC_INNER_PRODUCT)

    def _parameters(self) -> faiss.SearchParameters:
        return lists_searched(self.nprobe)

    def _runs_on_cards(self) -> bool:
        return True
