"""QMUL-ShoeV2: 2,000 photos of shoes with about three sketches each.

As released: 5,982 sketches of 1,800 photos are for learning; 666 sketches search 200 photos. Some
papers report on 679 sketches (and 6,051 for learning). The reader tells the two apart by their
counts and puts the number of queries into the name.

The sketches of one photo are alike: trust the interval over photos, not the one over sketches.

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

SOURCE = Source(name="QMUL-ShoeV2", page=_v2.PAGE, get="the photos and sketches", terms=_v2.TERMS)
KNOWN = (_v2.Known(666, sketches=5_982, photos=(1_800, 200)), _v2.Known(679, sketches=6_051))


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked pictures in one of the layouts of :mod:`retrieval.benchmarks._v2`.

    Args:
        root: The folder with the pictures, or the folder that holds it as ``ShoeV2``.
        counts: "official" refuses a copy with other numbers of pictures, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts are those of no known division.
    """
    return _v2.read(SOURCE, root, "ShoeV2", KNOWN, counts, ())
