"""A re-ranking together with the vectors it works on."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape, check_unit_rows
from .errors import BadInputError
from .neighbours import Neighbours
from .ranking import TIE
from .reranking import Gallery, Query, Reranking

if TYPE_CHECKING:  # imports PyTorch
    from .local_descriptors import LocalDescriptors


class Reranker:
    """Gives the first hits of each query new scores, and keeps the time.

    Attributes:
        reranking: The method.
        reach: Hits of the first search that must be handed in, where there are as many.

    Args:
        reranking: The method.
        queries: (Q, D) float32, rows of norm 1.
        gallery: (G, D) float32, rows of norm 1.
        most_left_out: Gallery images that one query leaves out at most.
        maps: Local descriptors of the queries and of the gallery, where the method needs them. The
            gallery's must hold all that can become candidates.

    Raises:
        BadInputError: Vectors that are no unit rows of one width, or local descriptors are missing.
    """

    def __init__(
        self,
        reranking: Reranking,
        queries: NDArray[np.float32],
        gallery: NDArray[np.float32],
        *,
        most_left_out: int = 0,
        maps: "tuple[LocalDescriptors, LocalDescriptors] | None" = None,
    ) -> None:
        check_shape("queries", queries, ("Q", gallery.shape[-1]), "One encoder makes both.")
        check_unit_rows("queries", queries)
        check_unit_rows("gallery", gallery)
        if reranking.needs_maps and maps is None:
            raise BadInputError(
                f"{reranking} must have local descriptors to compare; got vectors alone. "
                "Evaluate or search with files."
            )
        if maps is not None and maps[0].channels != maps[1].channels:
            raise BadInputError(
                f"{reranking} must have maps of one number of channels to compare; got "
                f"{maps[0].channels} of the queries and {maps[1].channels} of the gallery. Use a "
                "re-ranking that compares vectors."
            )
        self.reranking = reranking
        self.reach = max(reranking.candidates + 1, reranking.depth)
        depth = reranking.depth + most_left_out if reranking.depth else 0
        self._queries = queries
        self._query_maps = maps and maps[0]
        self._gallery = Gallery(gallery, Neighbours(gallery, depth), maps and maps[1])
        self._prepared, self._seconds, self._count = 0.0, 0.0, 0

    def prepare(self) -> None:
        """Find the neighbours of the whole gallery now, rather than of images as they are met."""
        started = time.perf_counter()
        if self.reranking.depth:
            self._gallery.neighbours.of(np.arange(len(self._gallery.vectors)))
        self._prepared += time.perf_counter() - started

    def __call__(
        self,
        query: int,
        nearest: NDArray[np.int64],
        scores: NDArray[np.float32],
        left_out: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """New scores of the first N hits, which all stand before the others.

        Candidates are as many as the method asks for, less those at the end that tie with the first
        one beyond: which of equals is a candidate would be decided by luck.

        Args:
            query: Its row.
            nearest: (F,) positions, best first, of the ``reach`` best hits or of all.
            scores: (F,) their cosine similarity to six decimals.
            left_out: (H,) positions that are not there for this query.

        Returns:
            (N,) in [-1, 1], multiples of 1e-6.
        """
        started = time.perf_counter()
        wanted = self.reranking.candidates
        count = min(wanted, len(nearest))
        if len(nearest) > wanted:
            count = int(np.count_nonzero(scores[:wanted] > scores[wanted]))
        vector = self._queries[query]
        asked = Query(vector, nearest, scores, count, left_out, query, self._query_maps)
        found = self.reranking.scores(asked, self._gallery) if count else np.empty(0)
        self._seconds += time.perf_counter() - started
        self._count += 1
        return np.round(found / TIE) * TIE

    def facts(self) -> dict[str, Any]:
        """What a report keeps: the method, and what it cost besides the first search."""
        return {
            "method": str(self.reranking),
            "settings": self.reranking.settings(),
            "prepare_seconds": round(self._prepared, 3),
            "ms_per_query": round(1000 * self._seconds / max(1, self._count), 3),
        }
