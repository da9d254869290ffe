"""Approximate engines for tests: which there are, and vectors that are as clustered as photos."""

import inspect
from typing import Any

import numpy as np

from indexer import backends
from indexer.collection import Vectors
from indexer.engines import TunableEngine
from retrieval import plugins
from tests.indexer.gallery import unit_rows

DIM = 32
COUNT = 2_400
MOST = 4_000
APPROXIMATE = [
    name
    for name in plugins.names(backends)
    if issubclass(plugins.find(backends, name), TunableEngine)
]
REFINING = [
    name
    for name in APPROXIMATE
    if "k_factor" in inspect.signature(plugins.find(backends, name)).parameters
]


def clustered(count: int = COUNT, *, seed: int = 0, dim: int = DIM) -> Vectors:
    """(count, dim) of norm 1 around sixty centres; fewer rows are the first of more."""
    rng = np.random.default_rng(seed)
    centres = unit_rows(np.random.default_rng(99), 60, dim)
    rows = centres[rng.integers(0, 60, MOST)] + 0.5 * unit_rows(rng, MOST, dim)
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit.astype(np.float32)[:count]


def made(name: str, vectors: Vectors, **options: Any) -> Any:
    facts: dict[str, Any] = {"vectors": vectors, "index": None, "on_progress": None}
    return plugins.build(backends, {"name": name, **options}, **facts)


def thorough(name: str, vectors: Vectors) -> Any:
    """The engine when it leaves nothing out: the furthest search, and every candidate refined."""
    wanted = {"k_factor": len(vectors)} if name in REFINING else {}
    engine = made(name, vectors, **wanted)
    return engine.tuned(engine.most())
