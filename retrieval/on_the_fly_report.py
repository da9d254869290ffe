"""What an evaluation of unfinished drawings found, to print, to draw and to keep."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .charts import Curve
from .errors import BadInputError, DamagedDataError, StorageError
from .evaluation_report import Rejected
from .figures import INSTANCE_KS, Score, percent
from .files import write_atomically
from .statistics import Interval, cluster_bootstrap, wilson

STEPS = 20
"""Shares of the pen's way at which the papers look: 5 %, 10 % .. 100 %."""

MAX_STEPS = 1000
"""Most of them."""

TOP = 10
"""Hits that a person looks through."""

FORMAT = 1
"""Raised when older programs could no longer read a report."""

PERCENTILE, RECIPROCAL = "rank percentile", "1/rank"
"""Names of the curves whose areas are m@A and m@B."""


@dataclass(frozen=True, eq=False)
class OnTheFlyReport:
    """The rank of each drawing's photo while it is drawn, and the figures that follow from it.

    Attributes:
        benchmark: Its name.
        shares: (T,) rising, the last is 1. Of the pen's way.
        ranks: (Q, T) int64 in 1..gallery_size.
        strokes: (Q,) int64, strokes of each whole drawing.
        strokes_to_top: (Q,) int64, after how many the photo is among the first :data:`TOP` for
            good; 0 where it is not there in the end.
        targets: (Q,) int64. Drawings of one photo share it.
        sketches: Q paths.
        gallery_size: N, at least 2.
        whole_strokes: Whether a stroke was seen only once it was finished.
        seed: Of the bootstrap.
        encoder: What is known of the encoder.
        run: Date, versions, hardware, commit, seconds.
        rejected: Files that are left out.
        notes: Sentences a reader of the figures must know.

    Raises:
        BadInputError: Parts that do not fit together.
    """

    benchmark: str
    shares: NDArray[np.float64]
    ranks: NDArray[np.int64]
    strokes: NDArray[np.int64]
    strokes_to_top: NDArray[np.int64]
    targets: NDArray[np.int64]
    sketches: tuple[str, ...]
    gallery_size: int
    whole_strokes: bool = False
    seed: int = 0
    encoder: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count, steps = len(self.sketches), len(self.shares)
        shapes = [(count,)] * 3 + [(count, steps)]
        parts = [self.strokes, self.strokes_to_top, self.targets, self.ranks]
        fitting = [part.shape for part in parts] == shapes and count and steps
        if not fitting or not (np.diff(self.shares, prepend=0) > 0).all() or self.shares[-1] != 1:
            raise BadInputError(
                "a report must have ranks of each drawing at rising shares up to 1; got "
                f"{self.ranks.shape} ranks of {count} drawings at {steps} shares."
            )
        if not ((self.ranks >= 1) & (self.ranks <= self.gallery_size)).all():
            raise BadInputError(f"ranks must be in 1..{self.gallery_size}, the gallery's size.")
        to_top = self.strokes_to_top
        if self.gallery_size < 2 or not ((to_top >= 0) & (to_top <= self.strokes)).all():
            raise BadInputError(
                "a report must have a gallery of two or more and no more strokes to the top than "
                f"drawn; got a gallery of {self.gallery_size}."
            )

    @property
    def ks(self) -> tuple[int, ...]:
        """The K of acc@K."""
        return tuple(k for k in INSTANCE_KS if k <= self.gallery_size)

    @property
    def percentiles(self) -> NDArray[np.float64]:
        """(Q, T) (N - r) / (N - 1): 1 for rank 1, 0 for the last."""
        return (self.gallery_size - self.ranks) / (self.gallery_size - 1)

    @property
    def areas(self) -> NDArray[np.float64]:
        """(Q, 2) m@A and m@B of each drawing."""
        weights = np.diff(self.shares, prepend=0)
        return np.stack([self.percentiles @ weights, (1 / self.ranks) @ weights], axis=1)

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        """m@A, m@B, and acc@K of the whole drawings; clustered over the photos."""
        count = len(self.ranks)
        found = np.stack([self.ranks[:, -1] <= k for k in self.ks], axis=1)
        hits = found.sum(axis=0).tolist()
        means = [*self.areas.mean(axis=0).tolist(), *(one / count for one in hits)]
        clustered = self._intervals(np.concatenate([self.areas, found], axis=1))
        made = [
            Score(name, mean, count, clustered=ends)
            for name, mean, ends in zip(("m@A", "m@B"), means[:2], clustered[:2], strict=True)
        ]
        made += [
            Score(f"acc@{k}", mean, count, hit, wilson(hit, count), ends)
            for k, hit, mean, ends in zip(self.ks, hits, means[2:], clustered[2:], strict=True)
        ]
        return tuple(made)

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """acc@K, the mean rank percentile and the mean 1/rank over percent drawn, with bands."""
        columns = {f"acc@{k}": self.ranks <= k for k in self.ks}
        every = columns | {PERCENTILE: self.percentiles, RECIPROCAL: 1 / self.ranks}
        made = []
        for name, values in every.items():
            low, high = self._band(values)
            made.append(Curve(name, 100 * self.shares, values.mean(axis=0), low, high))
        return tuple(made)

    @cached_property
    def median_strokes(self) -> tuple[int | None, tuple[int | None, int | None]]:
        """After how many strokes half of all drawings have their photo in the first 10 for good.

        And the interval of that number: where the interval of the share that is there crosses one
        half. None stands for never.
        """
        most = max(1, int(self.strokes_to_top.max()))
        needed = np.where(self.strokes_to_top == 0, most + 1, self.strokes_to_top)
        there = needed[:, None] <= np.arange(1, most + 1)  # (Q, most)
        low, high = self._band(there)
        return _half(there.mean(axis=0)), (_half(high), _half(low))

    @property
    def title(self) -> str:
        """Benchmark and encoder in a few words."""
        name = self.encoder.get("name")
        return f"{self.benchmark}, {name}" if name else self.benchmark

    def __str__(self) -> str:
        seen = "whole strokes" if self.whole_strokes else "of the pen's way"
        return (
            f"{self.title}, on the fly in {len(self.shares)} steps ({seen}): "
            + "  ".join(map(str, self.scores))
            + f"  {self.strokes_sentence()}"
        )

    def strokes_sentence(self) -> str:
        """How many strokes it takes, in words."""
        median, (low, high) = self.median_strokes
        drawn = float(np.median(self.strokes))
        if median is None:
            return f"fewer than half of the drawings get into the first {TOP} for good"
        ends = "-".join("never" if end is None else str(end) for end in (low, high))
        return (
            f"half of the drawings are in the first {TOP} for good after {median} strokes "
            f"({ends}; drawn: {drawn:g})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        median, interval = self.median_strokes
        return {
            "format": FORMAT,
            "benchmark": self.benchmark,
            "gallery_size": self.gallery_size,
            "whole_strokes": self.whole_strokes,
            "seed": self.seed,
            "shares": self.shares.tolist(),
            "scores": [asdict(score) for score in self.scores],
            "strokes_until_top": {"top": TOP, "median": median, "interval": interval},
            "curves": {
                curve.name: [curve.values.tolist(), curve.low.tolist(), curve.high.tolist()]
                for curve in self.curves
            },
            "encoder": dict(self.encoder),
            "run": dict(self.run),
            "rejected": [asdict(file) for file in self.rejected],
            "notes": list(self.notes),
            "drawings": [
                {"sketch": name, "target": target, "strokes": count, "to_top": top, "ranks": row}
                for name, target, count, top, row in zip(
                    self.sketches,
                    self.targets.tolist(),
                    self.strokes.tolist(),
                    self.strokes_to_top.tolist(),
                    self.ranks.tolist(),
                    strict=True,
                )
            ],
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

    @staticmethod
    def load(path: Path) -> "OnTheFlyReport":
        """Read what :meth:`save` wrote; figures are made again from the ranks.

        Raises:
            BadInputError: There is no report, or a newer program wrote it.
            DamagedDataError: The file is not what was written.
        """
        try:
            about = json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
        except OSError as error:
            raise BadInputError(
                f"{path} must be a report of unfinished drawings; got: {error.strerror}. "
                "Check the path."
            ) from error
        except (ValueError, RecursionError) as error:
            raise _damaged(path, "no JSON") from error
        try:
            if int(about["format"]) == FORMAT:
                return _report(about)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _damaged(path, f"{type(error).__name__} {error}") from error
        raise BadInputError(
            f"{path} must be of format {FORMAT}; got {about['format']}. "
            "Use the program that wrote it, or a newer one."
        )

    def _intervals(self, values: NDArray[Any]) -> list[Interval | None]:
        """The interval of each column's mean; none where all drawings show one photo."""
        if len(np.unique(self.targets)) < 2:
            return [None] * values.shape[1]
        ends = cluster_bootstrap(values.astype(np.float64), self.targets, seed=self.seed)
        return [(low, high) for low, high in ends.tolist()]

    def _band(self, values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper ends of each column's mean, the mean itself where nothing is known."""
        means = values.mean(axis=0).tolist()
        ends = [
            one or (mean, mean) for one, mean in zip(self._intervals(values), means, strict=True)
        ]
        low, high = np.array(ends, np.float64).T
        return low, high


def summary(report: OnTheFlyReport) -> list[tuple[str, str, str]]:
    """The scores as name, value and interval, and the strokes it takes."""
    rows = [
        (one.name, f"{percent(one.value)}%", percent(*one.clustered) if one.clustered else "")
        for one in report.scores
    ]
    median, (low, high) = report.median_strokes
    ends = "-".join("never" if end is None else str(end) for end in (low, high))
    return [*rows, (f"strokes to the first {TOP}", str(median or "never"), ends)]


def _half(shares: NDArray[np.float64]) -> int | None:
    """The first count of strokes, from 1, at which one half is reached."""
    reached = np.flatnonzero(shares >= 0.5)
    return int(reached[0]) + 1 if len(reached) else None


def _report(about: dict[str, Any]) -> OnTheFlyReport:
    drawings = about["drawings"]

    def column(name: str) -> NDArray[np.int64]:
        return np.array([one[name] for one in drawings], np.int64)

    return OnTheFlyReport(
        benchmark=about["benchmark"],
        shares=np.array(about["shares"], np.float64),
        ranks=column("ranks"),
        strokes=column("strokes"),
        strokes_to_top=column("to_top"),
        targets=column("target"),
        sketches=tuple(str(one["sketch"]) for one in drawings),
        gallery_size=int(about["gallery_size"]),
        whole_strokes=bool(about["whole_strokes"]),
        seed=int(about["seed"]),
        encoder=about["encoder"],
        run=about["run"],
        rejected=tuple(Rejected(**one) for one in about["rejected"]),
        notes=tuple(about["notes"]),
    )


def _damaged(path: Path, why: str) -> DamagedDataError:
    return DamagedDataError(
        f"{path} must be what fgir on-the-fly wrote; got {why}. Evaluate again."
    )
