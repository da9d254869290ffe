"""Images and what is known of them: the only shapes in which data enters the project."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape
from .errors import BadInputError


class Modality(StrEnum):
    """How a picture was made."""

    PHOTO = "photo"
    SKETCH = "sketch"


class Relevance(StrEnum):
    """What makes a gallery image a right answer, and so what the metric is called."""

    CLASS = "class"  # same sub-category: Recall@K (CUB-200-2011, Cars-196)
    INSTANCE = "instance"  # the very object drawn: acc@K (QMUL-Shoe, Sketchy)


@dataclass(frozen=True)
class Split:
    """N images of one modality; index i means the same image in every field.

    Attributes:
        paths: N image files.
        targets: (N,) int64. The class of image i, or the object it shows.
        names: The name of each target that occurs; a target without a name prints as its number.
        groups: Coarser groups by name, such as {"superclass": (N,) int64}.
    """

    paths: tuple[Path, ...]
    targets: NDArray[np.int64]
    modality: Modality = Modality.PHOTO
    names: Mapping[int, str] = field(default_factory=dict)
    groups: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_shape("targets", self.targets, (len(self.paths),), "Give one target for each path.")
        if self.targets.dtype != np.int64:
            raise BadInputError(f"targets must be int64; got {self.targets.dtype}.")
        for name, values in self.groups.items():
            check_shape(f"groups[{name!r}]", values, (len(self.paths),))

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """What the target of image ``index`` is called."""
        target = int(self.targets[index])
        return self.names.get(target, str(target))

    @property
    def num_classes(self) -> int:
        """How many different targets occur."""
        return len(np.unique(self.targets))


EMPTY = Split((), np.empty(0, np.int64))


@dataclass(frozen=True)
class Benchmark:
    """A question (queries), where to look (gallery), and what counts as right (relevance).

    Attributes:
        name: As it is printed in tables, such as "CUB-200-2011".
        query: Images to search with.
        gallery: Images to find. The same object as ``query`` when every image queries all others.
        train: What may be learned from; empty when the benchmark has no training part. None of its
            files occurs in query or gallery.
        train_sketches: Sketches to learn from together with ``train``, which then holds photos: a
            sketch and a photo with one target are a pair. Several sketches may show one photo.
        validation: Other photos of the classes of ``train`` that settings may be chosen on, where a
            data set names such a part; read by recognition.
        relevance: Same class, or same instance.
        class_disjoint: Promise that no class of ``train`` occurs in query or gallery.
        notes: Sentences a reader of the figures must know, such as counts that differ.
    """

    name: str
    query: Split
    gallery: Split
    train: Split = EMPTY
    relevance: Relevance = Relevance.CLASS
    class_disjoint: bool = False
    notes: tuple[str, ...] = ()
    train_sketches: Split = EMPTY
    validation: Split = EMPTY

    def __post_init__(self) -> None:
        self._check_pairs()
        self._check_validation()
        seen = {*self.train.paths, *self.train_sketches.paths, *self.validation.paths}
        leaked = sorted(seen & {*self.query.paths, *self.gallery.paths})
        if leaked:
            raise BadInputError(
                f"{self.name}: train must share no file with query or gallery; "
                f"got {len(leaked)} shared, such as {leaked[0]}."
            )
        if not self.same_images and set(self.query.paths) & set(self.gallery.paths):
            raise BadInputError(
                f"{self.name}: query and gallery must be one set or share no file; got some "
                "shared. Use the same split for both."
            )
        tested = {*self.query.targets.tolist(), *self.gallery.targets.tolist()}
        both = sorted(tested & set(self.train.targets.tolist()))
        if self.class_disjoint and both:
            raise BadInputError(
                f"{self.name}: classes of train must not occur in query or gallery; "
                f"got {len(both)} shared, such as {self.train.names.get(both[0], str(both[0]))!r}."
            )

    def _check_validation(self) -> None:
        """Raise unless it shows the classes of ``train`` in other photos."""
        shared = sorted(set(self.train.paths) & set(self.validation.paths))
        unknown = sorted(set(self.validation.targets.tolist()) - set(self.train.targets.tolist()))
        if shared or unknown:
            name = self.validation.names.get(unknown[0], str(unknown[0])) if unknown else shared[0]
            raise BadInputError(
                f"{self.name}: validation must show classes of train in other photos; got {name}."
            )

    def _check_pairs(self) -> None:
        """Raise unless every training sketch has a photo beside it."""
        if not len(self.train_sketches):
            return
        kinds = self.train.modality, self.train_sketches.modality
        if kinds != (Modality.PHOTO, Modality.SKETCH):
            raise BadInputError(
                f"{self.name}: train must be photos and train_sketches sketches; "
                f"got {kinds[0]} and {kinds[1]}."
            )
        shared = sorted(set(self.train.paths) & set(self.train_sketches.paths))
        if shared:
            raise BadInputError(
                f"{self.name}: train must share no file with train_sketches; "
                f"got {len(shared)} shared, such as {shared[0]}."
            )
        alone = ~np.isin(self.train_sketches.targets, self.train.targets)
        if alone.any():
            first = self.train_sketches.paths[int(np.argmax(alone))]
            raise BadInputError(
                f"{self.name}: train_sketches must show what photos of train show; "
                f"got {int(alone.sum())} that do not, such as {first}."
            )

    @property
    def same_images(self) -> bool:
        """Whether query and gallery are one set; then query i must not find itself."""
        return self.query is self.gallery
