"""Photos without sketches become pairs of a photo and its contours."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from retrieval.benchmarks import pairs
from retrieval.contour_pairs import write_contour_pairs
from retrieval.errors import BadInputError
from retrieval.sketches import read_drawing


def product(path: Path, corner: int) -> Path:
    image = Image.new("RGB", (120, 90), "white")
    ImageDraw.Draw(image).rectangle((20, 15, 20 + corner, 70), fill="#203040")
    image.save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"no picture")
    Image.new("RGB", (50, 50), "white").save(folder / "blank.png")
    made = [product(folder / f"{number}.png", 30 + 15 * number) for number in range(4)]
    return [*made, folder / "broken.jpg", folder / "blank.png"]


def test_a_drawing_follows_the_outline_of_its_photo(photos: list[Path], tmp_path: Path) -> None:
    left_out = write_contour_pairs(photos, tmp_path / "out")
    assert len(left_out) == 2
    assert "broken.jpg" in left_out[0]
    assert "blank.png must show contours; got none." in left_out[1]
    data = pairs.read(tmp_path / "out", holdout=0.5)
    assert len(data.train_sketches) + len(data.query) == 4
    with (tmp_path / "out" / "pairs.csv").open() as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        assert (tmp_path / "out" / row["photo"]).read_bytes() == photos[number].read_bytes()
        drawing = read_drawing(tmp_path / "out" / "strokes.json" / row["sketch"])
        left, top, right, bottom = drawing.box
        # a canvas of 256 for a photo of 120 x 90: 256 / 120, and 32 of white above
        want = np.array([20, 15 + 15, 20 + 30 + 15 * number, 70 + 15]) * 256 / 120
        assert np.abs(np.array([left, top, right, bottom]) - want).max() < 6, number


def test_the_same_photos_give_the_same_bytes(photos: list[Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_contour_pairs(photos, tmp_path / name)
    for name in ("strokes.json", "pairs.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_nothing_is_overwritten_or_left_behind(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("kept")
    with pytest.raises(BadInputError, match=r"out must be a new or empty folder; got .*full"):
        write_contour_pairs(photos, tmp_path / "full")
    with pytest.raises(BadInputError, match=r"photos must show contours; got none in 1\."):
        write_contour_pairs(photos[-1:], tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "photos"]
