"""QMUL-ChairV2: 400 photos of chairs with about three sketches each.

As released: 964 sketches of 300 photos are for learning; 311 sketches search 100 photos. Papers
report on 311, 323, 324 and 281 sketches: the 1,275 sketches are divided as 964 + 311, 952 + 323 or
951 + 324, and where 281 comes from is not known. The reader tells them apart by their counts and
puts the number of queries into the name. That there are four is inferred from printed figures and
from remarks of authors, not from archives.

QMUL-Chair shows some of the same models: do not learn from one and test on the other.

Source: https://sketchx.eecs.qmul.ac.uk/downloads/ (pages and archives have moved several times)
Licence: none stated; photos from web shops. Research use.

References:
    Yu, Song, Xiang, Hospedales, Loy: Fine-Grained Instance-Level Sketch-Based Image Retrieval,
    IJCV 2021.
"""

from pathlib import Path

from ..data import Benchmark
from . import _v2
from ._published import Source

SOURCE = Source(name="QMUL-ChairV2", page=_v2.PAGE, get="the photos and sketches", terms=_v2.TERMS)
KNOWN = (
    _v2.Known(311, sketches=964, photos=(300, 100)),
    _v2.Known(323, sketches=952, photos=(300, 100)),
    _v2.Known(324, sketches=951),
    _v2.Known(281),
)
NOTES = ("Shares models with QMUL-Chair: nothing learned there may be tested here.",)


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked pictures in one of the layouts of :mod:`retrieval.benchmarks._v2`.

    Args:
        root: The folder with the pictures, or the folder that holds it as ``ChairV2``.
        counts: "official" refuses a copy with other numbers of pictures, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts are those of no known division.
    """
    return _v2.read(SOURCE, root, "ChairV2", KNOWN, counts, NOTES)
