"""Other libraries' indexes behind one door: built into a file, opened, searched.

Graphs are built alike everywhere: M = 32 edges, 200 candidates while building. The search effort
is the one number that trades time for recall; its ladder is climbed from the bottom.
"""

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.clustered import HITS, Positions, Rows

EDGES = 32
CANDIDATES = 200
EFS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
PROBES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
FACTORS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 100)
_AT_ONCE = 4096

Search = Callable[[Rows, int], Positions]  # queries, effort


@dataclass(frozen=True)
class Peer:
    """One index of one library.

    Attributes:
        library: Module that must be importable.
        words: What it is, for the table.
        effort: Name of the number that trades time for recall; empty where there is none.
        ladder: Its values, rising.
        build: (vectors, path, threads): makes the index and writes it.
        open: (path, threads): ready to search.
    """

    library: str
    words: str
    effort: str
    ladder: tuple[int, ...]
    build: Callable[[Rows, Path, int], None]
    open: Callable[[Path, int], Search]


def peers(count: int, dim: int) -> dict[str, Peer]:
    """Those whose library is here, by name."""
    lists = 2 ** round(np.log2(4 * count**0.5))  # 4,096 for a million
    codes = f"PQ{dim // 4}x4fs"
    graph = f"M {EDGES}, {CANDIDATES} candidates"
    known = {
        "plain_flat": _faiss("Flat", "", ()),
        "plain_sq8": _faiss("SQ8", "", ()),
        "plain_sqfp16": _faiss("SQfp16", "", ()),
        "plain_ivf": _faiss(f"IVF{lists},Flat", "nprobe", PROBES),
        "plain_ivf_sq8": _faiss(f"IVF{lists},SQ8", "nprobe", PROBES),
        "plain_pq": _faiss(f"{codes},RFlat", "k_factor_rf", FACTORS),
        "plain_hnsw": _faiss(f"HNSW{EDGES}", "efSearch", EFS),
        "hnswlib": Peer("hnswlib", f"hnswlib, {graph}", "ef", EFS, _build_hnswlib, _open_hnswlib),
        "usearch_f32": _usearch("f32", graph),
        "usearch_bf16": _usearch("bf16", graph),
        "qdrant_exact": _qdrant("exact", ()),
        "qdrant_hnsw": _qdrant("HNSW", EFS),
        "qdrant_int8": _qdrant("HNSW, int8, rescored", EFS),
    }
    return {name: peer for name, peer in known.items() if importlib.util.find_spec(peer.library)}


def _faiss(factory: str, effort: str, ladder: tuple[int, ...]) -> Peer:
    def build(vectors: Rows, path: Path, threads: int) -> None:
        import faiss

        faiss.omp_set_num_threads(threads)
        index: Any = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        if factory.startswith("HNSW"):
            index.hnsw.efConstruction = CANDIDATES
        if not index.is_trained:
            index.train(_sample(vectors))
        for start in range(0, len(vectors), _AT_ONCE * 16):
            index.add(vectors[start : start + _AT_ONCE * 16])
        faiss.write_index(index, str(path))

    def opened(path: Path, threads: int) -> Search:
        import faiss

        faiss.omp_set_num_threads(threads)
        index = faiss.read_index(str(path))

        def search(queries: Rows, value: int) -> Positions:
            if effort and value != search.value:  # type: ignore[attr-defined]
                faiss.ParameterSpace().set_index_parameter(index, effort, value)
                search.value = value  # type: ignore[attr-defined]
            found: Positions = index.search(queries, HITS)[1]
            return found

        search.value = 0  # type: ignore[attr-defined]
        return search

    return Peer("faiss", f"faiss {factory}", effort, ladder, build, opened)


def _sample(vectors: Rows) -> Rows:
    most = min(len(vectors), 200_000)
    return vectors[np.sort(np.random.default_rng(2).choice(len(vectors), most, replace=False))]


def _build_hnswlib(vectors: Rows, path: Path, threads: int) -> None:
    import hnswlib

    index = hnswlib.Index("ip", vectors.shape[1])
    index.init_index(len(vectors), EDGES, CANDIDATES)
    for start in range(0, len(vectors), _AT_ONCE):
        some = np.ascontiguousarray(vectors[start : start + _AT_ONCE])
        index.add_items(some, np.arange(start, start + len(some)), threads)
    index.save_index(str(path))


