"""Stanford Online Products: 120,053 photos of 22,634 products from an auction site.

The retrieval split: 11,318 products for learning (59,551 photos), the other 11,316 for the test
(60,502), where every photo queries all others. The twelve kinds (bicycle, cabinet ...) are kept as
the group ``superclass``.

Source: https://cvgl.stanford.edu/projects/lifted_struct/ (Stanford_Online_Products.zip)
Licence: see the file LICENSE in the archive; photos of sellers on eBay. Research use.

References:
    Oh Song, Xiang, Jegelka, Savarese: Deep Metric Learning via Lifted Structured Feature
    Embedding, CVPR 2016.
"""

from pathlib import Path

from ..data import Benchmark
from ._published import Layout, Source, part, whole

SOURCE = Source(
    name="SOP",
    page="https://cvgl.stanford.edu/projects/lifted_struct/",
    get="Stanford_Online_Products.zip",
    terms="see LICENSE in the archive, research use",
)
EXPECTED = {"train": (59_551, 11_318), "test": (60_502, 11_316)}


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked archive.

    Args:
        root: ``Stanford_Online_Products`` or the folder that holds it.
        counts: "official" refuses a copy with other numbers of photos, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts differ.
    """
    layout = Layout(SOURCE, root, "Ebay_test.txt", inner="Stanford_Online_Products")
    parts = {
        name: part(
            [
                layout.photo(where, photo, whole(where, target), whole(where, superclass))
                for where, (_, target, superclass, photo) in layout.rows(
                    layout.file(f"Ebay_{name}.txt"),
                    *("image_id", "class_id", "super_class_id", "path"),
                    skip=1,
                )
            ],
            group="superclass",
        )
        for name in ("train", "test")
    }
    return layout.benchmark(parts, EXPECTED, counts)
