"""ShoeV2 and ChairV2: several sketches of each photo, in one of three layouts.

- ``trainA``, ``trainB``, ``testA``, ``testB``: sketches in A, photos in B;
- ``photo`` and ``sketch`` (or ``NAME_photo`` and ``NAME_sketch_png``) with ``photo_train.txt`` and
  ``photo_test.txt``, which name the photos of each part;
- ``pairs.csv`` (sketch, photo, split), whose sketches may be entries of ``strokes.json``.

``1031000079_2.png`` is the second sketch of the photo ``1031000079``. The first two layouts are
those that public training programs read; no original archive was at hand to try them on.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data import Benchmark, Relevance, Split
from ..errors import BadInputError
from . import _notes, pairs
from ._objects import Drawn, Objects
from ._published import Layout, Source

PAGE = "https://sketchx.eecs.qmul.ac.uk/downloads/"
TERMS = "no licence stated, research use"


@dataclass(frozen=True)
class Known:
    """A division into training part and test that papers report on.

    Attributes:
        queries: Sketches that are searched with: what tells the divisions apart.
        sketches: Training sketches, where they are known.
        photos: Photos for training and photos searched, where they are known.
    """

    queries: int
    sketches: int | None = None
    photos: tuple[int, int] | None = None

    def differences(self, parts: Mapping[str, Split]) -> list[str]:
        """How the parts differ from what is known."""
        want = {"query": self.queries, "train_sketches": self.sketches}
        if self.photos:
            want |= {"train": self.photos[0], "gallery": self.photos[1]}
        return [
            f"{part} must have {count:,} images; got {len(parts[part]):,}."
            for part, count in want.items()
            if count is not None and len(parts[part]) != count
        ]


def read(
    source: Source,
    root: Path,
    inner: str,
    known: Sequence[Known],
    counts: str,
    notes: Sequence[str],
) -> Benchmark:
    """Read any of the layouts and say which division it is.

    Args:
        source: Which of the sets.
        root: What the user gave.
        inner: Name of the folder that the archive unpacks into.
        known: The divisions; the first is the one that was released.
        counts: "official" or "any".
        notes: What a reader of its figures must know.
    """
    layout = Layout(source, root, "pairs.csv", "trainA", "photo_train.txt", inner=inner)
    parts = _parts(layout, inner)
    queries = len(parts["query"])
    which = next((one for one in known if one.queries == queries), known[0])
    found = layout.benchmark(
        parts,
        {},
        counts,
        [*notes, _which(known), _notes.OUTLINES],
        relevance=Relevance.INSTANCE,
        differences=which.differences(parts),
    )
    return dataclasses.replace(found, name=f"{found.name}, {queries:,} queries")


def _which(known: Sequence[Known]) -> str:
    sizes = " and ".join(f"{one.queries:,}" for one in known)
    return f"Papers test on sets of {sizes} sketches: figures of two sets cannot be compared."


def _parts(layout: Layout, inner: str) -> dict[str, Split]:
    if layout.marker == "pairs.csv":
        listed = pairs.Listed.of(layout.root / layout.marker)
        layout.missing += listed.missing
        return listed.parts(listed.learned("train"), listed.tested("test"))
    if layout.marker == "trainA":
        sketches = {part: layout.pictures(f"{part}A") for part in ("train", "test")}
        photos = {part: layout.pictures(f"{part}B") for part in ("train", "test")}
    else:
        photos = {part: _listed(layout, inner, part) for part in ("train", "test")}
        place = _folder(layout, "sketch", f"{inner}_sketch_png", f"{inner}_sketch")
        everything = layout.pictures(place)
        sketches = {part: _of(everything, photos[part]) for part in photos}
    named = sorted((*photos["train"], *photos["test"]))
    return Objects({photo: photo.stem for photo in named}).parts(
        _drawn(layout, sketches["train"], photos["train"]),
        _drawn(layout, sketches["test"], photos["test"]),
        train_photos=photos["train"],
        gallery=photos["test"],
    )


def _listed(layout: Layout, inner: str, part: str) -> list[Path]:
    """Photos that a list names; it may name them with another suffix than they have."""
    place = _folder(layout, "photo", f"{inner}_photo")
    there = {path.stem: path for path in layout.pictures(place)}
    names = [
        (where, name) for where, (name,) in layout.rows(layout.file(f"photo_{part}.txt"), "photo")
    ]
    return [
        there.get(Path(name).stem) or layout.photo(where, f"{place}/{name}", 0).path
        for where, name in names
    ]


def _folder(layout: Layout, *names: str) -> str:
    return next((name for name in names if (layout.root / name).is_dir()), names[0])


def _of(sketches: Iterable[Path], photos: Iterable[Path]) -> list[Path]:
    stems = {photo.stem for photo in photos}
    return [sketch for sketch in sketches if _object(sketch) in stems]


def _object(sketch: Path) -> str:
    return sketch.stem.rpartition("_")[0]


def _drawn(layout: Layout, sketches: Iterable[Path], photos: Iterable[Path]) -> list[Drawn]:
    by_name = {photo.stem: photo for photo in photos}
    drawn = []
    for sketch in sketches:
        if _object(sketch) not in by_name:
            raise BadInputError(
                f"{layout.source.name}: every sketch must be called like its photo and _NUMBER; "
                f"got {sketch}, whose photo is not in the same part."
            )
        drawn.append((sketch, by_name[_object(sketch)]))
    return drawn
