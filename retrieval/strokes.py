"""Drawings as people make them: pen strokes in their order, and the one way they become pixels.

What a network was trained on and what it is later asked must come from the same pen: every sketch
of this program that has strokes is drawn by :meth:`Drawing.raster`, at any size, whole or in part.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from .errors import BadInputError

CANVAS = 256
"""Side of the canvas that pen widths are given for."""

PEN = 2.0
"""Width of the line on a canvas of 256, unless the caller says otherwise."""

MAX_COORDINATE = 1e6
"""How far from the origin a point may lie."""

SMALLEST, LARGEST = 16, 4096
"""Sides of a picture that a drawing is drawn at."""

_ZOOM = 4
_BAND = 1 << 24  # pixels that are drawn at once before they are averaged


@dataclass(frozen=True, eq=False)
class Stroke:
    """One way of the pen over the paper.

    Attributes:
        points: (K, 2) float32, x to the right and y down, K >= 1; a single point is a dot.
        times: (K,) float64 milliseconds, where they are known.
        pressures: (K,) float32 in 0..1, where they are known.

    Example:
        >>> Stroke([[0, 0], [3, 4]]).length
        5.0
    """

    points: NDArray[np.float32]
    times: NDArray[np.float64] | None = None
    pressures: NDArray[np.float32] | None = None

    def __init__(
        self, points: ArrayLike, times: ArrayLike | None = None, pressures: ArrayLike | None = None
    ) -> None:
        """Take anything that numpy makes numbers of.

        Raises:
            BadInputError: A shape is wrong, there is no point, or a number is not finite, beyond
                the limit of 1,000,000, or no pressure.
        """
        path = _frozen(points, np.float32, "points")
        if path.ndim != 2 or path.shape[1] != 2 or not len(path):
            raise BadInputError(f"points must be (K, 2), K at least 1; got {path.shape}.")
        if not (np.abs(path) <= MAX_COORDINATE).all():  # false for NaN
            raise BadInputError(
                f"points must be finite, at most {MAX_COORDINATE:,.0f} from the origin; got "
                f"{_worst(path)}. Scale the drawing down."
            )
        object.__setattr__(self, "points", path)
        object.__setattr__(self, "times", self._column(times, np.float64, "times"))
        object.__setattr__(self, "pressures", self._column(pressures, np.float32, "pressures"))
        known = self.pressures
        if known is not None and not ((known >= 0) & (known <= 1)).all():
            raise BadInputError(f"pressures must be in 0..1; got {_worst(known)}.")

    def _column(self, values: ArrayLike | None, dtype: type, name: str) -> NDArray[Any] | None:
        if values is None:
            return None
        column = _frozen(values, dtype, name)
        if column.shape != (len(self.points),):
            raise BadInputError(
                f"{name} must be ({len(self.points)},), one for each point; got {column.shape}."
            )
        if not np.isfinite(column).all():
            raise BadInputError(f"{name} must be finite; got {_worst(column)}.")
        return column

    @property
    def length(self) -> float:
        """Way of the pen."""
        return float(self.ways()[-1])

    def ways(self) -> NDArray[np.float64]:
        """(K,) way of the pen from the start of the stroke to each point."""
        steps = np.diff(self.points.astype(np.float64), axis=0)
        return np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])

    def part(self, start: float, end: float) -> "Stroke":
        """The stretch between two ways from the start; new ends are interpolated in everything.

        Example:
            >>> Stroke([[0, 0], [10, 0]], times=[0, 100]).part(2, 5).times.tolist()
            [20.0, 50.0]
        """
        ways = self.ways()
        inner = ways[(ways > start) & (ways < end)]
        where = np.concatenate([[start], inner, [end]]) if end > start else np.array([start])

        def along(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
            return np.asarray(np.interp(where, ways, values))

        return Stroke(
            np.column_stack([along(self.points[:, 0]), along(self.points[:, 1])]),
            None if self.times is None else along(self.times),
            None if self.pressures is None else along(self.pressures),
        )


@dataclass(frozen=True, eq=False)
class Drawing:
    """Strokes in the order they were drawn, on a canvas.

    Attributes:
        strokes: The first was drawn first. There may be none, and they may leave the canvas.
        width: Of the canvas, in the units of the points.
        height: Of the canvas.

    Example:
        >>> drawing = Drawing((Stroke([[0, 128], [256, 128]]),))
        >>> drawing.raster(64, pen=16).getpixel((32, 32))
        (0, 0, 0)
        >>> drawing.until(0.25).box
        (0.0, 128.0, 64.0, 128.0)
    """

    strokes: tuple[Stroke, ...]
    width: float = CANVAS
    height: float = CANVAS

    def __post_init__(self) -> None:
        object.__setattr__(self, "strokes", tuple(self.strokes))
        for name, side in (("width", self.width), ("height", self.height)):
            if not 0 < side <= MAX_COORDINATE:
                raise BadInputError(
                    f"{name} of a canvas must be more than 0 and at most {MAX_COORDINATE:,.0f}; "
                    f"got {side}."
                )

    @property
    def length(self) -> float:
        """Way of the pen on the paper, over all strokes."""
        return math.fsum(stroke.length for stroke in self.strokes)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of all points.

        Raises:
            BadInputError: There is no stroke.
        """
        if not self.strokes:
            raise BadInputError("a drawing must have a stroke to have a box; got none.")
        points = np.concatenate([stroke.points for stroke in self.strokes])
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        return left, top, right, bottom

    def fitted(self, size: float = CANVAS, margin: float | None = None) -> "Drawing":
        """The drawing on a square canvas of another size, its proportions kept.

        Args:
            size: Side of the new canvas.
            margin: Left free on every side: what was drawn is then centred and scaled until it
                fills the rest. Without it the canvas is scaled and centred, with what lies on it.

        Raises:
            BadInputError: Nothing is left between the margins.
        """
        if margin is not None and not 0 <= 2 * margin < size:
            raise BadInputError(f"margin must be at least 0 and below {size / 2:g}; got {margin}.")
        left, top, right, bottom = 0.0, 0.0, float(self.width), float(self.height)
        if margin is not None and self.strokes:
            left, top, right, bottom = self.box
        extent = max(right - left, bottom - top)
        scale = (size - 2 * (margin or 0)) / extent if extent else 1.0  # a dot is only moved
        shift = np.array([size - scale * (left + right), size - scale * (top + bottom)]) / 2
        return Drawing(tuple(moved(self.strokes, scale, shift)), size, size)

    def prefix(self, count: int) -> "Drawing":
        """The first strokes."""
        return replace(self, strokes=self.strokes[: max(0, count)])

    def until(self, share: float) -> "Drawing":
        """What was on the paper after a share of the pen's whole way.

        The stroke in work is cut there; time and pressure at the cut are interpolated. A dot has no
        way: it is there as soon as the pen has come to it.

        Raises:
            BadInputError: The share is not in 0..1.
        """
        if not 0 <= share <= 1:
            raise BadInputError(f"share must be in 0..1; got {share}.")
        if share == 1:
            return self
        way, kept = share * self.length, []
        for stroke in self.strokes:
            if stroke.length <= way:
                kept.append(stroke)
                way -= stroke.length
                continue
            if way > 0:
                kept.append(stroke.part(0, way))
            break
        return replace(self, strokes=tuple(kept))

    def raster(self, size: int = CANVAS, pen: float = PEN) -> Image.Image:
        """The drawing as a square RGB picture, black on white, anti-aliased, ends and joints round.

        The longer side of the canvas fills the picture and the shorter one is centred. The lines
        are drawn at four times the size and each 4 x 4 pixels averaged, so a pen is a multiple of a
        quarter of a pixel wide. The same drawing gives the same bytes.

        Args:
            size: Side of the picture, 16..4096 pixels.
            pen: Width of the line on a canvas of 256, more than 0 and at most 256: the pen grows
                with the picture.

        Raises:
            BadInputError: An argument is out of its range.
        """
        if not SMALLEST <= size <= LARGEST:
            raise BadInputError(f"size must be in {SMALLEST}..{LARGEST} pixels; got {size}.")
        if not 0 < pen <= CANVAS:
            raise BadInputError(f"pen must be more than 0 and at most {CANVAS}; got {pen}.")
        side = size * _ZOOM
        width = max(1, round(pen * side / CANVAS))
        pixels, starts = self._pixels(side)
        discs = pixels[_round(pixels, starts, width)]
        rows = min(side, max(_ZOOM, _BAND // side // _ZOOM * _ZOOM))
        picture = Image.new("L", (size, size), 255)
        for top in range(0, side, rows):
            band = Image.new("L", (side, min(rows, side - top)), 255)
            _draw(band, pixels - (0, top), starts, discs - (0, top), width)
            picture.paste(band.reduce(_ZOOM), (0, top // _ZOOM))
        return picture.convert("RGB")

    def _pixels(self, side: int) -> tuple[NDArray[np.int64], list[int]]:
        """(N, 2) all points in pixels of a square picture, and where each stroke starts in them.

        None is far outside: what is drawn there would cost time and not be seen.
        """
        if not self.strokes:
            return np.empty((0, 2), np.int64), []
        scale = side / max(self.width, self.height)
        shift = (side - scale * np.array([self.width, self.height])) / 2
        points = np.concatenate([stroke.points for stroke in self.strokes]) * scale + shift
        counts = [len(stroke.points) for stroke in self.strokes]
        starts = list(itertools.accumulate(counts[:-1], initial=0))
        return np.floor(points.clip(-side, 2 * side)).astype(np.int64), starts


def moved(strokes: Sequence[Stroke], scale: float, shift: NDArray[np.float64]) -> Iterator[Stroke]:
    """Strokes with ``scale * points + shift``; times and pressures stay."""
    for stroke in strokes:
        yield replace_points(stroke, stroke.points.astype(np.float64) * scale + shift)


def replace_points(stroke: Stroke, points: ArrayLike) -> Stroke:
    """A stroke that goes elsewhere, at the same times with the same pressures."""
    return Stroke(points, stroke.times, stroke.pressures)


def placed(strokes: Sequence[Stroke]) -> Drawing:
    """Strokes without a canvas, on a square one with a sixteenth free on every side.

    Their units are kept; a single dot gets a canvas of 256.
    """
    left, top, right, bottom = Drawing(tuple(strokes)).box
    extent = max(right - left, bottom - top)
    side = extent * 8 / 7 or float(CANVAS)
    shift = np.array([side - left - right, side - top - bottom]) / 2
    return Drawing(tuple(moved(strokes, 1.0, shift)), side, side)


def _draw(
    image: Image.Image,
    pixels: NDArray[np.int64],
    starts: Sequence[int],
    discs: NDArray[np.int64],
    width: int,
) -> None:
    """Black lines ``width`` pixels wide.

    Pillow draws each stretch of a wide line as a rectangle. The discs of round ends, and of the
    joints where the gap between two rectangles is a pixel wide, come on top.
    """
    pencil = ImageDraw.Draw(image)
    flat = pixels.ravel().tolist()
    for start, end in itertools.pairwise([*starts, len(pixels)]):
        pencil.line(flat[2 * start : 2 * end], fill=0, width=width)
    before, after = (width - 1) // 2, width // 2
    for x, y in discs.tolist():
        pencil.ellipse((x - before, y - before, x + after, y + after), fill=0)


def _round(pixels: NDArray[np.int64], starts: Sequence[int], width: int) -> NDArray[np.bool_]:
    """(N,) where a disc is needed: the ends of strokes, and turns that open a gap of a pixel."""
    needed = np.ones(len(pixels), np.bool_)
    steps = np.diff(pixels, axis=0)
    angles = np.arctan2(steps[:, 1], steps[:, 0])
    needed[1:-1] = np.abs(np.sin(np.diff(angles) / 2)) * width >= 1
    needed[starts] = True
    needed[np.array(starts[1:], np.int64) - 1] = True
    return needed


def _frozen(values: ArrayLike, dtype: type, name: str) -> NDArray[Any]:
    """An own copy that nobody can change."""
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused as not finite
            array: NDArray[Any] = np.array(values, dtype)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{name} must be numbers, as many in every row; got {error}.") from None
    array.setflags(write=False)
    return array


def _worst(values: NDArray[Any]) -> float:
    """The number that is not finite, or the largest."""
    flat = values.ravel()
    return float(flat[np.argmax(np.where(np.isfinite(flat), np.abs(flat), np.inf))])
