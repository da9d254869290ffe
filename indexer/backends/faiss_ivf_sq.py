"""FAISS, inverted lists of scalar-quantised vectors."""

from typing import ClassVar

import faiss

from indexer.collection import Vectors

from ._faiss import (
    FaissIndex,
    Index,
    Progress,
    at_least,
    in_lists,
    list_count,
    lists_searched,
    one_of,
)

_KINDS = {8: faiss.ScalarQuantizer.QT_8bit, 16: faiss.ScalarQuantizer.QT_fp16}


class FaissIvfSq(FaissIndex):
    """As ``faiss_ivf_flat`` with 8 or 16 bits for each coordinate: less to read, less to keep.

    Args:
        vectors: (N, D).
        nlist: Lists; 0 for 4 sqrt(N). Never more than N / 39, which is what training needs.
        nprobe: Lists that a query looks into.
        bits: 8 or 16 for each coordinate.
        k_factor: Candidates for each row that is asked for, refined with the full vectors.
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
        bits: int = 8,
        k_factor: int = 2,
        index: Index | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self._lists = list_count(at_least("nlist", nlist, 0), len(vectors))
        self._kind = _KINDS[one_of("bits", bits, tuple(_KINDS))]
        self.nprobe = at_least("nprobe", nprobe, 1)
        super().__init__(vectors, k_factor=k_factor, index=index, on_progress=on_progress)

    def most(self) -> int:
        """All lists."""
        return self._lists

    def _empty(self, count: int, dim: int) -> Index:
        kind, metric = self._kind, faiss.METRIC_INNER_PRODUCT
        return in_lists(faiss.IndexIVFScalarQuantizer, dim, self._lists, kind, metric)

    def _parameters(self) -> faiss.SearchParameters:
        return lists_searched(self.nprobe)

    def _runs_on_cards(self) -> bool:
        return True
