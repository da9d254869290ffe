"""How a training picture is varied: crop, mirror, colour, a hidden rectangle.

Pillow cuts and scales (antialiased, without the interpreter's lock), and all colour changes of a
picture are one 3 x 3 matrix and an offset, because brightness, contrast, saturation and hue are
all linear in RGB. So a 96-pixel picture costs about a quarter of a millisecond.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .config import AugmentConfig

GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in the brightness of a colour (ITU-R BT.601)."""

TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
"""RGB to brightness and two colour axes; turning the plane of these two turns the hue."""


@dataclass(frozen=True)
class Augmentation:
    """What happens to one picture, drawn beforehand so that threads cannot change it.

    Attributes:
        box: Left, top, width and height of the crop, as shares of the picture. Where it reaches
            beyond the picture, that is mirrored at its edges.
        mirrored: Whether left and right change places.
        brightness: Factor.
        contrast: Factor of the distance to the picture's mean grey.
        saturation: Factor of the distance of each pixel to its own grey; 0 makes it grey.
        hue: Turn of the colour circle in radians, from red towards green.
        hidden: Like ``box``, in the crop: what is painted over; None hides nothing.
    """

    box: tuple[float, float, float, float]
    mirrored: bool
    brightness: float
    contrast: float
    saturation: float
    hue: float
    hidden: tuple[float, float, float, float] | None

    def __call__(
        self, picture: NDArray[np.uint8], size: int, mean: tuple[float, float, float]
    ) -> NDArray[np.float32]:
        """(H, W, 3) uint8 to (size, size, 3) float32, still 0 to 255 but for strong colours.

        Args:
            picture: RGB.
            size: Side of what comes out, in pixels.
            mean: Colour of the hidden rectangle, each in [0, 1]: the encoder's mean, so that the
                network sees zeros.
        """
        picture, box = _enlarged(picture, self.box)
        image = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC, box)
        if self.mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = np.asarray(image, np.float32)  # (size, size, 3)
        matrix, offset = self.colours(pixels.reshape(-1, 3).mean(axis=0))
        varied: NDArray[np.float32] = pixels @ matrix.T + offset
        if self.hidden is not None:
            x, y, w, h = (round(size * part) for part in self.hidden)
            varied[y : y + h, x : x + w] = np.array(mean, np.float32) * 255
        return varied

    def colours(self, mean: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """All colour changes of a picture with this mean colour: matrix (3, 3) and offset (3,).

        A pixel x becomes ``matrix @ x + offset``, in the order brightness, contrast, saturation,
        hue, without cutting at 0 and 255.
        """
        matrix = np.eye(3, dtype=np.float32) * np.float32(self.brightness * self.contrast)
        middle = float(GREY @ mean) * self.brightness
        offset = np.full(3, middle * (1 - self.contrast), np.float32)
        turn = self.saturation * np.eye(3) + (1 - self.saturation) * np.tile(GREY, (3, 1))
        if self.hue:
            cos, sin = math.cos(self.hue), math.sin(self.hue)
            rotation = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
            turn = np.linalg.solve(TO_YIQ, rotation @ TO_YIQ) @ turn
        turn32 = turn.astype(np.float32)
        return turn32 @ matrix, turn32 @ offset


def draw(config: AugmentConfig, rng: np.random.Generator) -> Augmentation:
    """A random variation within the limits of the recipe."""
    return Augmentation(
        box=_crop(config, rng),
        mirrored=config.flip and rng.random() < 0.5,
        brightness=_around_one(config.brightness, rng),
        contrast=_around_one(config.contrast, rng),
        saturation=0.0 if rng.random() < config.grey else _around_one(config.saturation, rng),
        hue=float(rng.uniform(-config.hue, config.hue)) * 2 * math.pi,
        hidden=_rectangle(rng) if rng.random() < config.erase else None,
    )


def _around_one(amount: float, rng: np.random.Generator) -> float:
    return float(rng.uniform(1 - amount, 1 + amount))


def _crop(config: AugmentConfig, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Area uniform, logarithm of the aspect ratio uniform, cut to what fits (Inception's crop).

    A side that is longer than the picture's lies around it.
    """
    area = rng.uniform(config.crop_share, config.crop_largest)
    aspect = math.exp(rng.uniform(-1, 1) * math.log(config.crop_aspect))
    longest = math.sqrt(config.crop_largest)
    width = min(longest, math.sqrt(area * aspect))
    height = min(longest, math.sqrt(area / aspect))
    left, top = (1 - width) * float(rng.random()), (1 - height) * float(rng.random())
    return left, top, width, height


def _enlarged(
    picture: NDArray[np.uint8], shares: tuple[float, float, float, float]
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]]:
    """A picture that holds the crop, and the crop in its pixels: left, top, right, bottom."""
    height, width = picture.shape[:2]
    left, top = shares[0] * width, shares[1] * height
    right, bottom = left + shares[2] * width, top + shares[3] * height
    before = math.ceil(max(0.0, -top)), math.ceil(max(0.0, -left))
    after = math.ceil(max(0.0, bottom - height)), math.ceil(max(0.0, right - width))
    if any(before + after):
        around = ((before[0], after[0]), (before[1], after[1]), (0, 0))
        picture = np.pad(picture, around, mode="symmetric")
    x, y = before[1], before[0]
    return picture, (
        left + x,
        top + y,
        min(right + x, picture.shape[1]),
        min(bottom + y, picture.shape[0]),
    )


def _rectangle(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Between a fiftieth and a third of the area (Zhong et al., Random Erasing, AAAI 2020)."""
    area, aspect = rng.uniform(0.02, 0.33), math.exp(rng.uniform(-1, 1) * math.log(3.0))
    width, height = min(1.0, math.sqrt(area * aspect)), min(1.0, math.sqrt(area / aspect))
    return float(rng.uniform(0, 1 - width)), float(rng.uniform(0, 1 - height)), width, height
