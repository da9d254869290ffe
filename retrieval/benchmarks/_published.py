"""What published data sets share: finding their files, and saying what is missing and where it is.

A figure on a benchmark means something only if the copy is the published one, so the numbers of
images and classes are checked by default. ``counts=any`` reads another copy and notes how it
differs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data import EMPTY, Benchmark, Relevance, Split
from ..errors import BadInputError
from ..figures import targets_name
from ..images import is_image_name
from ..photo_root import PhotoRoot
from ..plugins import unknown
from . import _notes

COUNTS = ("official", "any")
"""Whether a copy must have the published numbers of images and classes."""

Counts = Mapping[str, tuple[int, int]]
"""Images and classes of each part, by the name of the part."""


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes:
        name: As it is printed.
        page: Its home page.
        get: What to take from there.
        terms: What its makers allow, in a few words.
    """

    name: str
    page: str
    get: str
    terms: str


@dataclass(frozen=True)
class Photo:
    """One listed photo.

    Attributes:
        path: Where it is.
        target: Its class.
        group: Its coarser class, where the data set has one.
    """

    path: Path
    target: int
    group: int = 0


class Layout:
    """The unpacked folder of one published data set.

    Args:
        source: What it is.
        root: What the user gave: the unpacked folder, or the folder it was unpacked in.
        markers: Files or folders of which one tells that this is the data set.
        inner: Name of the folder that the archive unpacks into.

    Attributes:
        root: The folder that holds the marker.
        marker: The one that was found.
        missing: Listed photos that are not there.

    Raises:
        BadInputError: None of ``markers`` is there.
    """

    def __init__(self, source: Source, root: Path, *markers: str, inner: str) -> None:
        self.source = source
        places = [(place, m) for place in (root, root / inner) for m in markers]
        found = next(((place, m) for place, m in places if (place / m).exists()), None)
        if found is None:
            raise BadInputError(
                f"{source.name}: {root} must hold {' or '.join(markers)}; got {_contents(root)}. "
                f"{self._hint}"
            )
        self.root, self.marker = found
        self.missing: list[Path] = []
        self._photos = PhotoRoot(self.root)

    def file(self, *names: str) -> Path:
        """The first of these files that is there."""
        for name in names:
            if (self.root / name).is_file():
                return self.root / name
        raise BadInputError(
            f"{self.source.name}: {self.root} must hold {' or '.join(names)}; "
            f"got {_contents(self.root)}. {self._hint}"
        )

    def rows(self, file: Path, *fields: str, skip: int = 0) -> Iterator[tuple[str, list[str]]]:
        """The lines of a list, each with what a message calls it and its fields.

        Args:
            file: Text in UTF-8, fields apart by blanks; only the last may hold blanks itself.
            fields: What each field is.
            skip: Lines of header.
        """
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"{file} must be readable text; got {error}.") from error
        for number, line in enumerate(lines[skip:], start=skip + 1):
            values = line.split(maxsplit=len(fields) - 1)
            if not values:
                continue
            where = f"{self.source.name}: {file.name} row {number}"
            if len(values) != len(fields):
                raise BadInputError(f"{where} must be <{'> <'.join(fields)}>; got {line[:80]!r}.")
            yield where, [value.strip() for value in values]

    def class_folders(self, name: str) -> dict[str, list[str]]:
        """The pictures in each folder below ``name``, everything in alphabetical order.

        Keys are paths relative to the layout's folder; values are file names.
        """
        try:
            folders = sorted(place for place in (self.root / name).iterdir() if place.is_dir())
            return {
                f"{name}/{place.name}": sorted(f.name for f in place.iterdir() if is_image_name(f))
                for place in folders
            }
        except OSError as error:
            raise BadInputError(
                f"{self.source.name}: {self.root / name} must be a folder of class folders; "
                f"got {error.strerror}. {self._hint}"
            ) from error

    def pictures(self, name: str) -> list[Path]:
        """The pictures that lie in the folder ``name``, in alphabetical order."""
        try:
            files = sorted((self.root / name).iterdir())
        except OSError as error:
            raise BadInputError(
                f"{self.source.name}: {self.root / name} must be a folder of pictures; "
                f"got {error.strerror}. {self._hint}"
            ) from error
        return [path for path in files if is_image_name(path) and path.is_file()]

    def known(self, where: str, targets: Mapping[str, int], label: str) -> int:
        """The class that one list gives and another must know."""
        if label not in targets:
            raise BadInputError(f"{where} must name something the other lists have; got {label!r}.")
        return targets[label]

    def photo(self, where: str, name: str, target: int, group: int = 0) -> Photo:
        """A photo the lists name; whether it is there is told by :meth:`benchmark`."""
        path, there = self._photos.locate(name, where)
        if not there:
            self.missing.append(path)
        return Photo(path, target, group)

    def benchmark(
        self,
        parts: Mapping[str, Split],
        expected: Counts,
        counts: str,
        notes: Sequence[str] = (),
        *,
        relevance: Relevance = Relevance.CLASS,
        class_disjoint: bool = True,
        differences: Sequence[str] = (),
    ) -> Benchmark:
        """Check the parts and put them together.

        Args:
            parts: ``train`` and ``test`` where every test photo queries all others, or ``train``,
                ``query`` and ``gallery``; with sketches to learn from, ``train_sketches`` too.
            expected: What was published.
            counts: "official" or "any".
            notes: What else a reader must know.
            relevance: What makes an answer right.
            class_disjoint: Promise that no class of ``train`` is tested.
            differences: What else differs from the published copy.

        Raises:
            BadInputError: Photos are missing or the counts differ, and ``counts`` is "official";
                a class or a file is in train and test.
        """
        faults = [*self._faults(parts, expected, relevance), *differences]
        if counts not in COUNTS:
            raise BadInputError(unknown("counts", counts, COUNTS))
        if faults and counts == "official":
            raise BadInputError(
                f"{self.source.name}: {faults[0]} Look at the copy in {self.root} "
                f"({self.source.page}), or take it as it is with counts=any."
            )
        query = parts["query"] if "query" in parts else parts["test"]
        gallery = parts.get("gallery", query)
        return Benchmark(
            name=self.source.name if not faults else f"{self.source.name} (not the published copy)",
            query=query,
            gallery=gallery,
            train=parts.get("train", EMPTY),
            train_sketches=parts.get("train_sketches", EMPTY),
            relevance=relevance,
            class_disjoint=class_disjoint,
            notes=(
                *faults,
                *notes,
                *_notes.unanswerable(query, gallery),
                f"Terms: {self.source.terms} ({self.source.page})",
            ),
        )

    def _faults(
        self, parts: Mapping[str, Split], expected: Counts, relevance: Relevance
    ) -> list[str]:
        faults = []
        if self.missing:
            faults.append(
                f"every listed photo must be there; got {len(self.missing):,} missing, "
                f"such as {self.missing[0]}."
            )
        for part, (images, classes) in expected.items():
            got = parts[part]
            if (len(got), got.num_classes) != (images, classes):
                faults.append(
                    f"{part} must have {images:,} images of {classes:,} {targets_name(relevance)}; "
                    f"got {len(got):,} of {got.num_classes:,}."
                )
        return faults

    @property
    def _hint(self) -> str:
        return f"Unpack {self.source.get} there; see {self.source.page}."


