"""A small generated training part: coloured figures, one class for each figure and colour."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from retrieval.data import Benchmark, Split


def draw_figure(rng: np.random.Generator, sides: int, colour: tuple[int, int, int]) -> Image.Image:
    background = tuple(int(value) for value in rng.integers(150, 255, 3))
    image = Image.new("RGB", (40, 40), background)
    centre_x, centre_y = (int(value) for value in rng.integers(14, 26, 2))
    circle = (centre_x, centre_y, int(rng.integers(8, 13)))
    ImageDraw.Draw(image).regular_polygon(circle, sides, int(rng.integers(0, 360)), fill=colour)
    return image


def write_figures(folder: Path, classes: int, images: int) -> Split:
    rng = np.random.default_rng(0)
    paths, targets = [], []
    for target in range(classes):
        colour = tuple(int(value) for value in rng.integers(0, 140, 3))
        for number in range(images):
            path = folder / f"class-{target}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            draw_figure(rng, 3 + target % 4, colour).save(path)  # type: ignore[arg-type]
            paths.append(path)
            targets.append(target)
    return Split(tuple(paths), np.array(targets, np.int64))


@pytest.fixture(scope="session")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """12 classes of 6 images, for training and validation; the test part has two other classes."""
    folder = tmp_path_factory.mktemp("figures")
    test = write_figures(folder / "test", 2, 2)
    return Benchmark("figures", test, test, train=write_figures(folder / "train", 12, 6))
