"""How well strangers are told from known classes, to print, to draw and to keep."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import StorageError
from .evaluation_report import Rejected
from .figures import Score, percent
from .files import write_atomically
from .openset_metrics import (
    Values,
    accepted_unknown,
    auroc,
    auroc_interval,
    expected_calibration_error,
)
from .statistics import Interval, wilson

ALPHAS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Allowed shares of wrong refusals at which refusals are counted."""

TPR = 0.95
"""Share of known queries that pass where FPR@95 is read."""

P, P_BY_CLASS, PROBABILITY = "p", "p by class", "1 - P(none)"
"""Names of the scores that tell known from unknown."""

_TINY = np.finfo(np.float64).tiny  # where none is certain, no label is

FORMAT = 1
"""Raised when older programs could no longer read a report."""


@dataclass(frozen=True)
class Refusals:
    """How many queries are refused at one alpha.

    Attributes:
        by: :data:`P` or :data:`P_BY_CLASS`.
        alpha: Allowed share of wrong refusals.
        known: Known queries that are refused, which is wrong, of ``known_count``.
        known_count: All known queries.
        known_interval: 95 % Wilson interval of their share.
        unknown: Unknown queries that are refused, which is right, of ``unknown_count``.
        unknown_count: All unknown queries.
        unknown_interval: 95 % Wilson interval of their share.
    """

    by: str
    alpha: float
    known: int
    known_count: int
    known_interval: Interval
    unknown: int
    unknown_count: int
    unknown_interval: Interval

    def __str__(self) -> str:
        return (
            f"{self.by} <= {self.alpha:g}: "
            f"known refused {percent(self.known / self.known_count)}% "
            f"({self.known}/{self.known_count}, {percent(*self.known_interval)})  "
            f"unknown refused {percent(self.unknown / self.unknown_count)}% "
            f"({self.unknown}/{self.unknown_count}, {percent(*self.unknown_interval)})"
        )


@dataclass(frozen=True, eq=False)
class OpensetReport:
    """What became of queries of known and of unknown classes.

    Attributes:
        benchmark: Its name.
        targets: (Q,) int64, the true class of each query.
        known: (Q,) bool, whether the gallery has photos of it.
        surely_known: (Q,) float64 by name, larger is more surely known: p-values and probability.
        labels: (Q,) int64, class of the nearest photo.
        votes: (Q,) int64, the most likely class by the votes of neighbours.
        confidences: (Q,) float64, its probability.
        gallery: Sizes: photos, classes, and photos alone in their class.
        settings: Share of known classes, seed, k, T, b, tau.
        encoder: What is known of the encoder.
        run: Date, versions, hardware, commit, seconds.
        rejected: Files that are left out.
        notes: Sentences a reader of the figures must know.
    """

    benchmark: str
    targets: NDArray[np.int64]
    known: NDArray[np.bool_]
    surely_known: Mapping[str, Values]
    labels: NDArray[np.int64]
    votes: NDArray[np.int64]
    confidences: Values
    gallery: Mapping[str, int]
    settings: Mapping[str, Any] = field(default_factory=dict)
    encoder: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        """AUROC and FPR@95 of each score, then how often labels are right and probabilities off."""
        found = []
        for name, values in self.surely_known.items():
            known, unknown = values[self.known], values[~self.known]
            classes = self.targets[self.known], self.targets[~self.known]
            ends = auroc_interval(known, unknown, *classes, seed=int(self.settings.get("seed", 0)))
            area = auroc(known, unknown)
            found.append(Score(f"AUROC of {name}", area, len(self.known), clustered=ends))
            passed = accepted_unknown(known, unknown, TPR)
            found.append(_share(f"FPR@{100 * TPR:.0f} of {name}", passed, len(unknown)))
        asked = int(self.known.sum())
        for name, labels in (("nearest label", self.labels), ("voted label", self.votes)):
            right = int((labels == self.targets)[self.known].sum())
            found.append(_share(f"{name} right, known queries", right, asked))
        count = len(self.known)
        found.append(_share("label or none right, all queries", int(self.came_true.sum()), count))
        off = expected_calibration_error(self.stated, self.came_true)
        found.append(Score("ECE of label or none, all queries", off, count))
        off = expected_calibration_error(
            (self.confidences / np.maximum(self.surely_known[PROBABILITY], _TINY))[self.known],
            (self.votes == self.targets)[self.known],
        )
        return (*found, Score("ECE of label, known queries", off, asked))

    @property
    def stated(self) -> Values:
        """(Q,) the probability of what is said: the most likely label, or none."""
        return np.maximum(self.confidences, self._none)

    @property
    def came_true(self) -> NDArray[np.bool_]:
        """(Q,) whether what is said is true; none of unknown classes only."""
        says_none = self._none > self.confidences
        return np.where(says_none, ~self.known, self.votes == self.targets)

    @cached_property
    def refusals(self) -> tuple[Refusals, ...]:
        """Of known and of unknown queries at each of :data:`ALPHAS`."""
        return tuple(
            self.refusals_at(name, alpha)
            for name in (P, P_BY_CLASS)
            if name in self.surely_known
            for alpha in ALPHAS
        )

    def refusals_at(self, by: str, alpha: float) -> Refusals:
        """How many queries have a p-value of at most ``alpha``."""
        refused = self.surely_known[by] <= alpha
        wrong, right = int(refused[self.known].sum()), int(refused[~self.known].sum())
        asked, others = int(self.known.sum()), int((~self.known).sum())
        return Refusals(
            by,
            alpha,
            wrong,
            asked,
            wilson(wrong, asked),
            right,
            others,
            wilson(right, others),
        )

    def __str__(self) -> str:
        asked = int(self.known.sum())
        gallery = self.gallery
        lines = [
            f"{self.benchmark}, {self.encoder.get('name', 'encoder')}: {asked} queries of "
            f"{gallery['classes']} known classes ({gallery['photos']} photos), "
            f"{len(self.known) - asked} of others",
            *map(str, self.scores),
            *map(str, self.refusals),
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "format": FORMAT,
            "benchmark": self.benchmark,
            "gallery": dict(self.gallery),
            "settings": dict(self.settings),
            "scores": [asdict(score) for score in self.scores],
            "refusals": [asdict(one) for one in self.refusals],
            "encoder": dict(self.encoder),
            "run": dict(self.run),
            "rejected": [asdict(file) for file in self.rejected],
            "notes": list(self.notes),
            "queries": {
                "target": self.targets.tolist(),
                "known": self.known.tolist(),
                "label": self.labels.tolist(),
                "voted": self.votes.tolist(),
                "probability": self.confidences.tolist(),
                **{name: values.tolist() for name, values in self.surely_known.items()},
            },
        }

    def save(self, path: Path) -> None:
        """Write a JSON file; its folder is made if it is missing.

        Raises:
            StorageError: The disk is full, read-only or failing.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{path.parent} must be a folder to write to; got: {error.strerror}. "
                "Choose another."
            ) from error
        text = json.dumps(self.as_dict(), ensure_ascii=False, allow_nan=False)
        write_atomically(path, (text + "\n").encode("utf-8", "surrogateescape"))

    @property
    def _none(self) -> Values:
        return 1 - self.surely_known[PROBABILITY]


def _share(name: str, hits: int, count: int) -> Score:
    return Score(name, hits / count, count, hits, wilson(hits, count))
