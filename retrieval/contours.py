"""Photos as drawings: the lines a person would draw of an object on a plain background.

For baselines that compare a sketch with a photo's edges, and for training where photos have no
sketches. Edges are those of Canny; what makes a drawing of them is the choice and the order: the
outline of the object first, then lines inside it, long before short, and no more than a person has
the patience for.

References:
    Canny, A computational approach to edge detection, PAMI 1986: derivatives of a Gaussian, maxima
    across the edge, two thresholds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import (
    binary_fill_holes,
    distance_transform_cdt,
    gaussian_filter,
    gaussian_filter1d,
    label,
)

from .catalogue.contours import rounded, trace
from .catalogue.curves import Curve, lengths, resample
from .errors import BadInputError
from .strokes import CANVAS, PEN, Drawing, Stroke

Plane = NDArray[np.float32]
"""(H, W) one number a pixel."""

SIDE = 224
"""Longer side in pixels at which lines are looked for."""

_AROUND = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]
"""The eight neighbours of a pixel, (down, right), clockwise."""

_TURNS = (0, 1, -1, 2, -2, 3, -3, 4)
"""How far a path turns, in eighths, the least first."""


@dataclass(frozen=True)
class ContourChoice:
    """Which of a photo's edges become lines.

    Attributes:
        blur: Sigma of the Gaussian in pixels: what is finer is no line.
        weak: Least contrast, in grey levels a pixel, of a line that begins at a strong edge.
        strong: Contrast at which a line begins.
        shortest: Least length of a line inside, in pixels of a picture of 224.
        patience: Most length of all lines inside, as a multiple of the outline's.
        background: Distance from the background's colour, in grey levels, that is object.
        spacing: Between the points of a stroke.
    """

    blur: float = 1.4
    weak: float = 3.0
    strong: float = 8.0
    shortest: float = 14.0
    patience: float = 2.5
    background: float = 12.0
    spacing: float = 3.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise BadInputError(f"{name} must be more than 0; got {value}.")
        if self.weak > self.strong:
            raise BadInputError(f"weak must be at most strong, {self.strong}; got {self.weak}.")


def contours(image: Image.Image, choice: ContourChoice | None = None) -> Drawing:
    """The lines of a photo on a canvas of 256, the outline first, then long lines before short.

    Where the background is not of one colour there is no outline, only edges. A photo without any
    edge gives a drawing without strokes.

    Args:
        image: RGB, upright.
        choice: Which edges become lines.
    """
    choice = choice or ContourChoice()
    pixels = _pixels(image)
    height, width = pixels.shape[:2]
    # the eye sees lines on black leather that are few grey levels deep
    grey = 16 * np.sqrt(pixels @ np.array([0.299, 0.587, 0.114], np.float32))
    seen = silhouette(pixels, choice.background)
    outline = [_closed(rounded(loop, 2.0)) for loop in _borders(seen)]
    ridge, strength = edges(grey, choice)
    if outline:
        inside = distance_transform_cdt(seen, "taxicab") > 5
        ridge &= inside
    paths = [path for path in linked(ridge) if len(path) >= choice.shortest]
    spent, budget = 0.0, choice.patience * _ink(outline, width + height)
    lines = []
    for path in sorted(paths, key=lambda path: -_worth(path, strength)):
        if spent + len(path) > budget:
            break
        spent += len(path)
        lines.append(_smoothed(path))
    lines.sort(key=lambda line: -lengths(line)[-1])
    scale = CANVAS / max(width, height)
    shift = (CANVAS - scale * np.array([width, height])) / 2
    strokes = [
        Stroke(resample(line * scale + shift, choice.spacing)) for line in [*outline, *lines]
    ]
    return Drawing(tuple(strokes))


def edge_map(
    image: Image.Image, choice: ContourChoice | None = None, *, size: int = CANVAS, pen: float = PEN
) -> Image.Image:
    """A photo as the picture of its lines, black on white: what a sketch of it may be compared to.

    Args:
        image: RGB, upright.
        choice: Which edges become lines.
        size: Side of the square picture.
        pen: Width of the lines on a canvas of 256.
    """
    return contours(image, choice).raster(size, pen)


def silhouette(pixels: NDArray[np.float32], distance: float) -> NDArray[np.bool_]:
    """(H, W) where the object is; all False where the background is not of one colour.

    The background's colour is the median of the picture's rim. The object is whatever is further
    from it in any channel, its holes filled that are not large.

    Args:
        pixels: (H, W, 3) in 0..255.
        distance: In grey levels.
    """
    rim = np.concatenate([pixels[:2].reshape(-1, 3), pixels[-2:].reshape(-1, 3)])
    rim = np.concatenate([rim, pixels[:, :2].reshape(-1, 3), pixels[:, -2:].reshape(-1, 3)])
    colour = np.median(rim, axis=0)
    nothing = np.zeros(pixels.shape[:2], np.bool_)
    if (np.abs(rim - colour).max(1) > distance).mean() > 0.25:
        return nothing
    far = np.abs(pixels - colour).max(2) > distance
    whole = binary_fill_holes(far)
    holes, count = label(whole & ~far)
    if count:
        large = np.bincount(holes.ravel(), minlength=count + 1) > 0.004 * far.size
        large[0] = False
        whole &= ~large[holes]
    parts, count = label(whole)
    if not count:
        return nothing
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    return np.asarray((areas > 0.1 * areas.max())[parts] & (parts > 0))


def edges(grey: Plane, choice: ContourChoice) -> tuple[NDArray[np.bool_], Plane]:
    """Canny's edges.

    Args:
        grey: (H, W) in 0..255.
        choice: Blur and thresholds.

    Returns:
        (H, W) True on the ridge of an edge, one or two pixels wide, and (H, W) the contrast.
    """
    down = gaussian_filter(grey, choice.blur, order=(1, 0), mode="nearest", truncate=3)
    across = gaussian_filter(grey, choice.blur, order=(0, 1), mode="nearest", truncate=3)
    strength = np.hypot(down, across)
    weak = _ridge(down, across, strength) & (strength >= choice.weak)
    parts, count = label(weak, np.ones((3, 3)))
    kept = np.zeros(count + 1, np.bool_)
    kept[parts[weak & (strength >= choice.strong)]] = True
    kept[0] = False
    return kept[parts], strength


def linked(ridge: NDArray[np.bool_]) -> list[Curve]:
    """Pixels of edges as ordered paths of (column, row), each pixel in one path.

    A path begins at an end where there is one, and goes straight on where it can.

    Args:
        ridge: (H, W).
    """
    padded = np.pad(ridge, 1)
    width = padded.shape[1]
    steps = [dy * width + dx for dy, dx in _AROUND]
    flat = padded.ravel()
    pixels = np.flatnonzero(flat)
    neighbours = sum(flat[pixels + step].astype(np.int8) for step in steps)
    free = bytearray(flat.tobytes())
    paths = []
    for start in [*pixels[neighbours == 1].tolist(), *pixels[neighbours != 1].tolist()]:
        if free[start]:
            free[start] = 0
            there = _walk(start, steps, free)
            back = _walk(start, steps, free)  # goes on only where the start is in the middle
            path = np.array([*back[::-1], start, *there])
            paths.append(np.column_stack([path % width, path // width]) - 0.5)
    return paths


def _walk(here: int, steps: list[int], free: bytearray) -> list[int]:
    """From a pixel on along free ones, which are taken; a straight way before a turn."""
    path: list[int] = []
    heading = 0
    while True:
        for turn in _TURNS:
            onward = here + steps[(heading + turn) % 8]
            if free[onward]:
                break
        else:
            return path
        heading = (heading + turn) % 8
        free[onward] = 0
        path.append(onward)
        here = onward


def _pixels(image: Image.Image) -> NDArray[np.float32]:
    scale = SIDE / max(image.size)
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    rgb = image.convert("RGB")
    if rgb.size != size:
        rgb = rgb.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(rgb).astype(np.float32)


def _borders(seen: NDArray[np.bool_]) -> list[Curve]:
    loops = trace(seen) if seen.any() else []
    return [loop for loop in loops if len(loop) > 60]


def _closed(loop: Curve) -> Curve:
    return np.concatenate([loop, loop[:1]])


def _ink(outline: list[Curve], otherwise: float) -> float:
    return sum(float(lengths(line)[-1]) for line in outline) or otherwise


def _worth(path: Curve, strength: Plane) -> float:
    column, row = path.astype(int).T
    return len(path) * float(strength[row, column].mean())


def _smoothed(path: Curve) -> Curve:
    """Without the steps of its pixels, its ends where they were."""
    smooth = gaussian_filter1d(path, 2.0, axis=0, mode="nearest")
    smooth[0], smooth[-1] = path[0], path[-1]
    return np.asarray(smooth)


def _ridge(down: Plane, across: Plane, strength: Plane) -> NDArray[np.bool_]:
    """Where the contrast is largest across the edge, in the nearest of four directions."""
    padded = np.pad(strength, 1)
    height, width = strength.shape

    def beside(dy: int, dx: int) -> Plane:
        return padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    steep, flat = np.abs(down), np.abs(across)
    tangent = np.float32(np.tan(np.pi / 8))
    level, upright = steep <= tangent * flat, flat <= tangent * steep
    falling = (down * across) > 0
    found = np.zeros(strength.shape, np.bool_)
    directions = [
        (level, (0, 1)),
        (upright, (1, 0)),
        (~level & ~upright & falling, (1, 1)),
        (~level & ~upright & ~falling, (1, -1)),
    ]
    for where, (dy, dx) in directions:
        found |= where & (strength > beside(dy, dx)) & (strength >= beside(-dy, -dx))
    return found
