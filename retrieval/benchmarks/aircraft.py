"""FGVC-Aircraft: 10,000 photos of 100 aircraft variants.

The retrieval split: the first 50 variants for learning (5,000 photos), the other 50 for the test
(5,000), where every photo queries all others. The label is the variant (Boeing 737-700), the finest
of three levels; family and manufacturer are other tasks. The parts train, val and test of the
classification task are joined.

Uncertain: papers say "the first 50 variants" without giving the order; here it is the order of
``variants.txt``. The counts cannot tell, every variant has 100 photos.

Every photo carries a banner of 20 pixels at the bottom that names the photographer, and it is not
cut off here; the authors ask for it to be removed before learning and testing.

Source: https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/ (fgvc-aircraft-2013b.tar.gz)
Licence: "exclusively for non-commercial research purposes"; the photographers keep their rights.

References:
    Maji, Rahtu, Kannala, Blaschko, Vedaldi: Fine-Grained Visual Classification of Aircraft,
    arXiv:1306.5151, 2013.
"""

from pathlib import Path

from ..data import Benchmark
from ._published import Layout, Source, halves

SOURCE = Source(
    name="FGVC-Aircraft",
    page="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
    get="fgvc-aircraft-2013b.tar.gz",
    terms="exclusively for non-commercial research purposes",
)
EXPECTED = {"train": (5_000, 50), "test": (5_000, 50)}
LAST_TRAIN = 50


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked archive.

    Args:
        root: ``fgvc-aircraft-2013b`` or the folder that holds it.
        counts: "official" refuses a copy with other numbers of photos, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts differ.
    """
    layout = Layout(SOURCE, root, "data/variants.txt", inner="fgvc-aircraft-2013b")
    variants = [
        variant for _, (variant,) in layout.rows(layout.file("data/variants.txt"), "variant")
    ]
    targets = {variant: target for target, variant in enumerate(variants, start=1)}
    photos = [
        layout.photo(where, f"data/images/{image}.jpg", layout.known(where, targets, variant))
        for name in ("train", "val", "test")
        for where, (image, variant) in layout.rows(
            layout.file(f"data/images_variant_{name}.txt"), "image", "variant"
        )
    ]
    names = {target: variant for variant, target in targets.items()}
    return layout.benchmark(
        halves(photos, LAST_TRAIN, names),
        EXPECTED,
        counts,
        notes=["The photographer's banner, 20 pixels at the bottom of each photo, is not cut off."],
    )
