"""Figures of an evaluation, each with its interval, made of what came of the single queries."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .data import Relevance
from .errors import BadInputError
from .metrics import Outcomes
from .statistics import Interval, cluster_bootstrap, wilson

KS = (1, 2, 4, 8)
"""The K of Recall@K in the papers on fine-grained retrieval."""

INSTANCE_KS = (1, 5, 10)
"""The K of acc@K in the papers on fine-grained retrieval by sketches."""


@dataclass(frozen=True)
class Score:
    """One figure and how far it may be off.

    Attributes:
        name: "Recall@1", "MAP@R" and so on.
        value: Fraction in [0, 1].
        count: Queries it is a mean of.
        hits: Queries that count as 1, where each counts as 0 or 1.
        interval: 95 % Wilson interval, as if queries were independent; only where there are hits.
        clustered: 95 % bootstrap interval over classes, or over the photos that sketches look for;
            None with a single one.
    """

    name: str
    value: float
    count: int
    hits: int | None = None
    interval: Interval | None = None
    clustered: Interval | None = None

    def __str__(self) -> str:
        facts = [f"n {self.count}" if self.hits is None else f"{self.hits}/{self.count}"]
        if self.interval:
            facts.append(percent(*self.interval))
        if self.clustered:
            facts.append(f"clustered {percent(*self.clustered)}")
        return f"{self.name} {percent(self.value)}% ({', '.join(facts)})"


def percent(*values: float) -> str:
    """Fractions as percent, for print.

    Example:
        >>> percent(0.4612), percent(0.443, 0.479)
        ('46.1', '44.3-47.9')
    """
    return "-".join(f"{100 * value:.1f}" for value in values)


def default_ks(relevance: Relevance) -> tuple[int, ...]:
    """The K that papers report under a relevance.

    Example:
        >>> default_ks(Relevance.INSTANCE)
        (1, 5, 10)
    """
    return KS if relevance is Relevance.CLASS else INSTANCE_KS


def targets_name(relevance: Relevance) -> str:
    """What targets stand for: classes, or objects of which each is one."""
    return "classes" if relevance is Relevance.CLASS else "objects"


def recall_name(relevance: Relevance, k: int) -> str:
    """What the share of queries answered within the first ``k`` hits is called."""
    return f"{'Recall' if relevance is Relevance.CLASS else 'acc'}@{k}"


def values_of_queries(
    outcomes: Outcomes, relevance: Relevance, ks: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """What each judged query adds to each figure: (J,) numbers whose mean is the figure."""
    judged = outcomes.judged
    if not judged.any():
        raise BadInputError(
            "a query must have a right answer in the gallery; "
            f"got none in {len(outcomes)} queries. Check the targets."
        )
    recalls = {recall_name(relevance, k): outcomes.found(k).astype(np.float64) for k in ks}
    means = {
        "R-precision": outcomes.r_precision,
        "MAP@R": outcomes.average_precision_at_r,
        "mAP": outcomes.average_precision,
    }
    return {name: values[judged] for name, values in (recalls | means).items()}


def scores(
    outcomes: Outcomes,
    clusters: NDArray[np.int64],
    relevance: Relevance,
    ks: Sequence[int] = KS,
    *,
    seed: int = 0,
) -> tuple[Score, ...]:
    """Every figure with its intervals.

    Args:
        outcomes: Of Q queries.
        clusters: (Q,) Which queries are alike: their targets.
        relevance: Decides on the name of Recall@K.
        ks: The K of Recall@K.
        seed: Of the bootstrap.
    """
    values = values_of_queries(outcomes, relevance, ks)
    judged = clusters[outcomes.judged]
    columns = np.stack(list(values.values()), axis=1)
    several = len(np.unique(judged)) > 1
    ends = cluster_bootstrap(columns, judged, seed=seed).tolist() if several else None
    figures = []
    for place, (name, column) in enumerate(values.items()):
        clustered = (ends[place][0], ends[place][1]) if ends else None
        value, count = float(column.mean()), len(column)
        if place < len(ks):
            hits = int(column.sum())
            figures.append(Score(name, value, count, hits, wilson(hits, count), clustered))
        else:
            figures.append(Score(name, value, count, clustered=clustered))
    return tuple(figures)
