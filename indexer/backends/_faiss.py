"""What the approximate FAISS engines share: training, building, keeping, searching, refining.

An index only proposes candidates. Where its codes are coarse, ``k_factor`` times as many are
fetched and compared with the vectors themselves, in float32, before the best are handed on.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.collection import Vectors
from retrieval.errors import BadInputError

SMALLEST = 1_000
"""Fewer vectors than this are a plain list: there is nothing to train and nothing to leave out."""

MOST_ON_CARDS = 2_048
"""Most hits, and most lists, that FAISS takes on a graphics card."""

_CHUNK = 1 << 16  # rows added at once: bounds what FAISS needs beside the index
_SAMPLE_PER_LIST = 64  # FAISS asks for 39 and uses at most 256
_SMALLEST_SAMPLE = 1 << 14
_ROWS_PER_LIST = 39
_SEED = 0
_SIZES = (
    *("nlist", "code_size", "by_residual", "max_codes", "M", "M2", "ksub", "nbits"),
    *("bbs", "implem", "skip", "qbs", "qbs2", "qb", "centered"),
)
_QUANTIZER_SIZES = (
    "d",
    "code_size",
    "M",
    "nbits",
    "ksub",
    "dsub",
    "qtype",
    "metric_type",
    "nb_bits",
)
_SEARCHING = ("nprobe", "ef_search", "k_factor")
_BLOCK_FLOATS = 1 << 22  # gathered at once for refining: 16 MB

Index = Any  # FAISS's own type hints leave out most of what an index has
Progress = Callable[[int], None]
"""Called with the number of rows that got done since the last call."""


class FaissIndex(ABC):
    """An index that proposes candidates, and how many it is asked for.

    Training uses a sample drawn with a fixed seed: 64 rows for each list, at least 16,384 rows,
    or all there are. The same rows in the same order give the same index on the same machine with
    one thread; where a class says so, also with several.

    Args:
        vectors: (N, D).
        k_factor: Candidates fetched for each row that is asked for; above 1 they are refined.
        index: Prepared before for these vectors and options; built when left out.
        on_progress: Called while it is built.

    Raises:
        ValueError: ``index`` is of other vectors or options.
    """

    option: ClassVar[str]
    """What recall is bought with, an option of ``__init__`` that needs no new index."""

    def __init__(
        self,
        vectors: Vectors,
        *,
        k_factor: int = 1,
        index: Index | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self.k_factor = at_least("k_factor", k_factor, 1)
        self.exact = len(vectors) < SMALLEST
        self._vectors = vectors
        dim = vectors.shape[1]
        empty = faiss.IndexFlatIP(dim) if self.exact else self._empty(len(vectors), dim)
        if index is None:
            self._index = _built(empty, vectors, on_progress or (lambda count: None))
        else:
            _check(index, empty, vectors)
            self._index = index
        self._on_cards = on_cards(self._index) if self._runs_on_cards() else None

    @abstractmethod
    def _empty(self, count: int, dim: int) -> Index:
        """An untrained index for ``count`` rows of length ``dim``."""

    def _parameters(self) -> faiss.SearchParameters:
        """How far to look."""
        return faiss.SearchParameters()

    def _runs_on_cards(self) -> bool:
        """Whether FAISS can search this kind of index on graphics cards."""
        return False

    def search(
        self, queries: Vectors, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], Vectors]:
        """See :class:`indexer.engines.Engine`."""
        refining = self.k_factor > 1 and not self.exact
        fetched = min(len(self._vectors), k * self.k_factor) if refining else k
        index, parameters = self._index, self._parameters_for_size()
        if allowed is None and self._on_cards is not None and self._fits_cards(fetched):
            index = self._on_cards
        if allowed is not None:
            # FAISS copies neither the bits nor the selector: both have to live until it is done.
            bits = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
            parameters.sel = selector
        scores, found = searched(index, np.ascontiguousarray(queries), fetched, parameters)
        if refining:
            return _refined(self._vectors, queries, found, k)
        return found, scores

    def _fits_cards(self, fetched: int) -> bool:
        return max(fetched, getattr(self, "nprobe", 0)) <= MOST_ON_CARDS

    def _parameters_for_size(self) -> faiss.SearchParameters:
        return faiss.SearchParameters() if self.exact else self._parameters()

    @classmethod
    def tuned_option(cls) -> str:
        """See :class:`indexer.engines.TunableEngine`."""
        return cls.option

    @classmethod
    def built_with(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`indexer.engines.TunableEngine`."""
        return {name: value for name, value in options.items() if name not in _SEARCHING}

    def most(self) -> int:
        """See :class:`indexer.engines.TunableEngine`."""
        return len(self._vectors)

    def tuned(self, value: int) -> Self:
        """See :class:`indexer.engines.TunableEngine`."""
        other = copy.copy(self)
        setattr(other, self.option, value)
        return other

    def over(self, vectors: Vectors) -> Self:
        """See :class:`indexer.engines.TunableEngine`."""
        other = copy.copy(self)
        other._vectors = vectors
        return other

    def to_bytes(self) -> memoryview:
        """See :class:`indexer.engines.KeptEngine`."""
        # Never faiss.write_index: on a full disk it reports success for a file that is cut short.
        return faiss.serialize_index(self._index).data

    @classmethod
    def from_bytes(cls, data: bytes, vectors: Vectors, **options: Any) -> Self:  # noqa: ANN401
        """See :class:`indexer.engines.KeptEngine`."""
        index = _read(len(data), lambda: faiss.deserialize_index(np.frombuffer(data, np.uint8)))
        return cls(vectors, index=index, **options)

    @classmethod
    def from_file(cls, path: Path, vectors: Vectors, **options: Any) -> Self:  # noqa: ANN401
        """See :class:`indexer.engines.TunableEngine`."""
        size = path.stat().st_size
        index = _read(size, lambda: faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))
        return cls(vectors, index=index, **options)


