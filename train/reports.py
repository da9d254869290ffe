"""What a run says about itself: a line for each epoch, and what came out."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from retrieval.errors import BadInputError


@dataclass(frozen=True)
class EpochReport:
    """One epoch; ``str()`` is the line for the person who waits.

    Attributes:
        epoch: From 1; 0 is the encoder before training.
        epochs: How many there will be.
        loss: Mean over the epoch's steps; None before training.
        hits: Validation queries whose nearest other picture is of their class.
        queries: Validation pictures; 0 when no class is held out.
        spread: Root mean squared distance of validation vectors from their mean.
        learning_rates: Of backbone, head and loss at the end of the epoch.
        images_per_second: While training, without validation.
        seconds: Training and validation.
        memory_mib: Most memory held so far; of the GPU where there is one.
        best: Whether this is the best epoch so far.
        map_at_r: MAP@R over the validation pictures, a fraction; of sketches, which have one right
            answer each, the mean of 1 / rank.
        figures: What the two validation figures are called.
    """

    epoch: int
    epochs: int
    loss: float | None
    hits: int
    queries: int
    spread: float
    learning_rates: dict[str, float]
    images_per_second: float
    seconds: float
    memory_mib: float
    best: bool
    map_at_r: float = 0.0
    figures: tuple[str, str] = ("Recall@1", "MAP@R")

    @property
    def recall_at_1(self) -> float | None:
        """A fraction; None when no class is held out."""
        return self.hits / self.queries if self.queries else None

    def __str__(self) -> str:
        width = len(str(self.epochs))
        words = [f"epoch {self.epoch:>{width}}/{self.epochs}"]
        words.append("untrained  " if self.loss is None else f"loss {self.loss:6.3f}")
        if self.recall_at_1 is not None:
            mark = "*" if self.best else " "
            first, second = self.figures
            words.append(f"{first} {self.recall_at_1:6.1%}{mark}({self.hits}/{self.queries})")
            words.append(f"{second} {self.map_at_r:5.1%}")
        if self.loss is not None:
            words.append(f"{self.images_per_second:5.0f} images/s")
        words += [f"{self.memory_mib / 1024:.1f} GiB", f"{self.seconds:.1f} s"]
        return "  ".join(words)

    def settings(self) -> dict[str, Any]:
        """One line of ``metrics.jsonl``."""
        return {**asdict(self), "recall_at_1": self.recall_at_1}


@dataclass(frozen=True)
class TrainResult:
    """What came out of a run.

    Attributes:
        folder: The run folder; ``folder / "best"`` is the encoder.
        finished: False when the run was asked to stop and can be resumed.
        reports: One for each epoch, the untrained encoder first.
        notes: Sentences a reader of the figures must know.
        seconds: All of it, since this process took the run up.
    """

    folder: Path
    finished: bool
    reports: tuple[EpochReport, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def encoder_folder(self) -> Path:
        """What ``retrieval.checkpoints.load_encoder`` takes."""
        return self.folder / "best"

    @property
    def best(self) -> EpochReport:
        """The epoch whose encoder was kept."""
        return [report for report in self.reports if report.best][-1]

    @property
    def untrained(self) -> EpochReport:
        """The encoder before training."""
        return self.reports[0]


def read_metrics(file: Path) -> list[EpochReport]:
    """The epochs that ``metrics.jsonl`` tells of.

    Raises:
        BadInputError: It is not what a run writes.
    """
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        known = {one.name for one in fields(EpochReport)}
        reports = [
            EpochReport(**{name: line[name] for name in known & set(line)}) for line in lines
        ]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInputError(
            f"{file} must be what fgir train wrote; got {type(error).__name__}: {error}. "
            "Leave it out."
        ) from error
    return reports
