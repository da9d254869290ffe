"""Oxford Flowers-102: 8,189 photos of 102 flowers.

The retrieval split: classes 1 to 51 for learning (3,493 photos), 52 to 102 for the test (4,696),
where every photo queries all others. Not to be mixed up with the classification split of
``setid.mat`` (1,020 / 1,020 / 6,149 photos of all classes), which is not read.

The archive has no class names, so classes print as their numbers.

Source: https://www.robots.ox.ac.uk/~vgg/data/flowers/102/ (102flowers.tgz and imagelabels.mat)
Licence: none stated; photos mostly from the web. Research use.

References:
    Nilsback, Zisserman: Automated Flower Classification over a Large Number of Classes,
    ICVGIP 2008.
"""

from pathlib import Path

from ..data import Benchmark
from ._mat import mat_values
from ._published import Layout, Source, halves, whole

SOURCE = Source(
    name="Oxford Flowers-102",
    page="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    get="102flowers.tgz and imagelabels.mat",
    terms="no licence stated, research use",
)
EXPECTED = {"train": (3_493, 51), "test": (4_696, 51)}
LAST_TRAIN = 51


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked archive.

    Args:
        root: The folder that holds ``jpg`` and ``imagelabels.mat``.
        counts: "official" refuses a copy with other numbers of photos, "any" notes them.

    Raises:
        BadInputError: A file is missing or damaged, or the counts differ.
    """
    layout = Layout(SOURCE, root, "imagelabels.mat", inner="flowers-102")
    (labels,) = mat_values(layout.file("imagelabels.mat"), "labels")
    photos = []
    for number, label in enumerate(labels, start=1):
        where = f"{SOURCE.name}: imagelabels.mat label {number}"
        photos.append(layout.photo(where, f"jpg/image_{number:05d}.jpg", whole(where, label)))
    return layout.benchmark(halves(photos, LAST_TRAIN), EXPECTED, counts)
