"""The nearest others of gallery images, found for those that somebody asks about."""

import numpy as np
from numpy.typing import NDArray

from .ranking import best_of_block, score_blocks

Lists = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Positions and cosine similarities, best first; -1 and minus infinity where there are no more."""


class Neighbours:
    """Lists of ``depth`` neighbours each, kept once found: 12 bytes for each of G x depth.

    Scores are those of :func:`retrieval.ranking.rank`: to six decimals, ties by gallery position.
    An image is not its own neighbour.

    Args:
        vectors: (G, D) float32, rows of norm 1.
        depth: Length of a list.
    """

    def __init__(self, vectors: NDArray[np.float32], depth: int) -> None:
        self._vectors = vectors
        self._indices = np.full((len(vectors), depth), -1, np.int64)
        self._scores = np.full((len(vectors), depth), -np.inf, np.float32)
        self._known = np.zeros(len(vectors), bool)

    def of(self, positions: NDArray[np.int64]) -> Lists:
        """The lists of gallery images: (M,) to (M, depth) positions and scores."""
        missing = np.unique(positions[~self._known[positions]])
        width = min(self._indices.shape[1], len(self._vectors))
        if len(missing) and width:
            wanted = self._vectors[missing]
            for start, block in score_blocks(wanted, self._vectors):
                some = slice(start, start + len(block))
                rows = missing[some]
                block[np.arange(len(block)), rows] = -np.inf
                found = best_of_block(block, wanted[some], self._vectors, width)
                self._indices[rows, :width], self._scores[rows, :width] = found
            self._known[missing] = True
        return self._indices[positions], self._scores[positions]
