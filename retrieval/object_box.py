"""Where the one thing on a plain background is: what a drawing and a product photo have in common.

A drawing may be anywhere on its canvas, small or large, and a product photo has margins of its own.
Cropped to what differs from the background, the two meet aligned.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

NEAR = 24
"""Most by which a channel of the background differs from its colour: what JPEG and paper do."""

PLAIN = 0.75
"""Least share of the outermost pixels that a plain background has; the rest may be the object."""

WHITE = (255, 255, 255)

_FAR = [0] * (NEAR + 1) + [255] * (255 - NEAR)


@dataclass(frozen=True)
class ObjectBox:
    """What differs from the background.

    Attributes:
        box: (left, top, right, bottom) in pixels; the last two are the first ones outside.
        background: Its colour.
    """

    box: tuple[int, int, int, int]
    background: tuple[int, int, int]


def object_box(image: Image.Image) -> ObjectBox | None:
    """The smallest box with everything that is not background.

    The background is white where enough of the outermost pixels are nearly white, else of their
    median colour.

    Args:
        image: RGB.

    Returns:
        None where the background is not plain, or nothing is on it.

    Example:
        >>> picture = Image.new("RGB", (64, 48), "white")
        >>> picture.paste("black", (10, 5, 30, 40))
        >>> object_box(picture)
        ObjectBox(box=(10, 5, 30, 40), background=(255, 255, 255))
    """
    background = _background(_outermost(image))
    if background is None:
        return None
    difference = ImageChops.difference(image, Image.new("RGB", image.size, background))
    box = difference.point(_FAR * 3).getbbox()
    return None if box is None else ObjectBox(box, background)


def _outermost(image: Image.Image) -> NDArray[np.int16]:
    """(N, 3) pixels of the four sides."""
    pixels = np.asarray(image)
    sides = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return np.concatenate(sides).astype(np.int16)


def _background(sides: NDArray[np.int16]) -> tuple[int, int, int] | None:
    for colour in (WHITE, np.median(sides, axis=0).astype(int).tolist()):
        if (np.abs(sides - np.array(colour, np.int16)) <= NEAR).all(axis=1).mean() >= PLAIN:
            red, green, blue = colour
            return red, green, blue
    return None
