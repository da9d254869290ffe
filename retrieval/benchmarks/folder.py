"""Your own photos: one folder a class.

Everything below a class's folder belongs to the class, however deep. By default every photo queries
all others. With ``test_share`` a part of the classes is set aside for learning, so that a trained
encoder is measured on classes it has not seen. With ``learned_share`` a part of the photos of every
class is set aside instead, so that a classifier is measured on new photos of classes it knows.

Source: your photos.
Licence: whatever theirs is.
"""

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..data import EMPTY, Benchmark, Split
from ..errors import BadInputError
from ..images import is_image_name
from ..photo_root import PhotoRoot
from . import _notes


def read(
    root: Path, *, test_share: float = 1.0, seed: int | None = None, learned_share: float = 0.0
) -> Benchmark:
    """Read the folders below ``root``.

    Files that are no pictures by their name, hidden files and folders, links to the outside and
    folders that cannot be opened are left out and noted. Whether a picture can be decoded is seen
    when it is.

    Args:
        root: A folder of class folders.
        test_share: Share of the classes that are tested, in (0, 1]; the others are for learning.
        seed: None takes the last classes in alphabetical order for the test, as CUB-200-2011 does;
            a number takes a random choice that is the same for the same number and class names.
        learned_share: Share of the photos of each class that are for learning, in [0, 1); of two
            photos or more one at least is on each side. ``seed`` decides which ones.

    Raises:
        BadInputError: No folder, no pictures below it, or a share that leaves no class on one side.
    """
    root = Path(root)
    if not root.is_dir():
        raise BadInputError(f"{root} must be a folder of class folders; got no such folder.")
    found = _Walk(root)
    found.everything()
    if not found.photos:
        raise BadInputError(
            f"{root} must hold one folder a class with pictures in it; got none. "
            "Put them in folders named like their classes."
        )
    labels = sorted(found.photos)
    if learned_share:
        return _shared(root, found, labels, test_share, learned_share, seed or 0)
    tested = _tested(labels, test_share, seed)
    test = _split(found, labels, tested)
    learned = set(labels) - tested
    return Benchmark(
        name=root.resolve().name,
        query=test,
        gallery=test,
        train=_split(found, labels, learned) if learned else EMPTY,
        class_disjoint=bool(learned),
        notes=(
            *found.notes(),
            *_notes.differ_only_in_case(labels),
            *_notes.unanswerable(test, test),
        ),
    )


def _shared(
    root: Path,
    found: "_Walk",
    labels: Sequence[str],
    test_share: float,
    learned_share: float,
    seed: int,
) -> Benchmark:
    """Every class on both sides, with different photos."""
    if not 0 < learned_share < 1 or test_share != 1:
        raise BadInputError(
            "learned_share must be in [0, 1), without test_share; got "
            f"{learned_share} and test_share {test_share}. Divide classes or photos."
        )
    learned, tested = _Walk(root), _Walk(root)
    for label in labels:
        photos = sorted(found.photos[label])
        random.Random(f"{seed} {label}").shuffle(photos)
        count = min(max(1, round(learned_share * len(photos))), max(1, len(photos) - 1))
        learned.photos[label], tested.photos[label] = sorted(photos[:count]), sorted(photos[count:])
    test = _split(tested, labels, {label for label in labels if tested.photos[label]})
    return Benchmark(
        name=root.resolve().name,
        query=test,
        gallery=test,
        train=_split(learned, labels, set(labels)),
        notes=(*found.notes(), *_notes.differ_only_in_case(labels)),
    )


def _tested(labels: Sequence[str], share: float, seed: int | None) -> set[str]:
    if not 0 < share <= 1:
        raise BadInputError(f"test_share must be in (0, 1]; got {share}.")
    count = round(len(labels) * share)
    if count == 0 or (share < 1 and count == len(labels)):
        raise BadInputError(
            f"test_share must leave a class on both sides; got {share} of {len(labels)} classes."
        )
    order = list(labels)
    if seed is not None:
        random.Random(seed).shuffle(order)
    return set(order[-count:])


def _split(found: "_Walk", labels: Sequence[str], chosen: set[str]) -> Split:
    """Photos of the chosen classes; a class has the same number in every split."""
    pairs = [
        (path, target)
        for target, label in enumerate(labels)
        if label in chosen
        for path in found.photos[label]
    ]
    return Split(
        tuple(path for path, _ in pairs),
        np.array([target for _, target in pairs], dtype=np.int64),
        names={target: label for target, label in enumerate(labels) if label in chosen},
    )


@dataclass
class _Walk:
    """What lies below a folder: pictures by class, and what was left out."""

    root: Path
    photos: dict[str, list[Path]] = field(default_factory=dict)
    outside_classes: list[Path] = field(default_factory=list)
    no_pictures: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)

    def everything(self) -> None:
        keep = PhotoRoot(self.root)
        for folder, folders, files in os.walk(self.root, onerror=self._closed):
            place = Path(folder)
            folders[:] = sorted(name for name in folders if name[0] != "." and name != "__MACOSX")
            self.links += [place / name for name in folders if (place / name).is_symlink()]
            for name in sorted(files):
                if name[0] != ".":
                    self._take(place / name, keep)

    def _closed(self, error: OSError) -> None:
        self.unreadable.append(Path(str(error.filename)))

    def _take(self, path: Path, keep: PhotoRoot) -> None:
        parts = path.relative_to(self.root).parts
        if not is_image_name(path):
            self.no_pictures.append(path)
        elif len(parts) == 1:
            self.outside_classes.append(path)
        elif path.is_symlink() and not keep.holds(path):
            self.links.append(path)
        elif not path.is_file() or not os.access(path, os.R_OK):
            self.unreadable.append(path)
        else:
            self.photos.setdefault(parts[0], []).append(path)

    def notes(self) -> list[str]:
        left_out = [
            (self.no_pictures, "files that are no pictures by their name were left out"),
            (self.outside_classes, "pictures outside every class folder were left out"),
            (self.links, "links to folders or to the outside were left out"),
            (self.unreadable, "files or folders cannot be read and were left out"),
        ]
        return [_notes.some(len(paths), what, paths) for paths, what in left_out if paths]
