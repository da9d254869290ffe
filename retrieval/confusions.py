"""Look-alikes: which classes are taken for one another, and by which queries."""

from dataclasses import dataclass

import numpy as np

from .evaluation_report import EvaluationReport


@dataclass(frozen=True)
class Confusion:
    """Two classes, the queries of each that have the other at rank 1.

    Attributes:
        first: Target of one class, the smaller one.
        second: Target of the other.
        first_rows: Positions of queries of ``first`` whose best hit is of ``second``.
        second_rows: Positions of queries of ``second`` whose best hit is of ``first``.
        first_count: Queries of ``first`` that have a right answer.
        second_count: Queries of ``second`` that have a right answer.
    """

    first: int
    second: int
    first_rows: tuple[int, ...]
    second_rows: tuple[int, ...]
    first_count: int
    second_count: int

    @property
    def hits(self) -> int:
        """Queries of both that are taken for the other."""
        return len(self.first_rows) + len(self.second_rows)

    @property
    def count(self) -> int:
        """Queries of both."""
        return self.first_count + self.second_count


def confusions(report: EvaluationReport, most: int) -> list[Confusion]:
    """The pairs of classes that are taken for one another most often.

    A query counts for the pair of its class and the class of its best hit, where these differ; only
    queries that have a right answer count. Pairs are ordered by these queries, then by their share
    of the queries of both classes, then by target.

    Args:
        report: With at least one hit of each query.
        most: Pairs to keep.
    """
    outcomes = report.outcomes
    if outcomes.hits.indices.shape[1] == 0:
        return []
    targets, best = report.query.targets, outcomes.hits.indices[:, 0]
    rows = np.flatnonzero(outcomes.judged & (best >= 0))
    found = report.gallery.targets[best[rows]]
    classes, counts = np.unique(targets[outcomes.judged], return_counts=True)
    asked = dict(zip(classes.tolist(), counts.tolist(), strict=True))
    pairs: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
    for row, right, other in zip(
        rows.tolist(), targets[rows].tolist(), found.tolist(), strict=True
    ):
        if right != other:
            pair = (min(right, other), max(right, other))
            pairs.setdefault(pair, ([], []))[int(right > other)].append(row)
    made = [
        Confusion(first, second, tuple(one), tuple(two), asked.get(first, 0), asked.get(second, 0))
        for (first, second), (one, two) in pairs.items()
    ]
    made.sort(key=lambda one: (-one.hits, -one.hits / one.count, one.first, one.second))
    return made[:most]
