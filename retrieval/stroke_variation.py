"""The same thing drawn by another hand: strokes left out, bent, misplaced, drawn with another pen.

Changes to strokes say more than changes to their pixels: a person forgets a whole lace, not a
square of the picture, and a line stays a line however the hand shakes.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import map_coordinates

from .errors import BadInputError
from .strokes import CANVAS, Drawing, Stroke, replace_points

LATE, SHORT = 0.5, 2.0
"""How much likelier a late stroke, and a short one, is to be left out."""

CELLS = 4
"""Spans of the net by which a whole drawing is bent, along each side."""

BEND_EVERY = 48.0
"""Way of the pen, on a canvas of 256, between independent bends of a stroke."""

_SPREAD = math.sqrt(151 / 315)
"""Standard deviation of a cubic B-spline, on average, when that of its control values is 1."""


@dataclass(frozen=True)
class StrokeVariation:
    """How much changes. Lengths are in units of a canvas of 256; 0 leaves something as it is.

    Attributes:
        removed: Share of strokes that is left out on average; one stroke always stays.
        bent_strokes: Standard deviation of each stroke's own smooth deformation.
        bent_drawing: Standard deviation of one smooth deformation of everything.
        turned: Standard deviation of the rotation, degrees.
        scaled: Standard deviation of the logarithm of the size.
        stretched: Standard deviation of the logarithm of width by height.
        sheared: Standard deviation of the shear.
        shifted: Standard deviation of the shift, along each axis.
        thinnest: Least width of the pen.
        thickest: Most width of the pen.
        least_share: The drawing is cut at a share of its way between this and 1; 1 never cuts.

    References:
        Yu, Yang, Liu, Song, Xiang and Hospedales, Sketch-a-Net: a deep neural network that beats
        humans, IJCV 2017: strokes are removed with a chance that grows with their place in the
        order and falls with their length; each and all are deformed.
    """

    removed: float = 0.1
    bent_strokes: float = 1.5
    bent_drawing: float = 4.0
    turned: float = 4.0
    scaled: float = 0.06
    stretched: float = 0.06
    sheared: float = 0.03
    shifted: float = 5.0
    thinnest: float = 1.2
    thickest: float = 3.5
    least_share: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < math.inf:
                raise BadInputError(f"{name} must be at least 0 and finite; got {value}.")
        for name, value in (("removed", self.removed), ("least_share", self.least_share)):
            if value > 1:
                raise BadInputError(f"{name} must be a share in 0..1; got {value}.")
        if not 0 < self.thinnest <= self.thickest <= CANVAS:
            raise BadInputError(
                f"thinnest and thickest must be pens of more than 0, in this order, at most "
                f"{CANVAS}; got {self.thinnest} and {self.thickest}."
            )


def varied(
    drawing: Drawing, random: np.random.Generator, amounts: StrokeVariation | None = None
) -> Drawing:
    """The drawing as another hand might have made it, on the same canvas.

    Args:
        drawing: Is not changed. Without strokes it is returned as it is.
        random: Chance. The same state gives the same drawing.
        amounts: How much changes.
    """
    amounts = amounts or StrokeVariation()
    if amounts.least_share < 1:
        cut = drawing.until(float(random.uniform(amounts.least_share, 1)))
        drawing = cut if cut.strokes else drawing.prefix(1)
    if not drawing.strokes:
        return drawing
    strokes = _some(drawing.strokes, amounts.removed, random)
    unit = max(drawing.width, drawing.height) / CANVAS
    centre = np.array([drawing.width, drawing.height]) / 2
    net = random.standard_normal((2, CELLS + 3, CELLS + 3)) * amounts.bent_drawing / _SPREAD**2
    matrix, shift = _affine(amounts, random)
    bent = []
    for stroke in strokes:
        points = (stroke.points.astype(np.float64) - centre) / unit
        points = points + _own_bend(stroke.ways() / unit, amounts.bent_strokes, random)
        points = points + _bend(points, net)
        bent.append(replace_points(stroke, (points @ matrix.T + shift) * unit + centre))
    return Drawing(tuple(bent), drawing.width, drawing.height)


def varied_picture(
    drawing: Drawing,
    random: np.random.Generator,
    amounts: StrokeVariation | None = None,
    *,
    size: int = CANVAS,
) -> Image.Image:
    """The drawing as another hand with another pen might have made it, black on white.

    Args:
        drawing: Is not changed.
        random: Chance.
        amounts: How much changes.
        size: Side of the square picture.
    """
    amounts = amounts or StrokeVariation()
    pen = float(random.uniform(amounts.thinnest, amounts.thickest))
    return varied(drawing, random, amounts).raster(size, pen)


def removal_weights(strokes: tuple[Stroke, ...]) -> NDArray[np.float64]:
    """(N,) how likely each stroke is the next that is left out; the sum is 1.

    ``w_i ~ exp(LATE * o_i - SHORT * l_i)``, o the place in the order and l the length, both as
    shares of the largest.
    """
    order = np.arange(len(strokes)) / max(1, len(strokes) - 1)
    ways = np.array([stroke.length for stroke in strokes])
    weights = np.exp(LATE * order - SHORT * ways / max(ways.max(), 1e-9))
    return np.asarray(weights / weights.sum())


def _some(
    strokes: tuple[Stroke, ...], removed: float, random: np.random.Generator
) -> tuple[Stroke, ...]:
    count = min(int(random.binomial(len(strokes), removed)), len(strokes) - 1)
    gone = random.choice(len(strokes), count, replace=False, p=removal_weights(strokes))
    without = set(gone.tolist())
    return tuple(stroke for place, stroke in enumerate(strokes) if place not in without)


def _affine(
    amounts: StrokeVariation, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """About the centre: stretch and size, then shear, then turn, then shift."""
    angle = math.radians(random.normal(0, amounts.turned))
    size, stretch = random.normal(0, amounts.scaled), random.normal(0, amounts.stretched) / 2
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shear = np.array([[1, random.normal(0, amounts.sheared)], [0, 1]])
    matrix = turn @ shear @ np.diag(np.exp([size + stretch, size - stretch]))
    return matrix, random.normal(0, amounts.shifted, 2)


def _bend(points: NDArray[np.float64], net: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, 2) shift of each point, smooth over the canvas: a cubic B-spline over a net."""
    where = ((points / CANVAS + 0.5) * CELLS + 1)[:, ::-1].T
    shifts = [map_coordinates(one, where, order=3, mode="nearest", prefilter=False) for one in net]
    return np.column_stack(shifts)


def _own_bend(
    ways: NDArray[np.float64], amount: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """(K, 2) shift of each point, smooth along the stroke."""
    knots = random.standard_normal((2, int(ways[-1] / BEND_EVERY) + 4)) * amount / _SPREAD
    where = (ways / BEND_EVERY + 1)[None]
    shifts = [
        map_coordinates(one, where, order=3, mode="nearest", prefilter=False) for one in knots
    ]
    return np.column_stack(shifts)
