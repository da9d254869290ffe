"""Two encoders on the same queries: what one finds and the other does not, and whether by luck."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError
from .evaluation_report import EvaluationReport
from .figures import percent, recall_name, values_of_queries
from .statistics import Interval, cluster_bootstrap, mcnemar


@dataclass(frozen=True)
class Difference:
    """By how much B exceeds A in one figure.

    Attributes:
        name: Of the figure.
        first: A's value, a fraction.
        second: B's.
        interval: 95 % bootstrap interval of B - A over whole classes, the same classes drawn for
            both; None with a single class.
    """

    name: str
    first: float
    second: float
    interval: Interval | None

    @property
    def value(self) -> float:
        """B - A."""
        return self.second - self.first

    def __str__(self) -> str:
        text = f"{self.name}: {percent(self.first)}% to {percent(self.second)}%"
        text += f", {100 * self.value:+.1f} points"
        if self.interval:
            low, high = self.interval
            text += f" (clustered {100 * low:+.1f} to {100 * high:+.1f})"
        return text


@dataclass(frozen=True, eq=False)
class Comparison:
    """What came of comparing run B with run A.

    Attributes:
        first: Run A.
        second: Run B.
        k: Hits within which a right answer counts.
        won_rows: Positions of the queries that only B answers.
        lost_rows: Positions of the queries that only A answers.
        both: Number of queries that both answer.
        neither: Number of queries that neither answers.
        p_value: Of the exact McNemar test of ``won`` against ``lost``.
        differences: Recall@k first, then every figure that both runs have.
    """

    first: EvaluationReport
    second: EvaluationReport
    k: int
    won_rows: tuple[int, ...]
    lost_rows: tuple[int, ...]
    both: int
    neither: int
    p_value: float
    differences: tuple[Difference, ...]

    @property
    def won(self) -> list[str]:
        """Paths of the queries that only B answers."""
        return [self.second.query.paths[row].as_posix() for row in self.won_rows]

    @property
    def lost(self) -> list[str]:
        """Paths of the queries that only A answers."""
        return [self.first.query.paths[row].as_posix() for row in self.lost_rows]

    @property
    def verdict(self) -> str:
        """What the test says, in a sentence."""
        if self.p_value >= 0.05:
            return "these queries do not show that either is better."
        better = "B" if len(self.won_rows) > len(self.lost_rows) else "A"
        return f"{better} is better on queries like these; other classes may differ."

    def __str__(self) -> str:
        count = self.both + self.neither + len(self.won_rows) + len(self.lost_rows)
        name = recall_name(self.first.relevance, self.k)
        return "\n".join(
            [
                f"{self.first.benchmark}, {count} queries",
                f"A: {self.first.name or 'run A'}",
                f"B: {self.second.name or 'run B'}",
                f"{name}: both {self.both}, only A {len(self.lost_rows)}, "
                f"only B {len(self.won_rows)}, neither {self.neither}",
                f"exact McNemar p = {self.p_value:.2g}: {self.verdict}",
                *map(str, self.differences),
            ]
        )


def compare(
    first: EvaluationReport, second: EvaluationReport, *, k: int = 1, seed: int = 0
) -> Comparison:
    """Compare run B with run A, query by query.

    The McNemar test takes queries as independent. Queries of one class are not: where the clustered
    interval of the difference holds 0, another choice of classes might have turned it around.

    Args:
        first: Run A.
        second: Run B, on the same data.
        k: Hits within which a right answer counts.
        seed: Of the bootstrap.

    Raises:
        BadInputError: The runs are not of the same queries and gallery, or ``k`` is beyond it.
    """
    _check_same_data(first, second)
    found = [run.outcomes.found(k) for run in (first, second)]
    judged = first.outcomes.judged
    won, lost = np.flatnonzero(found[1] & ~found[0]), np.flatnonzero(found[0] & ~found[1])
    return Comparison(
        first,
        second,
        k,
        tuple(won.tolist()),
        tuple(lost.tolist()),
        int((found[0] & found[1]).sum()),
        int((judged & ~found[0] & ~found[1]).sum()),
        mcnemar(len(won), len(lost)),
        _differences(first, second, k, seed),
    )


def _differences(
    first: EvaluationReport, second: EvaluationReport, k: int, seed: int
) -> tuple[Difference, ...]:
    def columns(run: EvaluationReport) -> dict[str, NDArray[np.float64]]:
        return values_of_queries(run.outcomes, run.relevance, [k])

    a, b = columns(first), columns(second)
    clusters = first.query.targets[first.outcomes.judged]
    ends = None
    if len(np.unique(clusters)) > 1:
        changes = np.stack([b[name] - a[name] for name in a], axis=1)
        ends = cluster_bootstrap(changes, clusters, seed=seed).tolist()
    return tuple(
        Difference(
            name,
            float(a[name].mean()),
            float(b[name].mean()),
            (ends[place][0], ends[place][1]) if ends else None,
        )
        for place, name in enumerate(a)
    )


def _check_same_data(first: EvaluationReport, second: EvaluationReport) -> None:
    facts: dict[str, Callable[[EvaluationReport], Any]] = {
        "benchmark": lambda run: run.benchmark,
        "relevance": lambda run: str(run.relevance),
        "number of queries": lambda run: len(run.query),
        "size of the gallery": lambda run: len(run.gallery),
        "list of images and labels": lambda run: run.data.get("list"),
        "contents of the files": lambda run: run.data.get("contents"),
    }
    for name, fact in facts.items():
        a, b = fact(first), fact(second)
        if a is not None and b is not None and a != b:
            raise BadInputError(
                f"runs must be of the same queries and gallery; got another {name}: {a} and {b}. "
                "Evaluate both on the same data."
            )
    if not np.array_equal(first.outcomes.right_answers, second.outcomes.right_answers):
        raise BadInputError(
            "runs must leave out the same copies of queries; got other numbers of right answers. "
            "Evaluate both in the same way."
        )
