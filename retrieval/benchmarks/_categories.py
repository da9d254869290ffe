"""Categories: class folders of sketches and of photos, and lists of categories to test on."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..data import Benchmark, Modality, Split
from ..errors import BadInputError
from ..plugins import unknown
from ._published import Layout


def chosen(text: str | None, known: Sequence[str]) -> list[str]:
    """Categories named in an option, apart by commas; none when left out.

    Raises:
        BadInputError: One that the data set does not have.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise BadInputError(unknown("category", name, known))
    if names and len(set(names)) == len(known):
        raise BadInputError(
            f"test_categories must leave a category to learn from; got all {len(known)}. "
            "Leave the option out to test on all."
        )
    return list(dict.fromkeys(names))


def pictures(layout: Layout, folder: str) -> dict[str, list[Path]]:
    """Pictures of each category below ``folder``, everything in alphabetical order."""
    found = layout.class_folders(folder)
    return {
        Path(place).name: [layout.root / place / name for name in names]
        for place, names in found.items()
    }


def split(
    pictures: dict[str, list[Path]],
    names: Iterable[str],
    categories: Sequence[str],
    modality: Modality,
) -> Split:
    """Pictures of the categories ``names``, numbered by their place in ``categories``."""
    numbers = {name: number for number, name in enumerate(categories)}
    shown = [(path, numbers[name]) for name in names for path in pictures.get(name, [])]
    return Split(
        tuple(path for path, _ in shown),
        np.array([target for _, target in shown], np.int64),
        modality,
        names={target: categories[target] for _, target in shown},
    )


def parts(
    sketches: dict[str, list[Path]], photos: dict[str, list[Path]] | None, tested: Sequence[str]
) -> dict[str, Split]:
    """The parts of a benchmark by category.

    Args:
        sketches: Of each category.
        photos: Of each category; None where sketches search sketches.
        tested: Categories to test on; the others are for learning. All when empty.

    Returns:
        ``test`` where every sketch searches all others, else ``query`` and ``gallery``; ``train``
        (and ``train_sketches``) where something is left to learn from.
    """
    categories = sorted({*sketches, *(photos or {})})
    asked = sorted(tested) if tested else categories
    learned = [name for name in categories if name not in asked]
    drawn = split(sketches, asked, categories, Modality.SKETCH)
    others = split(sketches, learned, categories, Modality.SKETCH)
    if photos is None:
        return {"test": drawn, "train": others}
    both = [name for name in learned if photos.get(name) and sketches.get(name)]
    return {
        "query": drawn,
        "gallery": split(photos, asked, categories, Modality.PHOTO),
        "train": split(photos, both, categories, Modality.PHOTO),
        "train_sketches": split(sketches, both, categories, Modality.SKETCH),
    }


def benchmark(
    layout: Layout,
    sketches: dict[str, list[Path]],
    photos: str | None,
    test_categories: str | None,
    published: tuple[int | None, int],
    counts: str,
) -> Benchmark:
    """Sketches that search photos, or one another.

    Args:
        layout: Where they are.
        sketches: Of each category.
        photos: Folder of photos in the layout; None where sketches search sketches.
        test_categories: Names apart by commas, as the user gave them.
        published: Sketches and categories that were published; None for what is not checked.
        counts: "official" or "any".
    """
    found = None if photos is None else pictures(layout, photos)
    tested = chosen(test_categories, sorted({*sketches, *(found or {})}))
    got = sum(map(len, sketches.values())), len(sketches)
    differences = [
        f"there must be {want:,} {what}; got {count:,}."
        for want, count, what in zip(published, got, ("sketches", "categories"), strict=True)
        if want not in (None, count)
    ]
    return layout.benchmark(parts(sketches, found, tested), {}, counts, differences=differences)
