"""SBIR2017: 304 photos of shoes with three sketches each (912), and attributes of both.

A sketch searches all photos; the one it shows is the right answer. QMUL-Shoe has 304 training
photos too: look for twins before learning from one and testing on the other.

Uncertain: no original archive was at hand, and neither the layout nor the paper's division into
training part and test is known here. Read are ``pairs.csv`` (with a ``split`` where you know the
division; attributes may be further columns), or ``photos`` and ``sketches`` where a sketch is
called like its photo and ``_NUMBER``. Without a division everything is tested, unless ``holdout``
is given.

Source: https://sketchx.eecs.qmul.ac.uk/downloads/ (pages and archives have moved several times)
Licence: none stated; photos from web shops. Research use.

References:
    Li, Pang, Song, Hospedales, Xiang, Hu: Synergistic Instance-Level Subspace Alignment for
    Fine-Grained Sketch-Based Image Retrieval, IEEE TIP 2017.
"""

from pathlib import Path

from ..data import Benchmark, Relevance, Split
from ..errors import BadInputError
from . import pairs
from ._objects import Drawn, Objects
from ._published import Layout, Source

SOURCE = Source(
    name="SBIR2017",
    page="https://sketchx.eecs.qmul.ac.uk/downloads/",
    get="the sketches and photos",
    terms="no licence stated, research use",
)
SKETCHES, PHOTOS = 912, 304


def read(
    root: Path, *, counts: str = "official", holdout: float | None = None, seed: int = 0
) -> Benchmark:
    """Read a table or two folders.

    Args:
        root: The folder that holds ``pairs.csv``, or ``photos`` and ``sketches``.
        counts: "official" refuses a copy with other numbers of pictures, "any" notes them.
        holdout: Share of the photos that are tested, with all their sketches, in (0, 1); the others
            are for learning. Everything is tested when left out.
        seed: Of the choice that ``holdout`` makes.

    Raises:
        BadInputError: A file is missing or malformed, or the counts differ.
    """
    layout = Layout(SOURCE, root, "pairs.csv", "sketches", inner="SBIR2017")
    parts = _parts(layout, holdout, seed)
    got = (
        len(parts["query"]) + len(parts["train_sketches"]),
        len(parts["gallery"]) + len(parts["train"]),
    )
    differences = [
        f"there must be {want:,} {what}; got {count:,}."
        for want, count, what in zip((SKETCHES, PHOTOS), got, ("sketches", "photos"), strict=True)
        if want != count
    ]
    return layout.benchmark(
        parts,
        {},
        counts,
        ["The division of the paper is not known here."],
        relevance=Relevance.INSTANCE,
        differences=differences,
    )


def _parts(layout: Layout, holdout: float | None, seed: int) -> dict[str, Split]:
    train: list[Drawn] = []
    if layout.marker == "pairs.csv":
        listed = pairs.Listed.of(layout.root / layout.marker)
        layout.missing += listed.missing
        test = [listed.pairs[row] for row in listed.tested(None)]
        train = [listed.pairs[row] for row in listed.learned(None)]
    else:
        test = _drawn(layout)
    if holdout is not None:
        everything = [*train, *test]
        chosen = pairs.held_out({photo.name for _, photo in everything}, holdout, seed)
        train = [pair for pair in everything if pair[1].name not in chosen]
        test = [pair for pair in everything if pair[1].name in chosen]
    names = {photo: photo.stem for _, photo in sorted([*train, *test], key=lambda pair: pair[1])}
    return Objects(names).parts(train, test)


def _drawn(layout: Layout) -> list[Drawn]:
    photos = {path.stem: path for path in layout.pictures("photos")}
    drawn = []
    for sketch in layout.pictures("sketches"):
        name = sketch.stem.rpartition("_")[0]
        if name not in photos:
            raise BadInputError(
                "SBIR2017: every sketch must be called like its photo and _NUMBER; "
                f"got {sketch}, which has no photo."
            )
        drawn.append((sketch, photos[name]))
    return drawn
