"""The training part of a benchmark, divided into what is learned from and what is validated on."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from retrieval import benchmarks
from retrieval.data import Benchmark, Split
from retrieval.encoder import Encoder
from retrieval.errors import BadInputError

from .config import TrainConfig
from .pictures import Pictures
from .validation import Validation, split_classes

PicturesT = TypeVar("PicturesT")


@dataclass(frozen=True)
class TrainingData(Generic[PicturesT]):
    """What a run works on.

    Attributes:
        pictures: N of them, or of pairs.
        targets: (N,) int64, 0..C-1 in the order of the benchmark's targets.
        num_classes: C.
        superclasses: The superclass of each class, where the benchmark has them.
        validation: Pictures of held-out classes; None when nothing is held out.
        sha256: Of file names and targets: the same data make the same run.
        notes: Sentences about pictures that were left out.
    """

    pictures: PicturesT
    targets: NDArray[np.int64]
    num_classes: int
    superclasses: list[int] | None
    validation: Validation | None
    sha256: str
    notes: tuple[str, ...]

    def counts(self, name: str) -> dict[str, Any]:
        """How much there is to learn from, for whoever reads the run folder."""
        return {"name": name, "classes": self.num_classes, "pictures": len(self.targets)}


def read_benchmark(config: TrainConfig) -> Benchmark:
    """The benchmark that a recipe names.

    Raises:
        BadInputError: Unknown name, no root, or data that are not what the benchmark says.
    """
    options = dict(config.benchmark)
    name, root = options.pop("name"), options.pop("root", None)
    if not isinstance(root, str):
        raise BadInputError(
            "benchmark.root must be the folder of the data; got none. "
            "Give it with --set benchmark.root=FOLDER."
        )
    return benchmarks.read(name, Path(root), options)


def prepare(config: TrainConfig, benchmark: Benchmark, encoder: Encoder) -> TrainingData[Pictures]:
    """Hold classes out, decode the rest, number its classes from 0.

    Raises:
        BadInputError: No training part, or too few classes or readable pictures.
    """
    split = benchmark.train
    if not len(split):
        raise BadInputError(
            f"{benchmark.name} must have a training part; got none. Take a benchmark with one."
        )
    learned, held_out = split_classes(split.targets, config.validation_share, config.seed)
    paths = [split.paths[i] for i in learned]
    pictures = Pictures(paths, encoder.transform, config.run.cache_mib, config.run.threads)
    shown = learned[pictures.kept]
    classes, targets = np.unique(split.targets[shown], return_inverse=True)
    validation = None
    if len(held_out):
        validation = Validation(
            [split.paths[i] for i in held_out], split.targets[held_out], encoder.transform
        )
    return TrainingData(
        pictures,
        targets.astype(np.int64),
        len(classes),
        superclasses_of(split, shown),
        validation,
        sha256_of(split),
        tuple(f"left out: {sentence}" for sentence in pictures.rejected),
    )


def superclasses_of(split: Split, rows: NDArray[np.int64]) -> list[int] | None:
    """The superclass of each class that occurs in these rows, in the order of the classes.

    None where the benchmark has no superclasses.
    """
    above = split.groups.get("superclass")
    if above is None:
        return None
    _, first = np.unique(split.targets[rows], return_index=True)
    return [int(group) for group in above[rows][first]]


def sha256_of(split: Split) -> str:
    """SHA-256 of the file names, from their common folder on, and the targets of a split."""
    root = os.path.commonpath([str(path.parent) for path in split.paths])
    digest = hashlib.sha256(split.targets.tobytes())
    for path in split.paths:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
    return digest.hexdigest()
