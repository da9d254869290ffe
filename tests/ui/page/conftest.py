"""A small collection that can be drawn at, made once."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from indexer.build import build_collection, entries_of
from indexer.choice import EngineChoice
from retrieval.encoder import build_encoder
from retrieval.encoder_pair import EncoderPair
from ui.building import create_or_resume_folder

pytest.importorskip("streamlit", reason="needs the extra ui: pip install -e '.[ui]'")

SIDE = 96


def pictures(folder: Path) -> None:
    """Lying and standing bars, discs and crosses, each in four sizes."""
    for number in range(4):
        size = 24 + 6 * number
        shapes = {
            "disc": [(48 - size, 48 - size, 48 + size, 48 + size)],
            "lying": [(48 - size, 42, 48 + size, 54)],
            "standing": [(42, 48 - size, 54, 48 + size)],
            "cross": [(48 - size, 42, 48 + size, 54), (42, 48 - size, 54, 48 + size)],
        }
        for label, boxes in shapes.items():
            picture = Image.new("RGB", (SIDE, SIDE), "white")
            draw = ImageDraw.Draw(picture)
            for box in boxes:
                if label == "disc":
                    draw.ellipse(box, fill="#357")
                else:
                    draw.rectangle(box, fill="#357")
            (folder / label).mkdir(exist_ok=True, parents=True)
            picture.save(folder / label / f"{number}.png")


def make(folder: Path, photos: Path, *, pair: bool) -> Path:
    encoder = build_encoder("hog", {"name": "grid", "cells": 8}, size=64)
    one = EncoderPair(encoder, encoder) if pair else encoder
    entries, root = entries_of(photos)
    with create_or_resume_folder(folder, one, EngineChoice("exact")) as collection:
        build_collection(collection, entries, root, one, runtime="eager")
    return folder


@pytest.fixture(scope="session")
def shape_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes") / "photos"
    pictures(folder)
    return folder


@pytest.fixture(scope="session")
def shapes(shape_photos: Path) -> Path:
    """A collection of 16 shapes with a door for sketches."""
    return make(shape_photos.parent / "shapes_shop", shape_photos, pair=True)


@pytest.fixture(scope="session")
def photos_only(shape_photos: Path) -> Path:
    """The same with a door for photos alone."""
    return make(shape_photos.parent / "photo_shop", shape_photos, pair=False)