def searched(
    index: Index, queries: Vectors, k: int, parameters: faiss.SearchParameters
) -> tuple[Vectors, NDArray[np.int64]]:
    """Scores and positions, (Q, k) each.

    Importing faiss.contrib.torch_utils, which pytorch-metric-learning does, replaces ``search`` by
    one that takes no parameters and keeps the other as ``search_numpy``.
    """
    search = getattr(index, "search_numpy", index.search)
    scores, positions = search(queries, k, params=parameters)
    return scores, positions


def at_least(option: str, value: int, least: int) -> int:
    """``value``, or an error that names the option."""
    if value < least:
        raise BadInputError(f"{option} must be at least {least}; got {value}.")
    return value


def one_of(option: str, value: int, known: tuple[int, ...]) -> int:
    """``value``, or an error that lists what there is."""
    if value not in known:
        wanted = " or ".join(str(one) for one in known)
        raise BadInputError(f"{option} must be {wanted}; got {value}.")
    return value


def list_count(wanted: int, count: int) -> int:
    """Lists for ``count`` rows: what was wanted, or 4 sqrt(N), as far as they can be trained."""
    return min(wanted or round(4 * count**0.5), max(1, count // _ROWS_PER_LIST))


def in_lists(
    make: Callable[..., Index],
    dim: int,
    lists: int,
    *options: Any,  # noqa: ANN401
) -> Index:
    """An index whose rows are shared out among the lists of their nearest centres."""
    index = make(faiss.IndexFlatIP(dim), dim, lists, *options)
    index.cp.spherical = True
    if gpu_count():
        index.clustering_index = faiss.index_cpu_to_all_gpus(faiss.IndexFlatIP(dim))
    return index


def lists_searched(nprobe: int) -> faiss.SearchParametersIVF:
    """Parameters of a search in so many lists."""
    parameters = faiss.SearchParametersIVF()
    parameters.nprobe = nprobe
    return parameters


def gpu_count() -> int:
    """How many graphics cards FAISS can use; 0 with faiss-cpu."""
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def on_cards(index: Index) -> Index | None:
    """A copy of the index on every graphics card; None where FAISS sees none."""
    return faiss.index_cpu_to_all_gpus(index) if gpu_count() else None


def _built(index: Index, vectors: Vectors, on_progress: Progress) -> Index:
    if not index.is_trained:
        index.train(_sample(vectors, getattr(index, "nlist", 1)))
    for start in range(0, len(vectors), _CHUNK):
        chunk = np.ascontiguousarray(vectors[start : start + _CHUNK])
        index.add(chunk)
        on_progress(len(chunk))
    return index


def _sample(vectors: Vectors, lists: int) -> Vectors:
    size = max(_SMALLEST_SAMPLE, _SAMPLE_PER_LIST * lists)
    if size >= len(vectors):
        return np.ascontiguousarray(vectors)
    rows = np.random.default_rng(_SEED).choice(len(vectors), size, replace=False)
    return np.ascontiguousarray(vectors[np.sort(rows)])


def _refined(
    vectors: Vectors, queries: Vectors, found: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], Vectors]:
    """The ``k`` best of the candidates by their own vectors; -1 stays at the end."""
    scores = np.empty(found.shape, np.float32)
    block = max(1, _BLOCK_FLOATS // (found.shape[1] * vectors.shape[1]))
    for start in range(0, len(queries), block):
        part = slice(start, start + block)
        scores[part] = np.einsum("qfd,qd->qf", vectors[found[part]], queries[part])
    scores[found < 0] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found, best, axis=1), np.take_along_axis(scores, best, axis=1)


def _read(size: int, read: Callable[[], Index]) -> Index:
    # Sizes in a file that was tampered with must not decide how much memory is asked for.
    faiss.set_deserialization_vector_byte_limit(size)
    faiss.set_deserialization_loop_limit(size)
    try:
        return read()
    except (RuntimeError, MemoryError) as error:
        raise ValueError(f"FAISS cannot read it: {error}") from error


def _check(index: Index, empty: Index, vectors: Vectors) -> None:
    """Raise unless ``index`` is ``empty`` filled with as many rows, each of them once."""
    wanted = (*_described(empty), len(vectors))
    got = (*_described(index), index.ntotal)
    if got != wanted:
        raise ValueError(f"it holds {got} where {wanted} is wanted")
    if isinstance(index, faiss.IndexFlat):
        kept = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d)
        if not np.array_equal(kept.reshape(index.ntotal, -1), vectors[np.arange(index.ntotal)]):
            raise ValueError("it holds other vectors where those of the collection are wanted")
    elif isinstance(index, faiss.IndexHNSW):
        if index.storage.ntotal != len(vectors) or index.hnsw.levels.size() != len(vectors):
            raise ValueError("it holds another number of nodes where one for each row is wanted")
    elif isinstance(index, faiss.IndexIVF) and not _each_row_once(index):
        raise ValueError("it holds other rows where each row of the collection once is wanted")


def _described(index: Index) -> tuple[object, ...]:
    """Of which kind an index is, and with which sizes it was made."""
    facts: list[object] = [type(index).__name__, index.metric_type, index.d]
    if isinstance(index, faiss.IndexHNSW):
        graph: Index = index.hnsw
        facts += [graph.nb_neighbors(0), *_described(faiss.downcast_index(index.storage))]
    if isinstance(index, faiss.IndexIVF):
        facts += [getattr(index, size, None) for size in _SIZES]
        lists: Index = index.invlists
        facts += [lists.nlist, lists.code_size]
        facts += [type(faiss.downcast_index(index.quantizer)).__name__, index.quantizer.d]
    for name in ("pq", "sq", "rabitq"):
        part = getattr(index, name, None)
        facts += [getattr(part, size, None) for size in _QUANTIZER_SIZES] if part else []
    return tuple(facts)


def _each_row_once(index: Index) -> bool:
    lists = index.invlists
    if index.quantizer.ntotal != index.nlist:
        return False
    seen = np.zeros(index.ntotal, bool)
    for number in range(index.nlist):
        ids = faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number))
        if len(ids) and not 0 <= ids.min() <= ids.max() < len(seen):
            return False
        seen[ids] = True
    return bool(seen.all())
