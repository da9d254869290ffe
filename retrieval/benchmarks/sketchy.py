"""Sketchy: 12,500 photos of 125 categories, each drawn by several people (75,471 sketches).

``split=photos`` is the makers' own: the photos of ``info/testset.txt`` (ten a category) are
searched with their sketches, everything else is for learning. ``split=categories`` is for search in
categories that were never seen: those of ``test_categories`` are tested, the others are for
learning. :data:`UNSEEN` names the 21 of Yelamarthi et al., which were chosen because ImageNet's
classes do not have them; two public programs agree on the list, the paper was not at hand. Other
papers draw 25 at random.

With ``relevance=instance`` the very photo is the right answer (acc@K), with ``relevance=class`` any
photo of the category (Recall@K, mAP). Published figures of cross-category search for instances rank
a sketch among the photos of its own category: ``category=NAME`` does that for one. Among all tested
photos, the default, the task is harder.

A sketch is called like its photo and ``-NUMBER``. Photos and sketches are there in several
renderings (``tx_...``): ``tx_000000000000`` is the plain one; in ``tx_000100000000`` photos are cut
around the object. Figures on two renderings cannot be compared.

``info/invalid-*.txt`` name sketches that the makers found wrong or ambiguous; ``drop_invalid=true``
leaves them out. Counts of the sketches differ by ten between paper (75,471) and archive (75,481),
so either passes.

Source: https://sketchy.eye.gatech.edu/ (rendered_256x256.7z and info; the links have moved)
Licence: sketches CC BY 4.0 by the makers' word, photos from ImageNet. Research use. (Uncertain: the
    archive's own text was not at hand.)

References:
    Sangkloy, Burnell, Ham, Hays: The Sketchy Database, SIGGRAPH 2016.
    Categories: Yelamarthi, Reddy, Mishra, Mittal: A Zero-Shot Framework for Sketch Based Image
    Retrieval, ECCV 2018.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data import Benchmark, Relevance, Split
from ..errors import BadInputError
from ..plugins import unknown
from . import _categories
from ._objects import Drawn, Objects
from ._published import Layout, Source

SOURCE = Source(
    name="Sketchy",
    page="https://sketchy.eye.gatech.edu/",
    get="rendered_256x256.7z and the info archive",
    terms="research use",
)
PHOTOS, CATEGORIES, SKETCHES = 12_500, 125, (75_471, 75_481)
PLAIN = "tx_000000000000"
UNSEEN = (
    "bat, cabin, cow, dolphin, door, giraffe, helicopter, mouse, pear, raccoon, rhinoceros, saw, "
    "scissors, seagull, skyscraper, songbird, sword, tree, wheelchair, windmill, window"
)
"""The 21 categories of the split into 104 and 21."""

SPLITS = ("photos", "categories")


def read(
    root: Path,
    *,
    counts: str = "official",
    split: str = "photos",
    test_categories: str = UNSEEN,
    category: str | None = None,
    relevance: str = "instance",
    photos: str = PLAIN,
    sketches: str = PLAIN,
    drop_invalid: bool = False,
) -> Benchmark:
    """Read the unpacked archive.

    Args:
        root: The folder that holds ``256x256`` (or ``photo`` and ``sketch``), and ``info``.
        counts: "official" refuses a copy with other numbers of pictures, "any" notes them.
        split: "photos" or "categories".
        test_categories: For ``split=categories``: names apart by commas.
        category: Test on this category alone.
        relevance: "instance" or "class".
        photos: Which rendering of the photos.
        sketches: Which rendering of the sketches.
        drop_invalid: Leave out sketches that the makers marked.

    Raises:
        BadInputError: A file or folder is missing, a name is unknown, or the counts differ.
    """
    if split not in SPLITS:
        raise BadInputError(unknown("split", split, SPLITS))
    if relevance not in tuple(Relevance):
        raise BadInputError(unknown("relevance", relevance, tuple(Relevance)))
    copy = _Copy.of(root, photos, sketches, drop_invalid)
    known = sorted(copy.photos)
    if split == "photos":
        tested = copy.listed()
    else:
        chosen = _categories.chosen(test_categories, known)
        tested = {photo for name in chosen for photo in copy.photos[name]}
    if category is not None:
        (category,) = _categories.chosen(category, known)
    found = copy.layout.benchmark(
        copy.parts(tested, category, Relevance(relevance)),
        {},
        counts,
        copy.notes,
        relevance=Relevance(relevance),
        class_disjoint=split == "categories" or relevance == "instance",
        differences=copy.differences,
    )
    words = [found.name, split, *([category] if category else [])]
    return dataclasses.replace(found, name=", ".join(words))


@dataclass(frozen=True)
class _Copy:
    """The pictures that are there."""

    layout: Layout
    photos: dict[str, list[Path]]  # by category
    drawn: tuple[Drawn, ...]
    notes: tuple[str, ...]
    differences: tuple[str, ...]

    @classmethod
    def of(cls, root: Path, photos: str, sketches: str, drop_invalid: bool) -> "_Copy":
        layout = Layout(SOURCE, root, "256x256", "photo", inner="rendered_256x256")
        below = "256x256/" if layout.marker == "256x256" else ""
        shown = _categories.pictures(layout, f"{below}photo/{photos}")
        by_name = {(name, path.stem): path for name in shown for path in shown[name]}
        drawings = [
            (name, path)
            for name, paths in _categories.pictures(layout, f"{below}sketch/{sketches}").items()
            for path in paths
        ]
        lonely = [path for name, path in drawings if (name, _object(path)) not in by_name]
        if lonely:
            raise BadInputError(
                "Sketchy: every sketch must be called like its photo and -NUMBER; "
                f"got {len(lonely)} without a photo, such as {lonely[0]}."
            )
        differences = []
        if (len(by_name), len(shown)) != (PHOTOS, CATEGORIES):
            differences.append(
                f"there must be {PHOTOS:,} photos of {CATEGORIES} categories; "
                f"got {len(by_name):,} of {len(shown)}."
            )
        if len(drawings) not in SKETCHES:
            differences.append(f"there must be {SKETCHES[0]:,} sketches; got {len(drawings):,}.")
        invalid = _invalid(layout) if drop_invalid else set()
        drawn = [
            (path, by_name[name, _object(path)])
            for name, path in drawings
            if path.stem not in invalid
        ]
        dropped = len(drawings) - len(drawn)
        notes = [f"{dropped:,} sketches that the makers marked are left out."] if dropped else []
        return cls(layout, shown, tuple(drawn), tuple(notes), tuple(differences))

    def listed(self) -> set[Path]:
        """Photos of the makers' test set."""
        names = {
            f"{name}/{path.name}": path for name, paths in self.photos.items() for path in paths
        }
        file = self.layout.file("info/testset.txt", "../info/testset.txt")
        tested = set()
        for where, (name,) in self.layout.rows(file, "category/photo"):
            if name not in names:
                raise BadInputError(f"{where} must name a photo that is there; got {name!r}.")
            tested.add(names[name])
        return tested

    def parts(
        self, tested: set[Path], category: str | None, relevance: Relevance
    ) -> dict[str, Split]:
        """Train, train_sketches, query and gallery."""
        asked = tested if category is None else tested & set(self.photos[category])
        if not asked:
            raise BadInputError(
                f"category must be one that is tested; got {category!r}. Name another."
            )
        everything = [photo for paths in self.photos.values() for photo in paths]
        learned = [photo for photo in everything if photo not in tested]
        categories = {photo: name for name, paths in self.photos.items() for photo in paths}
        objects = Objects(
            {photo: f"{categories[photo]}/{photo.stem}" for photo in everything},
            {"category": categories},
        )
        parts = objects.parts(
            [pair for pair in self.drawn if pair[1] not in tested],
            [pair for pair in self.drawn if pair[1] in asked],
            train_photos=learned,
            gallery=[photo for photo in everything if photo in asked],
        )
        if relevance is Relevance.INSTANCE:
            return parts
        return {name: _by_category(part, sorted(self.photos)) for name, part in parts.items()}


def _by_category(part: Split, categories: Sequence[str]) -> Split:
    targets = part.groups["category"]
    names = {int(target): categories[int(target)] for target in targets}
    return dataclasses.replace(part, targets=targets, names=names, groups={})


def _object(sketch: Path) -> str:
    return sketch.stem.rpartition("-")[0]


def _invalid(layout: Layout) -> set[str]:
    """Names of marked sketches, with or without a suffix in the lists."""
    first = layout.file("info/invalid-error.txt", "../info/invalid-error.txt")
    return {
        name.strip().rpartition("/")[2].removesuffix(".png")
        for file in sorted(first.parent.glob("invalid-*.txt"))
        for _, (name,) in layout.rows(file, "sketch")
    }
