"""Made-up galleries for the tests of re-ranking, and one way to ask about them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.local_descriptors import Columns, LocalDescriptors
from retrieval.ranking import rank
from retrieval.reranker import Reranker
from retrieval.reranking import Reranking

NOBODY = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Scene:
    """Pictures with vectors and maps; the maps have several sizes."""

    vectors: NDArray[np.float32]
    maps: list[Columns]

    def __len__(self) -> int:
        return len(self.vectors)

    def chosen(self, rows: NDArray[np.int64]) -> "Scene":
        return Scene(self.vectors[rows], [self.maps[row] for row in rows])


def scene(count: int, seed: int = 0, dim: int = 6) -> Scene:
    rng = np.random.default_rng(seed)
    return Scene(_unit(rng.random((count, dim)) ** 2), list(_columns(count, rng)))


def reranked(
    method: Reranking,
    queries: Scene,
    row: int,
    gallery: Scene,
    left_out: NDArray[np.int64] = NOBODY,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Candidates, as the first search orders them, and their new scores."""
    maps = LocalDescriptors(queries.maps), LocalDescriptors(gallery.maps)
    made = Reranker(
        method, queries.vectors, gallery.vectors, most_left_out=len(left_out), maps=maps
    )
    whole = rank(queries.vectors[row : row + 1], gallery.vectors, len(gallery))
    there = ~np.isin(whole.indices[0], left_out)
    nearest, scores = whole.indices[0][there][: made.reach], whole.scores[0][there][: made.reach]
    new = made(row, nearest, scores, left_out)
    return nearest[: len(new)], new


def _columns(count: int, rng: np.random.Generator) -> Iterator[Columns]:
    for _ in range(count):
        positions = int(rng.integers(3, 7))
        mask = rng.random(positions) < 0.5
        mask[rng.integers(positions)] = True
        yield _unit(rng.random((positions, 5))).astype(np.float16).astype(np.float32), mask


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
