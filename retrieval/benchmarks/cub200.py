"""CUB-200-2011: 11,788 photos of 200 bird species.

The retrieval split: species 1 to 100 for learning (5,864 photos), species 101 to 200 for the test
(5,924), where every photo queries all others.

Not to be mixed up with the classification split (5,994 / 5,794 photos of all species,
``train_test_split.txt``, not read here) and with CUB-200 of 2010, which has other photos.

Source: https://www.vision.caltech.edu/datasets/cub_200_2011/ (CUB_200_2011.tgz)
Licence: none stated; photos from Flickr whose photographers keep their rights. Research use.

References:
    Wah, Branson, Welinder, Perona, Belongie: The Caltech-UCSD Birds-200-2011 Dataset, 2011.
    Split: Oh Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016.
"""

from pathlib import Path

from ..data import Benchmark
from ._published import Layout, Source, halves, whole

SOURCE = Source(
    name="CUB-200-2011",
    page="https://www.vision.caltech.edu/datasets/cub_200_2011/",
    get="CUB_200_2011.tgz",
    terms="no licence stated, research use",
)
EXPECTED = {"train": (5_864, 100), "test": (5_924, 100)}
LAST_TRAIN = 100


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked archive.

    Args:
        root: ``CUB_200_2011`` or the folder that holds it.
        counts: "official" refuses a copy with other numbers of photos, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts differ.
    """
    layout = Layout(SOURCE, root, "images.txt", inner="CUB_200_2011")
    classes = {
        image: whole(where, target)
        for where, (image, target) in layout.rows(
            layout.file("image_class_labels.txt"), "image_id", "class_id"
        )
    }
    names = {
        whole(where, target): name
        for where, (target, name) in layout.rows(layout.file("classes.txt"), "class_id", "name")
    }
    photos = [
        layout.photo(where, f"images/{name}", layout.known(where, classes, image))
        for where, (image, name) in layout.rows(layout.file("images.txt"), "image_id", "image_name")
    ]
    return layout.benchmark(
        halves(photos, LAST_TRAIN, names),
        EXPECTED,
        counts,
        notes=["Some photos are in ImageNet too: a backbone trained on ImageNet has seen them."],
    )