def part(
    photos: Sequence[Photo], names: Mapping[int, str] | None = None, group: str | None = None
) -> Split:
    """Photos as a split.

    Args:
        photos: In the order of the lists.
        names: Name of each class; those that do not occur are dropped.
        group: What the photos' ``group`` is called; None when they have none.
    """
    paths = tuple(photo.path for photo in photos)
    again = _notes.twice(paths)
    if again:
        raise BadInputError(f"photos must be listed once; got {again[0]} twice.")
    targets = np.array([photo.target for photo in photos], dtype=np.int64)
    occurring = set(targets.tolist())
    return Split(
        paths,
        targets,
        names={target: name for target, name in (names or {}).items() if target in occurring},
        groups={} if group is None else {group: np.array([p.group for p in photos], np.int64)},
    )


def halves(
    photos: Sequence[Photo], last_train: int, names: Mapping[int, str] | None = None
) -> dict[str, Split]:
    """The usual split into unseen classes: up to ``last_train`` for learning, the rest for test."""
    return {
        "train": part([photo for photo in photos if photo.target <= last_train], names),
        "test": part([photo for photo in photos if photo.target > last_train], names),
    }


def whole(where: str, text: str | int) -> int:
    """A whole number from a list."""
    try:
        return int(text)
    except ValueError as error:
        raise BadInputError(f"{where} must hold a whole number; got {text!r}.") from error


def _contents(root: Path) -> str:
    if not root.exists():
        return "no such folder"
    if not root.is_dir():
        return "a file"
    names = sorted(path.name for path in root.iterdir())
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "") if names else "an empty folder"
