"""Where a map lies in a picture, against pixels that went through the transform itself."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from retrieval.placement import Placement, placement
from retrieval.transforms import FITS, Transform

SIZES = [(200, 120), (90, 240), (128, 128)]


def marked_picture(size: tuple[int, int], mark: tuple[int, int, int, int]) -> Image.Image:
    """A grey object on white with a red mark in it."""
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    width, height = size
    draw.rectangle((width // 5, height // 6, width * 9 // 10, height * 3 // 4), fill="#888888")
    draw.rectangle((mark[0], mark[1], mark[2] - 1, mark[3] - 1), fill="#ff0000")
    return picture


def redness(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(pixels[..., 0].astype(float) - pixels[..., 1])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fit", FITS)
def test_a_mark_is_where_the_placement_says(fit: str, size: tuple[int, int]) -> None:
    width, height = size
    mark = (width // 2, height // 2 - 9, width // 2 + 14, height // 2 + 7)
    picture = marked_picture(size, mark)
    transform = Transform(96, fit)
    pixels = transform.pixels(picture)
    seen = redness(pixels) > 128  # (H, W) of the input
    back = placement(transform, picture).spread(seen.astype(float), size)
    want = np.zeros((height, width), bool)
    want[mark[1] : mark[3], mark[0] : mark[2]] = True
    got = np.nan_to_num(back) > 0
    assert (got & want).sum() / (got | want).sum() > 0.7  # a pixel of the input is up to 2.5 of it


@pytest.mark.parametrize("fit", FITS)
def test_cells_and_pixels_agree(fit: str) -> None:
    picture = marked_picture((200, 120), (100, 50, 114, 66))
    placed = placement(Transform(96, fit), picture)
    numbers = np.arange(12.0).reshape(3, 4)
    spread = placed.spread(numbers, (200, 120))
    for row in range(3):
        for column in range(4):
            left, top, right, bottom = placed.cell((row, column), (3, 4))
            rows, columns = np.nonzero(spread == numbers[row, column])
            if len(rows) == 0:
                assert (right - left) * (bottom - top) < 1e-2
                continue
            assert columns.min() / 200 == pytest.approx(left, abs=0.01)
            assert (columns.max() + 1) / 200 == pytest.approx(right, abs=0.01)
            assert rows.min() / 120 == pytest.approx(top, abs=0.01)
            assert (rows.max() + 1) / 120 == pytest.approx(bottom, abs=0.01)


def test_what_was_not_shown_has_no_value() -> None:
    placed = Placement(shown=(0.25, 0.0, 0.75, 1.0))
    spread = placed.spread(np.array([[1.0, 2.0]]), (8, 2))
    none = np.nan
    np.testing.assert_array_equal(spread, [[none, none, 1, 1, 2, 2, none, none]] * 2)


def test_laid_background_belongs_to_no_pixel() -> None:
    placed = Placement(filled=(0.0, 0.25, 1.0, 0.75))
    spread = placed.spread(np.array([[1.0], [2.0], [3.0], [4.0]]), (1, 4))
    assert spread[:, 0].tolist() == [2, 2, 3, 3]
    assert placed.cell((0, 0), (4, 1)) == (0, 0, 1, 0)
    assert placed.cell((1, 0), (4, 1)) == (0, 0, 1, 0.5)
