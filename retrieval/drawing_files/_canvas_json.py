"""JSON of a canvas: what the drawing surface of the web page gives, by itself or in a picture."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..image_headers import Refusal
from ..strokes import CANVAS, PEN, Drawing, Stroke
from ._numbers import DRAWN_AGAIN, blank, check_count, is_number, shown

SHAPE = 'JSON of a canvas, with "width", "height" and "strokes"'
"""What it is, for the sentence about what is none."""

MAX_PROBES = 400_000
"""Most places of all strokes that are compared with one eraser stroke."""

STEP = 0.5
"""Between these places, in units of the canvas, unless the strokes are too long for it."""


def is_canvas(value: object) -> bool:
    """Whether a value of JSON looks like a canvas, or the list of its strokes."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, dict) and "p" in one for one in value)
    return isinstance(value, dict) and "strokes" in value


def drawing_of(value: Any) -> Drawing:  # noqa: ANN401
    """The drawing that a value of :func:`is_canvas` describes.

    Raises:
        Refusal: It describes none.
        BadInputError: A number is not what it must be.
    """
    canvas = value if isinstance(value, dict) else {"strokes": value}
    width, height = (_side(canvas, name) for name in ("width", "height"))
    listed = canvas["strokes"]
    if not isinstance(listed, list):
        raise Refusal('a drawing whose "strokes" is a list', shown(listed), DRAWN_AGAIN)
    if not listed:
        raise blank()
    check_count(sum(_count(one, number) for number, one in enumerate(listed)))
    kept: list[Stroke] = []
    for number, one in enumerate(listed):
        stroke = _stroke(one["p"], number)
        if _erases(one, number):
            kept = erased(kept, stroke, _width(one, number) / 2)
        else:
            _width(one, number)
            kept.append(stroke)
    if not kept:
        raise blank()
    return Drawing(tuple(kept), width, height)


def text_of(drawing: Drawing) -> bytes:
    """The drawing as JSON, in ASCII."""
    pen = PEN * max(drawing.width, drawing.height) / CANVAS
    strokes = [
        {"w": round(pen, 3), "erase": False, "p": _rows(stroke)} for stroke in drawing.strokes
    ]
    canvas = {"width": drawing.width, "height": drawing.height, "strokes": strokes}
    return json.dumps(canvas, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def erased(strokes: list[Stroke], eraser: Stroke, radius: float) -> list[Stroke]:
    """What remains of strokes when everything within ``radius`` of the eraser's path is gone."""
    total = sum(stroke.length for stroke in [*strokes, eraser])
    step = max(STEP, total / MAX_PROBES)
    path = np.linspace(0, eraser.length, max(2, int(eraser.length / step) + 1))
    tree = cKDTree(_at(eraser, path))
    remaining: list[Stroke] = []
    for stroke in strokes:
        probes = np.linspace(0, stroke.length, max(2, int(stroke.length / step) + 1))
        near = tree.query(_at(stroke, probes), distance_upper_bound=radius)[0] < radius
        if not near.any():
            remaining.append(stroke)
            continue
        edges = np.diff(np.concatenate([[True], near, [True]]).astype(np.int8))
        starts, ends = np.flatnonzero(edges < 0), np.flatnonzero(edges > 0) - 1
        for start, end in zip(starts, ends, strict=True):
            if end > start:  # a single place that is left is no line any more
                remaining.append(stroke.part(probes[start], probes[end]))
    return remaining


def _at(stroke: Stroke, ways: NDArray[np.float64]) -> NDArray[np.float64]:
    known = stroke.ways()
    return np.column_stack([np.interp(ways, known, stroke.points[:, axis]) for axis in (0, 1)])


def _side(canvas: dict[str, Any], name: str) -> float:
    side = canvas.get(name, CANVAS)
    if not is_number(side):
        raise Refusal(f'a drawing whose "{name}" is a number', shown(side), DRAWN_AGAIN)
    return float(side)


def _count(one: object, number: int) -> int:
    if not isinstance(one, dict) or not isinstance(one.get("p"), list):
        want = f'a drawing whose stroke {number} is an object with a list of points "p"'
        raise Refusal(want, shown(one), DRAWN_AGAIN)
    return len(one["p"])


def _width(one: dict[str, Any], number: int) -> float:
    width = one.get("w", PEN)
    if not is_number(width) or not 0 < width < float("inf"):
        want = f'a drawing whose stroke {number} has a width "w" of more than 0'
        raise Refusal(want, shown(width), DRAWN_AGAIN)
    return float(width)


def _erases(one: dict[str, Any], number: int) -> bool:
    erase = one.get("erase", False)
    if not isinstance(erase, bool):
        want = f'a drawing whose stroke {number} has "erase" true or false'
        raise Refusal(want, shown(erase), DRAWN_AGAIN)
    return erase


def _stroke(rows: list[Any], number: int) -> Stroke:
    if not rows:
        raise Refusal(f"a drawing whose stroke {number} has a point", "none", DRAWN_AGAIN)
    columns = len(rows[0]) if isinstance(rows[0], list) else 0
    timed = columns > 2 and not all(isinstance(row, list) and row[2:3] == [None] for row in rows)
    numbers = [0, 1, *([2] if timed else []), *([3] if columns == 4 else [])]
    for row in rows:
        if (
            columns not in (2, 3, 4)
            or not isinstance(row, list)
            or len(row) != columns
            or not all(is_number(row[place]) for place in numbers)
        ):
            want = f"a drawing whose stroke {number} has points [x, y, t_ms, pressure] of numbers"
            raise Refusal(want, shown(row), DRAWN_AGAIN)
    return Stroke(
        [row[:2] for row in rows],
        [row[2] for row in rows] if timed else None,
        [row[3] for row in rows] if columns == 4 else None,
    )


def _rows(stroke: Stroke) -> list[list[float | None]]:
    rows: list[list[float | None]] = [[_short(x), _short(y)] for x, y in stroke.points]
    if stroke.times is None and stroke.pressures is None:
        return rows
    times: list[float | None] = [None] * len(rows)
    if stroke.times is not None:
        times = list(stroke.times.tolist())
    rows = [[*row, time] for row, time in zip(rows, times, strict=True)]
    if stroke.pressures is None:
        return rows
    pressures = [_short(pressure) for pressure in stroke.pressures]
    return [[*row, pressure] for row, pressure in zip(rows, pressures, strict=True)]


def _short(value: np.float32) -> float:
    """The shortest decimal that is this number again when it is read."""
    return float(str(value))
