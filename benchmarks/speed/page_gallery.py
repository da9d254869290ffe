"""What the page is measured with: a gallery that can be drawn at, and drawings.

    python -m benchmarks.speed.page_gallery FOLDER --count 10000

The encoder is the demo's in kind and size, centred by a small generated catalogue and whitened at
random. Vectors of items are random, so that each stroke finds other pictures: the hardest case for
a page that sends them. Each item has a file of its own, a link to one of the catalogue's photos.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch

from benchmarks.speed.sketch_to_rank import DIM, drawings, unit_rows
from indexer.collection import Item
from retrieval.benchmarks import catalogue
from retrieval.catalogue import generate
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.paired import fit_pair, photo_rows_of
from retrieval.whitening import Whitening
from ui.building import create_or_resume_folder

MODELS, SIDE, CELLS, DRAWINGS = 24, 400, 16, 14


def main() -> None:
    """Make FOLDER/gallery and, last, FOLDER/drawings.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, required=True)
    chosen = parser.parse_args()
    catalogued = chosen.folder / "catalogue"
    generate(catalogued, models=MODELS, photos_per_model=1, size=SIDE)
    fill(chosen.folder, sorted(catalogued.glob("photos/*/*/*.jpg")), pair(catalogued), chosen.count)
    drawn = [[stroke.points.tolist() for stroke in one.strokes] for one in drawings(DRAWINGS)]
    (chosen.folder / "drawings.json").write_text(json.dumps(drawn))


def pair(catalogued: Path) -> EncoderPair:
    """The demo's encoder of oriented gradients; two doors."""
    data = catalogue.read(catalogued, query="sketch")
    fitted = fit_pair(
        build_encoder("hog", {"name": "grid", "cells": CELLS}, fit="object"),
        data.train.paths,
        data.train_sketches.paths,
        photo_rows_of(data.train, data.train_sketches),
    )
    return EncoderPair(whitened(fitted.photo, 1), whitened(fitted.sketch, 2))


def whitened(door: Encoder, seed: int) -> Encoder:
    """The same with a whitening whose weights are random."""
    whitening = Whitening(door.dim, DIM)
    random = torch.Generator().manual_seed(seed)
    whitening.projection.copy_(torch.randn(door.dim, DIM, generator=random))
    return door.with_whitening(whitening)


def fill(folder: Path, photos: list[Path], encoders: EncoderPair, count: int) -> None:
    """A collection of random vectors and of files with those photos."""
    (folder / "photos").mkdir()
    items = []
    for number in range(count):
        path = folder / "photos" / f"{number:05d}.jpg"
        os.link(photos[number % len(photos)], path)
        items.append(Item(path.stem, f"../photos/{path.name}", f"shoe {number % len(photos)}"))
    vectors = unit_rows(np.random.default_rng(0), count)
    with create_or_resume_folder(folder / "gallery", encoders) as collection:
        collection.add(vectors, items, fingerprint=encoders.fingerprint())


if __name__ == "__main__":
    main()
