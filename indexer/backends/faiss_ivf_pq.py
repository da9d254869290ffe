"""FAISS, inverted lists of product-quantised vectors, scanned in registers."""

from typing import ClassVar

import faiss

from indexer.collection import Vectors
from retrieval.errors import BadInputError

from ._faiss import FaissIndex, Index, Progress, at_least, in_lists, list_count, lists_searched

_BITS = 4  # the codes that fast scan compares by table look-ups inside a register


class FaissIvfPq(FaissIndex):
    """``m`` codes of 4 bits a row propose candidates; the full vectors decide among them.

    With ``nlist=1`` every code is looked at, which costs little below a few hundred thousand rows
    and leaves nothing to the choice of lists.

    Args:
        vectors: (N, D).
        nlist: Lists; 0 for 4 sqrt(N). Never more than N / 39, which is what training needs.
        nprobe: Lists that a query looks into.
        m: Codes a row, a divisor of D; 0 for the smallest that leaves each at most 4 coordinates.
        k_factor: Candidates for each row that is asked for, refined with the full vectors.
        index: See :class:`FaissIndex`.
        on_progress: See :class:`FaissIndex`.

    References:
        Jegou, Douze, Schmid, Product quantization for nearest neighbor search, TPAMI 2011.
        Andre, Kermarrec, Le Scouarnec, Cache locality is not enough, VLDB 2015 (fast scan).
    """

    option: ClassVar[str] = "nprobe"

    def __init__(
        self,
        vectors: Vectors,
        *,
        nlist: int = 0,
        nprobe: int = 16,
        m: int = 0,
        k_factor: int = 10,
        index: Index | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self._lists = list_count(at_least("nlist", nlist, 0), len(vectors))
        self._codes = _codes(m, vectors.shape[1])
        self.nprobe = at_least("nprobe", nprobe, 1)
        super().__init__(vectors, k_factor=k_factor, index=index, on_progress=on_progress)

    def most(self) -> int:
        """All lists."""
        return self._lists

    def _empty(self, count: int, dim: int) -> Index:
        sizes = (self._codes, _BITS, faiss.METRIC_INNER_PRODUCT)
        return in_lists(faiss.IndexIVFPQFastScan, dim, self._lists, *sizes)

    def _parameters(self) -> faiss.SearchParameters:
        return lists_searched(self.nprobe)


def _codes(wanted: int, dim: int) -> int:
    divisors = [one for one in range(1, dim + 1) if dim % one == 0]
    if not wanted:
        return next(one for one in divisors if 4 * one >= dim)
    if wanted not in divisors:
        known = ", ".join(str(one) for one in divisors)
        raise BadInputError(f"m must divide the {dim} coordinates ({known}); got {wanted}.")
    return wanted
