"""SBIR2014: 1,120 sketches and 7,267 photos of 14 categories, for search by pose.

What is read: sketches search photos, and one of the same category is a right answer. The makers'
own protocol is finer (photos scored by viewpoint, zoom, configuration and body features for a few
sketches of each category) and is not read, so figures made here are not those of the paper.

Uncertain: no original archive was at hand. Two folders with a folder a category are read, whatever
they are called.

Source: https://sketchx.eecs.qmul.ac.uk/downloads/ (pages and archives have moved several times)
Licence: none stated; photos from PASCAL VOC and the web. Research use.

References:
    Li, Hospedales, Song, Gong: Fine-Grained Sketch-Based Image Retrieval by Matching Deformable
    Part Models, BMVC 2014.
"""

from pathlib import Path

from ..data import Benchmark
from . import _categories
from ._published import Layout, Source

SOURCE = Source(
    name="SBIR2014 (by category)",
    page="https://sketchx.eecs.qmul.ac.uk/downloads/",
    get="the sketches and photos",
    terms="no licence stated, research use",
)
SKETCHES, PHOTOS, CATEGORIES = 1_120, 7_267, 14


def read(
    root: Path, *, counts: str = "official", sketches: str = "sketches", photos: str = "photos"
) -> Benchmark:
    """Read two folders with a folder a category.

    Args:
        root: The folder that holds both.
        counts: "official" refuses a copy with other numbers of pictures, "any" notes them.
        sketches: Name of the folder of sketches.
        photos: Name of the folder of photos.

    Raises:
        BadInputError: A folder is missing, or the counts differ.
    """
    layout = Layout(SOURCE, root, sketches, inner="SBIR2014")
    parts = _categories.parts(
        _categories.pictures(layout, sketches), _categories.pictures(layout, photos), ()
    )
    expected = {"query": (SKETCHES, CATEGORIES), "gallery": (PHOTOS, CATEGORIES)}
    return layout.benchmark(parts, expected, counts)
