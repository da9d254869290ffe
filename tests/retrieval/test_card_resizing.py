"""What the model card tells others to do to a picture is what the transform does."""

import numpy as np
import pytest
from PIL import Image

from retrieval.exports._card import _RESIZING
from retrieval.transforms import FITS, Transform


def product(colour: str) -> Image.Image:
    picture = Image.new("RGB", (90, 60), colour)
    picture.paste("#402010", (20, 9, 61, 30))
    return picture


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8))


@pytest.mark.parametrize("fit", [one for one in FITS if one != "native"])
@pytest.mark.parametrize(
    "picture",
    [product("white"), product("#90a0b0"), NOISE, Image.new("RGB", (50, 40), "white")],
    ids=["white", "grey", "noise", "blank"],
)
def test_the_card_resizes_as_the_transform_does(fit: str, picture: Image.Image) -> None:
    transform = Transform(48, fit, margin=0.1)
    body = _RESIZING[fit].format(share=transform.crop_share, margin=transform.margin)
    names = {"Image": Image, "np": np, "S": 48, "picture": picture}
    exec("if True:\n" + body, names)
    np.testing.assert_array_equal(np.asarray(names["picture"]), transform.pixels(picture))
