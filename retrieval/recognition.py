"""How often a classifier is right, and what it takes for what."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calibration import calibration_error, probabilities, surprise
from .checks import check_shape
from .figures import Score
from .statistics import cluster_bootstrap, wilson


def place_of_right(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the right class stands among all, from 1.

    A class with the same logit counts as before it, and so does everything where a logit is not a
    number: what cannot be compared is no hit.

    Args:
        logits: (N, K).
        targets: (N,) int64, 0..K-1.

    Example:
        >>> place_of_right(np.array([[0.1, 0.7, 0.2], [0.5, 0.5, 0.0]]), np.array([2, 0])).tolist()
        [2, 2]
    """
    check_shape("targets", targets, (len(logits),), "Give one target for each row.")
    right = logits[np.arange(len(targets)), targets][:, None]
    below: NDArray[np.int64] = (logits < right).sum(axis=1)
    places: NDArray[np.int64] = logits.shape[1] - below
    return places


@dataclass(frozen=True)
class ClassFigures:
    """One class of a test part.

    Attributes:
        name: Of the class.
        pictures: Of it that were tested.
        first: Of these, how many were recognised at once.
        five: How many had the class among the first five answers.
        stated: How many pictures of any class were called it.
    """

    name: str
    pictures: int
    first: int
    five: int
    stated: int


@dataclass(frozen=True)
class Confusion:
    """So many pictures of one class were called another."""

    right: str
    stated: str
    pictures: int


@dataclass(frozen=True)
class RecognitionReport:
    """What a classifier did on a test part; ``str()`` is one line in percent.

    Attributes:
        pictures: N, of classes that the classifier knows.
        scores: Top-1 and top-5: how often the right class was the first answer, or among the first
            five.
        surprise: Mean negative log-likelihood of the right classes, in nats.
        calibration_error: Expected calibration error of the first answer, a fraction.
        classes: Figures of each class that was tested, the least recognised first.
        confusions: Pairs of classes that were taken for one another, the most frequent first.
        notes: Sentences a reader of the figures must know.
    """

    pictures: int
    scores: tuple[Score, Score]
    surprise: float
    calibration_error: float
    classes: tuple[ClassFigures, ...]
    confusions: tuple[Confusion, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = [
            *map(str, self.scores),
            f"NLL {self.surprise:.3f}",
            f"ECE {self.calibration_error:.1%}",
        ]
        return "  ".join(words)

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON has it; fractions with their Wilson intervals."""
        return {
            "pictures": self.pictures,
            "scores": [vars(score) for score in self.scores],
            "negative_log_likelihood": self.surprise,
            "expected_calibration_error": self.calibration_error,
            "classes": [vars(one) for one in self.classes],
            "confusions": [vars(one) for one in self.confusions],
            "notes": list(self.notes),
        }


def recognition_report(
    logits: NDArray[np.float64],
    targets: NDArray[np.int64],
    classes: Sequence[str],
    temperature: float,
    notes: Sequence[str] = (),
) -> RecognitionReport:
    """Judge logits of pictures whose classes are known.

    Args:
        logits: (N, K).
        targets: (N,) int64, 0..K-1.
        classes: K names.
        temperature: Of the classifier.
        notes: Sentences for the report.
    """
    places, stated = place_of_right(logits, targets), logits.argmax(axis=1)
    tested = np.unique(targets)
    figures = [
        ClassFigures(
            classes[target],
            int((targets == target).sum()),
            int((places[targets == target] <= 1).sum()),
            int((places[targets == target] <= 5).sum()),
            int((stated == target).sum()),
        )
        for target in tested.tolist()
    ]
    wrong = Counter(
        (right, said)
        for right, said in zip(targets.tolist(), stated.tolist(), strict=True)
        if right != said
    )
    confusions = sorted(wrong.items(), key=lambda one: (-one[1], one[0]))
    return RecognitionReport(
        len(targets),
        (_score("top-1", places <= 1, targets), _score("top-5", places <= 5, targets)),
        surprise(logits, targets, temperature),
        calibration_error(probabilities(logits, temperature), targets),
        tuple(sorted(figures, key=lambda one: (one.first / one.pictures, one.name))),
        tuple(
            Confusion(classes[right], classes[said], count) for (right, said), count in confusions
        ),
        tuple(notes),
    )


def _score(name: str, right: NDArray[np.bool_], targets: NDArray[np.int64]) -> Score:
    several = len(np.unique(targets)) > 1
    ends = cluster_bootstrap(right.astype(np.float64)[:, None], targets)[0] if several else None
    return Score(
        name,
        float(right.mean()),
        len(right),
        int(right.sum()),
        wilson(int(right.sum()), len(right)),
        None if ends is None else (float(ends[0]), float(ends[1])),
    )
