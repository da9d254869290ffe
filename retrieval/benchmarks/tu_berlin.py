"""TU-Berlin: 20,000 sketches of 250 categories, 80 each, drawn by people who were told the word.

Every sketch searches all others; one of the same category is a right answer. With ``photos`` the
sketches search a folder of photos instead. ``test_categories`` sets some categories aside, so that
an encoder is tested on those it has not seen.

Uncertain: "TU-Berlin Extended" adds photos of the same categories, some 204,000 in counts that
differ from paper to paper, and zero-shot papers test on 30 categories drawn at random, by lists
that differ as well. Neither is checked here; name the categories that your figures are to be
compared on.

Source: https://cybertron.cg.tu-berlin.de/eitz/projects/classifysketch/ (sketches_png.zip)
Licence: Creative Commons Attribution 4.0 International for the sketches.

References:
    Eitz, Hays, Alexa: How Do Humans Sketch Objects?, SIGGRAPH 2012.
    Photos: Zhang, Liu, Zhang, Ren, Wang, Cao: SketchNet, CVPR 2016.
"""

from pathlib import Path

from ..data import Benchmark
from . import _categories
from ._published import Layout, Source

SOURCE = Source(
    name="TU-Berlin",
    page="https://cybertron.cg.tu-berlin.de/eitz/projects/classifysketch/",
    get="sketches_png.zip",
    terms="CC BY 4.0 for the sketches",
)
SKETCHES, CATEGORIES = 20_000, 250


def read(
    root: Path,
    *,
    counts: str = "official",
    photos: str | None = None,
    test_categories: str | None = None,
) -> Benchmark:
    """Read the unpacked archive: a folder a category below ``png``.

    Args:
        root: The folder that holds ``png``.
        counts: "official" refuses a copy with other numbers of sketches, "any" notes them.
        photos: Name of a folder in ``root`` with a folder of photos a category; they are then what
            is searched.
        test_categories: Names apart by commas; the other categories are for learning.

    Raises:
        BadInputError: A folder is missing, a category is unknown, or the counts differ.
    """
    layout = Layout(SOURCE, root, "png", inner="sketches_png")
    sketches = _categories.pictures(layout, "png")
    return _categories.benchmark(
        layout, sketches, photos, test_categories, (SKETCHES, CATEGORIES), counts
    )
