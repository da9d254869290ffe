"""QMUL-Handbag: 568 sketches, each of one photo of a handbag.

400 pairs are for learning; the sketches of the other 168 search their 168 photos.

The triplet annotation that is passed on with the handbags is, byte for byte, that of the shoes:
there is no human judgement of handbags to be read.

Source: https://sketchx.eecs.qmul.ac.uk/downloads/ (pages and archives have moved several times)
Licence: none stated; photos from web shops. Research use.

References:
    Song, Yu, Song, Xiang, Hospedales: Deep Spatial-Semantic Attention for Fine-Grained
    Sketch-Based Image Retrieval, ICCV 2017.
"""

from pathlib import Path

from ..data import Benchmark
from . import _qmul
from ._published import Source

SOURCE = Source(
    name="QMUL-Handbag", page=_qmul.PAGE, get="the photos and sketches", terms=_qmul.TERMS
)
EXPECTED = _qmul.expected(train=400, test=168)
NOTES = ()


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked pictures in one of the layouts of :mod:`retrieval.benchmarks._qmul`.

    Args:
        root: The folder with the pictures, or the folder that holds it as ``handbags``.
        counts: "official" refuses a copy with other numbers of pairs, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts differ.
    """
    return _qmul.read(SOURCE, root, "handbags", EXPECTED, counts, NOTES)
