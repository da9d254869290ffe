"""SVG elements and transforms as curves."""

import math
import re
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..image_headers import Refusal
from ._svg_paths import Points, line, numbers, path_curves, turned

Matrix = NDArray[np.float64]
"""(3, 3) affine map of column vectors (x, y, 1)."""

_CALL = re.compile(r"\s*,?\s*([a-zA-Z]+)\s*\(([^)]*)\)")
_LENGTH = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(px)?\s*$")


def curves_of(tag: str, attributes: Mapping[str, str]) -> list[Points]:
    """The outlines of an element; none for one that is no shape.

    Raises:
        Refusal: An attribute is not what it must be.
    """
    shape = _SHAPES.get(tag)
    return [] if shape is None else shape(attributes)


def length(attributes: Mapping[str, str], name: str, default: float = 0.0) -> float:
    """A number of pixels, written with or without "px".

    Raises:
        Refusal: It has another unit or is none.
    """
    text = attributes.get(name)
    if text is None:
        return default
    match = _LENGTH.match(text)
    if match is None or not abs(float(match.group(1))) <= 1e9:
        raise Refusal(f"an SVG whose {name} is in pixels", repr(text[:20]), "Save it in pixels.")
    return float(match.group(1))


def matrix_of(text: str) -> Matrix:
    """A ``transform`` attribute.

    Raises:
        Refusal: It is none.
    """
    matrix, where = np.eye(3), 0
    while text[where:].strip(" \t\r\n,"):
        match = _CALL.match(text, where)
        if match is None or match.group(1) not in _TRANSFORMS:
            raise Refusal(
                "an SVG of known transforms", repr(text[where : where + 30]), "Save it again."
            )
        make, counts = _TRANSFORMS[match.group(1)]
        values = numbers(match.group(2))
        if len(values) not in counts:
            raise Refusal("an SVG of whole transforms", repr(match.group()[:30]), "Save it again.")
        matrix, where = matrix @ make(*values), match.end()
    return matrix


def _affine(a: float, b: float, c: float, d: float, e: float, f: float) -> Matrix:
    return np.array([[a, c, e], [b, d, f], [0, 0, 1]], np.float64)


def _rotate(angle: float, x: float = 0.0, y: float = 0.0) -> Matrix:
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn = _affine(cos, sin, -sin, cos, 0, 0)
    return np.asarray(_affine(1, 0, 0, 1, x, y) @ turn @ _affine(1, 0, 0, 1, -x, -y))


_TRANSFORMS: dict[str, tuple[Callable[..., Matrix], tuple[int, ...]]] = {
    "matrix": (_affine, (6,)),
    "translate": (lambda x, y=0.0: _affine(1, 0, 0, 1, x, y), (1, 2)),
    "scale": (lambda x, y=None: _affine(x, 0, 0, x if y is None else y, 0, 0), (1, 2)),
    "rotate": (_rotate, (1, 3)),
    "skewX": (lambda angle: _affine(1, 0, math.tan(math.radians(angle)), 1, 0, 0), (1,)),
    "skewY": (lambda angle: _affine(1, math.tan(math.radians(angle)), 0, 1, 0, 0), (1,)),
}


def _path(attributes: Mapping[str, str]) -> list[Points]:
    return path_curves(attributes.get("d", ""))


def _polyline(attributes: Mapping[str, str]) -> list[Points]:
    flat = numbers(attributes.get("points", ""))
    points = np.array(flat[: len(flat) // 2 * 2]).reshape(-1, 2)
    return [line(points)] if len(points) else []


def _polygon(attributes: Mapping[str, str]) -> list[Points]:
    return [np.concatenate([one, line(one[[-1, 0]])[1:]]) for one in _polyline(attributes)]


def _line(attributes: Mapping[str, str]) -> list[Points]:
    ends = [length(attributes, name) for name in ("x1", "y1", "x2", "y2")]
    return [line(np.array(ends).reshape(2, 2))]


def _rect(attributes: Mapping[str, str]) -> list[Points]:
    x, y, width, height = (length(attributes, name) for name in ("x", "y", "width", "height"))
    if width <= 0 or height <= 0:
        return []
    rx = length(attributes, "rx", length(attributes, "ry"))
    ry = length(attributes, "ry", rx)
    rx, ry = min(max(rx, 0.0), width / 2), min(max(ry, 0.0), height / 2)
    if not rx or not ry:
        corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]]
        return [line(np.array(corners))]
    pieces = []
    for quarter, corner in enumerate([(1, 0), (1, 1), (0, 1), (0, 0)]):
        centre = [x + rx + corner[0] * (width - 2 * rx), y + ry + corner[1] * (height - 2 * ry)]
        pieces.append(turned((quarter - 1) * math.pi / 2, math.pi / 2) * [rx, ry] + centre)
    joined = pieces[0]
    for piece in [*pieces[1:], pieces[0][:1]]:
        joined = np.concatenate([joined, line(np.stack([joined[-1], piece[0]]))[1:], piece[1:]])
    return [joined]


def _ellipse(attributes: Mapping[str, str]) -> list[Points]:
    rx = length(attributes, "rx", length(attributes, "r"))
    ry = length(attributes, "ry", rx)
    if rx <= 0 or ry <= 0:
        return []
    centre = [length(attributes, "cx"), length(attributes, "cy")]
    return [turned(0, 2 * math.pi) * [rx, ry] + centre]


_SHAPES: dict[str, Callable[[Mapping[str, str]], list[Points]]] = {
    "path": _path,
    "polyline": _polyline,
    "polygon": _polygon,
    "line": _line,
    "rect": _rect,
    "circle": _ellipse,
    "ellipse": _ellipse,
}