def _open_hnswlib(path: Path, threads: int) -> Search:
    import hnswlib

    dim = np.load(path.parents[1] / "vectors.npy", mmap_mode="r").shape[1]
    index = hnswlib.Index("ip", dim)
    index.load_index(str(path))

    def search(queries: Rows, value: int) -> Positions:
        index.set_ef(value)
        return np.asarray(index.knn_query(queries, HITS, threads)[0], np.int64)

    return search


def _usearch(kind: str, graph: str) -> Peer:
    def build(vectors: Rows, path: Path, threads: int) -> None:
        from usearch.index import Index

        index = Index(
            ndim=vectors.shape[1],
            metric="ip",
            dtype=kind,
            connectivity=EDGES,
            expansion_add=CANDIDATES,
        )
        for start in range(0, len(vectors), _AT_ONCE):
            some = vectors[start : start + _AT_ONCE]
            index.add(np.arange(start, start + len(some)), some, threads=threads)
        index.save(str(path))

    def opened(path: Path, threads: int) -> Search:
        from usearch.index import Index

        index: Any = Index.restore(str(path), view=False)

        def search(queries: Rows, value: int) -> Positions:
            index.expansion_search = value
            asked = queries[0] if len(queries) == 1 else queries
            keys = index.search(asked, HITS, threads=threads).keys
            return np.asarray(keys, np.int64).reshape(len(queries), -1)

        return search

    return Peer("usearch", f"usearch {kind}, {graph}", "ef", EFS, build, opened)


def _qdrant(kind: str, ladder: tuple[int, ...]) -> Peer:
    graph, codes = kind.startswith("HNSW"), "int8" in kind

    def config(edge: Any, dim: int, threads: int) -> Any:  # noqa: ANN401 - has no types of its own
        int8 = edge.ScalarQuantizationConfig(edge.ScalarType.Int8, always_ram=True)
        return edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(dim, edge.Distance.Dot),
            hnsw_config=edge.HnswIndexConfig(EDGES, CANDIDATES, 10_000, threads),
            quantization_config=int8 if codes else None,
            optimizers=edge.EdgeOptimizersConfig(
                default_segment_number=1,
                max_segment_size=2**32,
                indexing_threshold=10_000 if graph else 2**40,
            ),
            max_search_threads=threads,
            wal_enabled=False,
        )

    def build(vectors: Rows, path: Path, threads: int) -> None:
        import qdrant_edge as edge

        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        shard = edge.EdgeShard.create(str(path), config(edge, vectors.shape[1], threads))
        for start in range(0, len(vectors), _AT_ONCE):
            some = enumerate(vectors[start : start + _AT_ONCE].tolist(), start)
            points = [edge.Point(id=number, vector=row, payload={}) for number, row in some]
            shard.update(edge.UpdateOperation.upsert_points(points))
        shard.optimize()
        shard.flush()
        shard.close()

    def opened(path: Path, threads: int) -> Search:
        import qdrant_edge as edge

        dim = np.load(path.parents[1] / "vectors.npy", mmap_mode="r").shape[1]
        shard = edge.EdgeShard.load(str(path), config(edge, dim, threads))
        again = edge.QuantizationSearchParams(rescore=True, oversampling=2.0) if codes else None

        def search(queries: Rows, value: int) -> Positions:
            how = edge.SearchParams(
                hnsw_ef=value if graph else None, exact=not graph, quantization=again
            )
            asked = [
                edge.QueryRequest(limit=HITS, query=edge.Query.Nearest(row), params=how)
                for row in queries.tolist()
            ]
            if len(asked) == 1:
                answers = [shard.query(asked[0])]
            else:
                answers = shard.query_batch(edge.QueryBatchRequest(asked))
            return np.array([[point.id for point in answer] for answer in answers], np.int64)

        return search

    words = f"qdrant-edge {kind}" + (f", M {EDGES}, {CANDIDATES} candidates" if graph else "")
    return Peer("qdrant_edge", words, "ef" if graph else "", ladder, build, opened)
