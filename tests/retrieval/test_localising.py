"""Where a classifier looks: the attention of its head over the picture, and a box."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from retrieval.backbones import Backbone
from retrieval.classifier import Classifier, build_classifier, build_head
from retrieval.errors import BadInputError
from retrieval.heads.softmax import Softmax
from retrieval.images import ImageError
from retrieval.localisation_pictures import SIDE, drawn
from retrieval.localising import Localised, box_around, localise
from retrieval.placement import Placement
from retrieval.transforms import Transform


class Darkness(Backbone):
    """A map of 8 x 8 cells that says how dark the picture is there."""

    channels = (1, 1)
    stride, size = 4, 32
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        dark = torch.nn.functional.avg_pool2d(1 - images.mean(dim=1, keepdim=True), 4)
        return dark, dark


def classifier(fit: str = "squash") -> Classifier:
    network = Darkness()
    head = build_head({"name": "softmax"}, network.channels, 2)
    transform = Transform(32, fit, mean=network.mean, std=network.std)
    return Classifier(network, head, transform, ["a", "b"]).eval()


def photo(folder: Path, size: tuple[int, int], box: tuple[int, int, int, int]) -> Path:
    """A black rectangle on white; the last two numbers are the first ones outside."""
    picture = Image.new("RGB", size, "white")
    picture.paste("black", box)
    ImageDraw.Draw(picture).point((size[0] - 1, 0), "black")  # another part, far smaller
    path = folder / "photo.png"
    picture.save(path)
    return path


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("size", [(64, 64), (128, 64), (64, 128)])
def test_the_box_is_around_what_is_looked_at(
    fit: str, size: tuple[int, int], tmp_path: Path
) -> None:
    """Within a cell of it, however the picture was made to fit."""
    middle = size[0] // 2, size[1] // 2
    box = (middle[0] - 16, middle[1] - 8, middle[0] + 16, middle[1] + 16)
    found = localise(classifier(fit), photo(tmp_path, size, box))
    assert found.attention.shape == (8, 8)
    cell = max(size) / 8
    for end, want, side in zip(found.box, box, (*size, *size), strict=True):
        assert abs(end * side - want) <= cell, (found.box, box)


def test_it_is_the_attention_of_the_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not that of the map, where a head has its own."""
    path = photo(tmp_path, (64, 64), (0, 0, 16, 16))
    own = torch.zeros(1, 8, 8)
    own[0, 6, 5:7] = 1
    monkeypatch.setattr(Softmax, "attention", lambda self, last, early=None: own)
    found = localise(classifier(), path)
    np.testing.assert_array_equal(found.attention, own[0].numpy())
    assert found.box == (5 / 8, 6 / 8, 7 / 8, 7 / 8)


def test_what_lies_beside_the_picture_is_passed_over() -> None:
    """Of a wide picture in the middle of a square, rows 0, 1, 6 and 7 are laid background."""
    placed = Placement(filled=(0.0, 0.25, 1.0, 0.75))
    attention = np.zeros((8, 8))
    attention[0] = attention[7] = 5  # larger parts, but not of the picture
    attention[3, 2:4] = 1
    assert box_around(attention, placed) == pytest.approx((2 / 8, 1 / 4, 4 / 8, 2 / 4))


def test_a_map_that_is_alike_everywhere_gives_what_was_shown() -> None:
    shown = (0.2, 0.1, 0.8, 0.9)
    assert box_around(np.ones((3, 3)), Placement(shown=shown)) == shown
    assert box_around(np.zeros((1, 1)), Placement()) == (0, 0, 1, 1)


def test_what_is_drawn(tmp_path: Path) -> None:
    """Orange where it is looked at, grey elsewhere, framed in blue; the map keeps its place."""
    path = photo(tmp_path, (200, 100), (120, 40, 180, 80))
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    attention = np.zeros((4, 8))
    attention[2, 5:7] = 1.0
    found = Localised(picture, attention, (0.5, 0.5, 0.875, 0.75), Placement())
    pixels = np.asarray(drawn(found)).astype(int)
    assert pixels.shape == (SIDE // 2, SIDE, 3)
    middle = pixels[150, 360]  # of the two cells
    assert middle[0] > middle[1] + 60 > middle[2] + 60
    far = pixels[30, 60]
    assert far.max() - far.min() == 0
    assert pixels[120, 300].tolist() == pixels[150, 240].tolist() == [0, 114, 178]


@pytest.mark.parametrize("size", [(600, 1), (1, 600)])
def test_pictures_of_one_row_are_survived(size: tuple[int, int]) -> None:
    attention = np.zeros((8, 8))
    attention[6, 6] = 1.0
    found = Localised(
        Image.new("RGB", size), attention, box_around(attention, Placement()), Placement()
    )
    assert max(drawn(found).size) == SIDE


def test_what_is_refused(tmp_path: Path) -> None:
    made = build_classifier(["a", "b"], "small", size=32)
    path = tmp_path / "photo.png"
    path.write_bytes(b"nothing")
    with pytest.raises(ImageError):
        localise(made, path)
    Image.new("RGB", (32, 32)).save(path)
    with pytest.raises(BadInputError, match="classifier must be in eval mode; got train mode"):
        localise(made.train(), path)
