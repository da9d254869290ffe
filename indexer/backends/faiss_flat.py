"""FAISS, exact inner product."""

from typing import ClassVar, Self, cast

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.collection import Vectors

from ._faiss import MOST_ON_CARDS, Index, on_cards, searched
from ._faiss import gpu_count as gpu_count


class FaissFlat:
    """``IndexFlatIP``: on unit rows the inner product is the cosine."""

    exact: ClassVar[bool] = True

    def __init__(self, vectors: Vectors) -> None:
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)
        self._on_cards: Index | None = on_cards(self._index)

    def search(
        self, queries: Vectors, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], Vectors]:
        """See :class:`indexer.engines.Engine`."""
        if allowed is None:
            cards = self._on_cards if k <= MOST_ON_CARDS else None
            scores, positions = (cards or self._index).search(queries, k)
            return positions, scores
        # FAISS copies neither the bits nor the selector: both have to live until it is done.
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        parameters = faiss.SearchParameters()
        parameters.sel = selector
        scores, positions = searched(self._index, queries, k, parameters)
        return positions, scores

    def to_bytes(self) -> memoryview:
        """See :class:`indexer.engines.KeptEngine`."""
        # Never faiss.write_index: on a full disk it reports success for a file that is cut short.
        return faiss.serialize_index(self._index).data

    @classmethod
    def from_bytes(cls, data: bytes, vectors: Vectors) -> Self:
        """See :class:`indexer.engines.KeptEngine`."""
        # Sizes in a file that was tampered with must not decide how much memory is asked for.
        faiss.set_deserialization_vector_byte_limit(len(data))
        faiss.set_deserialization_loop_limit(len(data))
        try:
            index = faiss.deserialize_index(np.frombuffer(data, np.uint8))
        except (RuntimeError, MemoryError) as error:
            raise ValueError(f"FAISS cannot read it: {error}") from error
        wanted = (faiss.IndexFlatIP, faiss.METRIC_INNER_PRODUCT, vectors.shape)
        got = (type(index), index.metric_type, (index.ntotal, index.d))
        if got != wanted:
            raise ValueError(f"it holds {got} where {wanted} is wanted")
        flat = cast(faiss.IndexFlatIP, index)
        kept = faiss.rev_swig_ptr(flat.get_xb(), vectors.size).reshape(vectors.shape)
        if not np.array_equal(kept, vectors):
            raise ValueError("it holds other vectors where those of the collection are wanted")
        engine = cls.__new__(cls)
        engine._index = flat
        engine._on_cards = on_cards(flat)
        return engine
