"""Vectors and items for tests: the same for the same name, different for another one."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from indexer.collection import Item, SearchHit, Vectors

DIM = 16
FINGERPRINT = "encoder-a"


@lru_cache(1 << 14)
def vector_of(name: str, version: int = 0, dim: int = DIM) -> Vectors:
    """(dim,) of norm 1, read-only."""
    seed = hashlib.sha256(f"{name}/{version}".encode("utf-8", "surrogateescape")).digest()
    row = np.random.default_rng(list(seed)).standard_normal(dim).astype(np.float32)
    unit: Vectors = row / np.float32(np.linalg.norm(row))
    unit.flags.writeable = False
    return unit


def vectors_of(names: Sequence[str], version: int = 0, dim: int = DIM) -> Vectors:
    """(N, dim)."""
    rows = [vector_of(name, version, dim) for name in names]
    return np.stack(rows) if rows else np.empty((0, dim), np.float32)


def item_of(name: str, version: int = 0) -> Item:
    return Item(name, f"photos/{name}.jpg", f"class {len(name) % 3}", {"version": version})


def items_of(names: Sequence[str], version: int = 0) -> list[Item]:
    return [item_of(name, version) for name in names]


def unit_rows(rng: np.random.Generator, count: int, dim: int = DIM) -> Vectors:
    rows = rng.standard_normal((count, dim)).astype(np.float32)
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def answer_by_definition(
    vectors: Vectors, ids: Sequence[str], query: Vectors, k: int
) -> list[tuple[str, float]]:
    """The definition, in float64: score rounded to 1e-6 descending, id ascending."""
    scored = []
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    for score, id_ in zip(scores.tolist(), ids, strict=True):
        scored.append((-round(min(1.0, max(-1.0, score)) * 1e6), id_))
    return [(id_, -steps / 1e6) for steps, id_ in sorted(scored)[:k]]


def pairs(hits: Sequence[SearchHit]) -> list[tuple[str, float]]:
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    return [(hit.item.id, round(hit.score, 6)) for hit in hits]
