"""The engines of indexer/backends, asked as a collection on disk asks them."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.speed.clustered import HITS, Rows, vectors_of
from benchmarks.speed.peers import EFS, FACTORS, PROBES
from indexer import backends
from indexer.engines import Engine, KeptEngine
from indexer.manifest import State
from indexer.rows import Row
from indexer.snapshot import Snapshot
from indexer.store import Content
from indexer.view import View
from retrieval import plugins

LADDERS = {"nprobe": PROBES, "ef_search": EFS, "k_factor": FACTORS}


def effort_of(name: str) -> str:
    """The option of an engine that trades time for recall; empty where there is none."""
    options = inspect.signature(plugins.find(backends, name)).parameters
    return next((one for one in LADDERS if one in options), "")


def build(name: str, vectors: Rows, path: Path) -> None:
    """Prepare an engine; what it keeps is written, or an empty file."""
    engine = plugins.find(backends, name)(vectors)
    path.write_bytes(engine.to_bytes() if isinstance(engine, KeptEngine) else b"")


def opened(name: str, path: Path) -> tuple[View, Engine]:
    """A collection's view over the folder's vectors, with ids of seven digits, and its engine."""
    vectors = vectors_of(path.parents[1])
    part: Any = plugins.find(backends, name)
    kept = issubclass(part, KeptEngine)
    engine = part.from_bytes(path.read_bytes(), vectors) if kept else part(vectors)
    rows = [Row(b"%07d" % number, b"", b"", b"{}", b"") for number in range(len(vectors))]
    content = Content(State(1, len(rows), ""), rows, vectors, [])
    return View(Snapshot(content), lambda _: engine), engine


def with_effort(engine: Engine, effort: str, value: int) -> None:
    """Set the option; a FAISS index inside is told as well, for it is also asked directly."""
    if not effort or getattr(engine, effort) == value:
        return
    setattr(engine, effort, value)
    index = getattr(engine, "_index", None)
    if index is not None:
        import faiss

        names = {"nprobe": "nprobe", "ef_search": "efSearch", "k_factor": "k_factor_rf"}
        faiss.ParameterSpace().set_index_parameter(index, names[effort], value)


def plain(engine: Engine) -> Callable[[Rows], object] | None:
    """The library's own search in the very index that our engine holds; None without one."""
    index = getattr(engine, "_index", None)
    return None if index is None else lambda queries: index.search(queries, HITS)
