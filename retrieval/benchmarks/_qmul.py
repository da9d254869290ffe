"""QMUL-Shoe, QMUL-Chair and QMUL-Handbag: one sketch of each photo, in one of three layouts.

- ``pairs.csv`` (sketch, photo, split) beside the pictures;
- ``train`` and ``test``, each with ``images`` and ``sketches``;
- ``photo`` and ``sketch`` with ``photo_train_name.txt`` and ``photo_test_name.txt``.

A sketch belongs to the photo with its number. The second and third layout are those that public
training programs read; no original archive was at hand to try them on.
"""

from collections.abc import Sequence
from pathlib import Path

from ..data import Benchmark, Relevance
from ..errors import BadInputError
from . import _notes, pairs
from ._objects import Drawn, Objects
from ._published import Counts, Layout, Source

PAGE = "https://sketchx.eecs.qmul.ac.uk/downloads/"
TERMS = "no licence stated, research use"


def expected(train: int, test: int) -> Counts:
    """Counts of a set with so many pairs."""
    learned, tested = (train, train), (test, test)
    return {"train": learned, "train_sketches": learned, "query": tested, "gallery": tested}


def read(
    source: Source, root: Path, inner: str, published: Counts, counts: str, notes: Sequence[str]
) -> Benchmark:
    """Read any of the layouts and check it.

    Args:
        source: Which of the sets.
        root: What the user gave.
        inner: Name of the folder that the archive unpacks into.
        published: Counts of the parts.
        counts: "official" or "any".
        notes: What a reader of its figures must know.
    """
    markers = ("pairs.csv", "photo_train_name.txt", "train/images")
    layout = Layout(source, root, *markers, inner=inner)
    if layout.marker == "pairs.csv":
        listed = pairs.Listed.of(layout.root / layout.marker)
        layout.missing += listed.missing
        parts = listed.parts(listed.learned("train"), listed.tested("test"))
    else:
        train, test = (_drawn(layout, part) for part in ("train", "test"))
        photos = sorted(photo for _, photo in (*train, *test))
        parts = Objects({photo: photo.stem for photo in photos}).parts(train, test)
    facts = [*notes, _notes.OUTLINES]
    return layout.benchmark(parts, published, counts, facts, relevance=Relevance.INSTANCE)


def _drawn(layout: Layout, part: str) -> list[Drawn]:
    if layout.marker == "train/images":
        photos = layout.pictures(f"{part}/images")
        drawn = {path.stem: path for path in layout.pictures(f"{part}/sketches")}
    else:
        names = layout.rows(layout.file(f"photo_{part}_name.txt"), "photo")
        photos = [layout.photo(where, f"photo/{name}", 0).path for where, (name,) in names]
        drawn = {path.stem: path for path in layout.pictures("sketch")}
    lonely = [photo for photo in photos if photo.stem not in drawn]
    if lonely:
        raise BadInputError(
            f"{layout.source.name}: every photo must have a sketch of its name; "
            f"got {len(lonely)} without, such as {lonely[0]}."
        )
    return [(drawn[photo.stem], photo) for photo in photos]
