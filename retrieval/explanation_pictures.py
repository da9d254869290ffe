"""What :mod:`retrieval.explain` found, laid over the pictures it is about."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .charts import PALETTE
from .explain import Correspondence, ExplainedPair, ExplainedPicture
from .placement import Box, Placement

SHOWN = 8
"""Corresponding regions that are numbered."""

SIDE = 320
"""Longer side of a panel in pixels."""

_FOR, _AGAINST = (213, 94, 0), (0, 114, 178)
_STRONGEST = 0.8  # opacity of the largest contribution
_FADED = 0.72
_GAP, _TEXT = 14, 40


def overlay(
    picture: Image.Image,
    contributions: NDArray[np.float64],
    placement: Placement,
    largest: float | None = None,
) -> Image.Image:
    """A picture in grey with what speaks for the score in orange, against it in blue.

    Args:
        picture: RGB, any copy of the one that was explained.
        contributions: (h, w).
        placement: Where the map lies in the picture.
        largest: Magnitude that is drawn strongest; the largest there is when left out. Give one for
            two pictures that shall be compared.
    """
    values = np.nan_to_num(placement.spread(contributions, picture.size))  # (H, W)
    most = float(np.abs(contributions).max()) if largest is None else largest
    opacity = np.minimum(np.abs(values) / (most or 1.0), 1.0)[..., None] * _STRONGEST
    grey = np.asarray(picture.convert("L").convert("RGB"), np.float64)
    colour = np.where(values[..., None] >= 0, np.array(_FOR), np.array(_AGAINST))
    return Image.fromarray(np.rint(grey + opacity * (colour - grey)).astype(np.uint8))


def selected(picture: Image.Image, mask: NDArray[np.bool_], placement: Placement) -> Image.Image:
    """A picture with everything outside a mask faded.

    Args:
        picture: RGB, any copy of the one that was explained.
        mask: (h, w).
        placement: Where the map lies in the picture.
    """
    inside = placement.spread(mask.astype(np.float64), picture.size) > 0  # not where it is NaN
    faded = Image.blend(picture, Image.new("RGB", picture.size, "white"), _FADED)
    return Image.composite(picture, faded, Image.fromarray(inside))


def numbered(picture: Image.Image, regions: Sequence[Box]) -> Image.Image:
    """A picture with regions framed and numbered from 1."""
    drawn = picture.copy()
    draw = ImageDraw.Draw(drawn)
    width, height = picture.size
    font = ImageFont.load_default(max(10, max(picture.size) // 20))
    for number, (left, top, right, bottom) in enumerate(regions, 1):
        colour = PALETTE[(number - 1) % len(PALETTE)]
        corner = (left * width, top * height)
        draw.rectangle((*corner, right * width - 1, bottom * height - 1), outline=colour, width=2)
        box = draw.textbbox(corner, str(number), font=font)
        draw.rectangle((box[0], box[1], box[2] + 4, box[3] + 3), fill=colour)
        draw.text((corner[0] + 2, corner[1] + 1), str(number), fill="white", font=font)
    return drawn


def shown_correspondences(explained: ExplainedPair, most: int = SHOWN) -> list[Correspondence]:
    """Those on both objects first, each kind nearest first; at most ``most``."""
    ordered = sorted(explained.correspondences, key=lambda one: not one.on_objects)
    return ordered[:most]


def panels(
    explained: ExplainedPair, query: Image.Image, hit: Image.Image
) -> tuple[list[Image.Image], list[Image.Image]]:
    """Of query and hit: the object, corresponding regions, contributions on one scale.

    Args:
        explained: What was found.
        query: RGB, any copy of the query.
        hit: RGB, any copy of the hit.
    """
    found = shown_correspondences(explained)
    sides = (explained.query, explained.hit)
    largest = max(float(np.abs(side.contributions).max()) for side in sides)
    positions = ([one.query for one in found], [one.hit for one in found])
    rows = []
    for side, picture, places in zip(sides, (query, hit), positions, strict=True):
        small = _small(picture)
        shape = side.contributions.shape
        regions = [side.placement.cell(place, (shape[0], shape[1])) for place in places]
        rows.append(
            [
                selected(small, side.mask, side.placement),
                numbered(small, regions),
                overlay(small, side.contributions, side.placement, largest),
            ]
        )
    return rows[0], rows[1]


def sheet(explained: ExplainedPair, query: Image.Image, hit: Image.Image) -> Image.Image:
    """All panels as one picture, the query's above the hit's, with the sums below each row."""
    rows = panels(explained, query, hit)
    texts = [sums("query", explained.query), sums("hit", explained.hit)]
    canvas = Image.new("RGB", (_GAP + 3 * (SIDE + _GAP), _GAP + 2 * (SIDE + _TEXT) + _GAP), "white")
    draw = ImageDraw.Draw(canvas)
    for row, (pictures, text) in enumerate(zip(rows, texts, strict=True)):
        top = _GAP + row * (SIDE + _TEXT)
        for column, picture in enumerate(pictures):
            left = _GAP + column * (SIDE + _GAP)
            shift = ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2)
            canvas.paste(picture, (left + shift[0], top + shift[1]))
        line = f"{text} = score {explained.score:.4f}"
        draw.text((_GAP, top + SIDE + 8), line, fill="#1c1c1e", font=ImageFont.load_default(15))
    return canvas


def sums(name: str, side: ExplainedPicture) -> str:
    """The parts of the score on one side, in a line."""
    places, constant = signed(float(side.contributions.sum())), signed(side.constant)
    parts = f"{name}: places {places}  constant {constant}"
    return parts if side.exact else f"{parts}  not credited {signed(side.remainder)}  (approximate)"


def signed(value: float) -> str:
    """A part of a score, with its sign; rounding leaves no minus zero.

    Example:
        >>> signed(-0.25), signed(-1e-9)
        ('-0.2500', '+0.0000')
    """
    return f"{round(value, 4) + 0.0:+.4f}"


def _small(picture: Image.Image) -> Image.Image:
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC)
