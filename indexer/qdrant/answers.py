"""Hits of a server as answers: scored again in float64, and ordered as every collection orders.

A server scores in float32, and quantized vectors coarser than that; its order among nearly equal
scores is its own. So the vectors of the candidates come with them, each pair is scored again and
rounded to 1e-6, and equal scores are ordered by id. More candidates are fetched than hits are
wanted, so that the order at the end of the list is settled among those left out as well.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from qdrant_client import models

from indexer.collection import SearchHit, Vectors
from indexer.filters import Condition, matches
from indexer.rows import Row
from retrieval.errors import DamagedDataError
from retrieval.ranking import TIE

from .points import row_of_point, vector_of_point

_STEPS_IN_ONE = round(1 / TIE)
_FLOAT32_ROUNDING = 2.0**-24


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query found.

    Attributes:
        hits: At most k, best first.
        settled: Whether no point that was left out can belong among them, if the search was exact.
    """

    hits: list[SearchHit]
    settled: bool


def answer(
    query: Vectors,
    points: Sequence[models.ScoredPoint],
    k: int,
    *,
    asked: int,
    using: str,
    where: Condition | None,
    notice: Callable[[str], None],
) -> Answer:
    """The ``k`` best of the points a server returned.

    Args:
        query: (D,).
        points: With payload and the vector ``using``, best first as the server sees it.
        k: Hits wanted.
        asked: How many points the server was asked for.
        using: Name of the vector that was searched.
        where: What every hit has to match.
        notice: Told of points that cannot be shown.
    """
    scored: list[tuple[int, bytes, Row]] = []
    for point in points:
        try:
            row = row_of_point(point)
            vector = vector_of_point(point, len(query), using)
        except DamagedDataError as error:
            notice(f"left out of the answers: {error}")
            continue
        if where is not None and not matches(where, row.item()):
            continue
        product = float(vector.astype(np.float64) @ query.astype(np.float64))
        scored.append((-_steps(product), row.id, row))
    scored.sort(key=lambda one: one[:2])
    best = scored[:k]
    hits = [
        SearchHit(row.item(), -steps / _STEPS_IN_ONE, rank)
        for rank, (steps, _, row) in enumerate(best, 1)
    ]
    return Answer(hits, len(points) < asked or _is_settled(points, best, k, len(query)))


def _is_settled(
    points: Sequence[models.ScoredPoint], best: Sequence[tuple[int, bytes, Row]], k: int, dim: int
) -> bool:
    left_out = points[-1].score + 1.01 * dim * _FLOAT32_ROUNDING + TIE
    return len(best) == k and math.isfinite(left_out) and _steps(left_out) < -best[-1][0]


def _steps(product: float) -> int:
    return int(np.rint(np.clip(product, -1, 1) / TIE))
