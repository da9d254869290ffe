"""QMUL-Shoe: 419 sketches, each of one photo of a shoe.

304 pairs are for learning; the sketches of the other 115 search their 115 photos. With so few
queries a figure is sure to nine points only: print its interval.

People's judgements of the same sketches are read by :mod:`retrieval.human_triplets`.

Source: https://sketchx.eecs.qmul.ac.uk/downloads/ (pages and archives have moved several times)
Licence: none stated; photos from web shops. Research use.

References:
    Yu, Liu, Song, Xiang, Hospedales, Loy: Sketch Me That Shoe, CVPR 2016.
"""

from pathlib import Path

from ..data import Benchmark
from . import _qmul
from ._published import Source

SOURCE = Source(name="QMUL-Shoe", page=_qmul.PAGE, get="the photos and sketches", terms=_qmul.TERMS)
EXPECTED = _qmul.expected(train=304, test=115)
NOTES = ()


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked pictures in one of the layouts of :mod:`retrieval.benchmarks._qmul`.

    Args:
        root: The folder with the pictures, or the folder that holds it as ``shoes``.
        counts: "official" refuses a copy with other numbers of pairs, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts differ.
    """
    return _qmul.read(SOURCE, root, "shoes", EXPECTED, counts, NOTES)
