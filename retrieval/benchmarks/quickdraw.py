"""QuickDraw-Extended: quick drawings of 110 categories, and photos of the same.

The game "Quick, Draw!" collected 50 million drawings of 345 categories in twenty seconds each;
Dey et al. chose 110 of them, about 330,000 drawings, and added about 204,000 photos. Sketches
search photos; one of the same category is a right answer. ``test_categories`` sets some categories
aside for the test: papers learn from 80 and test on 30.

Uncertain: the names of the folders below are those that public training programs read, and the
counts are those of the paper rounded; no original archive was at hand, so ``counts=official``
checks the number of categories alone. The game's own files (``.ndjson``) are not read.

Source: https://github.com/sounakdey/doodle2search (QuickDraw-Extended)
Licence: Creative Commons Attribution 4.0 International for the drawings; photos from the web, for
    research use.

References:
    Dey, Riba, Dutta, Llados, Song: Doodle to Search: Practical Zero-Shot Sketch-Based Image
    Retrieval, CVPR 2019.
"""

from pathlib import Path

from ..data import Benchmark
from . import _categories
from ._published import Layout, Source

SOURCE = Source(
    name="QuickDraw-Extended",
    page="https://github.com/sounakdey/doodle2search",
    get="QuickDraw_sketches_final and QuickDraw_images_final",
    terms="CC BY 4.0 for the drawings, research use for the photos",
)
CATEGORIES = 110


def read(
    root: Path,
    *,
    counts: str = "official",
    sketches: str = "QuickDraw_sketches_final",
    photos: str = "QuickDraw_images_final",
    test_categories: str | None = None,
) -> Benchmark:
    """Read two folders with a folder a category.

    Args:
        root: The folder that holds both.
        counts: "official" refuses a copy with another number of categories, "any" notes it.
        sketches: Name of the folder of sketches.
        photos: Name of the folder of photos.
        test_categories: Names apart by commas; the other categories are for learning.

    Raises:
        BadInputError: A folder is missing, a category is unknown, or the counts differ.
    """
    layout = Layout(SOURCE, root, sketches, inner="QuickDraw")
    drawn = _categories.pictures(layout, sketches)
    return _categories.benchmark(layout, drawn, photos, test_categories, (None, CATEGORIES), counts)
