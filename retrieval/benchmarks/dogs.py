"""Stanford Dogs: 20,580 photos of 120 breeds.

The retrieval split: the first 60 breeds for learning (10,651 photos), the other 60 for the test
(9,929), where every photo queries all others. Breeds are in the order of their folders, which is
the order of their WordNet numbers; the counts agree with the published ones in that order.

All photos come from ImageNet, and its 1,000-class part contains these breeds: figures of a backbone
trained on it say little about unseen classes.

Source: http://vision.stanford.edu/aditya86/ImageNetDogs/ (images.tar)
Licence: none stated; the terms of ImageNet apply, non-commercial research and education.

References:
    Khosla, Jayadevaprakash, Yao, Fei-Fei: Novel Dataset for Fine-Grained Image Categorization,
    FGVC workshop, CVPR 2011.
"""

from pathlib import Path

from ..data import Benchmark
from ._published import Layout, Source, halves

SOURCE = Source(
    name="Stanford Dogs",
    page="http://vision.stanford.edu/aditya86/ImageNetDogs/",
    get="images.tar",
    terms="those of ImageNet, non-commercial research and education",
)
EXPECTED = {"train": (10_651, 60), "test": (9_929, 60)}
LAST_TRAIN = 60


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked archive.

    Args:
        root: The folder that holds ``Images``.
        counts: "official" refuses a copy with other numbers of photos, "any" notes them.

    Raises:
        BadInputError: A file is missing, or the counts differ.
    """
    layout = Layout(SOURCE, root, "Images", "images", inner="ImageNetDogs")
    folders = layout.class_folders(layout.marker)
    photos = [
        layout.photo(folder, f"{folder}/{name}", target)
        for target, (folder, files) in enumerate(folders.items(), start=1)
        for name in files
    ]
    names = {
        target: Path(folder).name.partition("-")[2] or Path(folder).name
        for target, folder in enumerate(folders, start=1)
    }
    return layout.benchmark(
        halves(photos, LAST_TRAIN, names),
        EXPECTED,
        counts,
        notes=[
            "All photos and breeds come from ImageNet: a backbone trained on ImageNet-1k has "
            "learned the test classes."
        ],
    )
