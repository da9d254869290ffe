"""A classifier on the test part of a benchmark."""

from collections.abc import Callable

import numpy as np

from .classifier import Classifier
from .classifying import classify_files
from .data import Benchmark
from .encoding import Rejection
from .errors import BadInputError
from .recognition import RecognitionReport, recognition_report


def recognise(
    classifier: Classifier,
    benchmark: Benchmark,
    *,
    batch_size: int = 32,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[RecognitionReport, list[Rejection]]:
    """What the classifier takes the queries of a benchmark for, and the files it could not read.

    Classes are met by name: the benchmark may number them as it likes. Pictures of classes that the
    classifier does not know are left out, and counted in a note.

    Args:
        classifier: In eval mode.
        benchmark: Its queries are the test part.
        batch_size: Pictures computed at once.
        on_progress: Called with each count of files that got done.

    Raises:
        BadInputError: The classifier knows none of the classes, or no picture can be read.
    """
    split = benchmark.query
    numbers = {name: number for number, name in enumerate(classifier.classes)}
    names = [split.name(index) for index in range(len(split))]
    known = [index for index, name in enumerate(names) if name in numbers]
    if not known:
        raise BadInputError(
            f"{benchmark.name} must test classes that the classifier knows; got none of them, such "
            f"as {names[0]!r}. Recognition needs a benchmark whose training and test part share "
            "their classes: see docs/recognition.md."
        )
    made = classify_files(
        classifier,
        [split.paths[index] for index in known],
        batch_size=batch_size,
        on_progress=on_progress,
    )
    if not len(made.kept):
        raise BadInputError(f"{benchmark.name} must have readable test pictures; got none.")
    targets = np.array([numbers[names[known[place]]] for place in made.kept], np.int64)
    strangers = len(names) - len(known)
    notes = [*benchmark.notes]
    if strangers:
        notes.append(
            f"{strangers} of {len(names)} test pictures are of classes that the classifier does "
            "not know; they are left out."
        )
    report = recognition_report(
        made.logits, targets, classifier.classes, classifier.temperature, notes
    )
    return report, made.rejected
