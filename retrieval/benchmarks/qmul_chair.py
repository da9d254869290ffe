"""QMUL-Chair: 297 sketches, each of one photo of a chair.

200 pairs are for learning; the sketches of the other 97 search their 97 photos.

Photo 263, of the test, is photo 13, of the training part: the same file. The makers' second set of
chairs, ChairV2, shows some of the same models, a few of them in other colours only: do not learn
from one and test on the other.

Source: https://sketchx.eecs.qmul.ac.uk/downloads/ (pages and archives have moved several times)
Licence: none stated; photos from web shops. Research use.

References:
    Yu, Liu, Song, Xiang, Hospedales, Loy: Sketch Me That Shoe, CVPR 2016.
"""

from pathlib import Path

from ..data import Benchmark
from . import _qmul
from ._published import Source

SOURCE = Source(
    name="QMUL-Chair", page=_qmul.PAGE, get="the photos and sketches", terms=_qmul.TERMS
)
EXPECTED = _qmul.expected(train=200, test=97)
NOTES = (
    "Test photo 263 is the same as training photo 13.",
    "Shares models with ChairV2: nothing learned there may be tested here.",
)


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked pictures in one of the layouts of :mod:`retrieval.benchmarks._qmul`.

    Args:
        root: The folder with the pictures, or the folder that holds it as ``chairs``.
        counts: "official" refuses a copy with other numbers of pairs, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts differ.
    """
    return _qmul.read(SOURCE, root, "chairs", EXPECTED, counts, NOTES)
