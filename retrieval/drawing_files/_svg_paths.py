"""The ``d`` of an SVG path as cubic curves, and cubic curves as points.

References:
    Scalable Vector Graphics 1.1, W3C 2011, section 8.3 (path data) and appendix F.6 (arcs).
"""

import math
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..image_headers import Refusal

Points = NDArray[np.float64]
"""(1 + 3 M, 2): a start and M cubic curves of three more control points each."""

MAX_CURVES = 100_000
"""Most curves of one path."""

MAX_PARTS = 64
"""Most points that a curve becomes."""

_COMMAND = re.compile(r"[MmLlHhVvCcSsQqTtAaZz]")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_BETWEEN = re.compile(r"[\s,]*")
_COUNT = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}


def numbers(text: str) -> list[float]:
    """Numbers between white space and commas.

    Raises:
        Refusal: Something else is among them, or one is not finite.
    """
    found, where = [], _after(_BETWEEN, text, 0)
    while where < len(text):
        match = _NUMBER.match(text, where)
        if match is None:
            raise _broken(text, where)
        found.append(_finite(match.group()))
        where = _after(_BETWEEN, text, match.end())
    return found


def path_curves(text: str) -> list[Points]:
    """The subpaths of a ``d``.

    Raises:
        Refusal: It is no path data, or has too many curves.
    """
    pen = _Pen()
    for count, (command, values) in enumerate(_commands(text)):
        if count > MAX_CURVES:
            raise Refusal(f"a drawing of at most {MAX_CURVES:,} curves", "more", "Simplify it.")
        pen.follow(command, values)
    return pen.finished()


def flattened(curves: Points, tolerance: float) -> Points:
    """(K, 2) points along cubic curves, nowhere further than ``tolerance`` from them.

    A curve of n equal steps in t leaves its chords by at most max|B''| / (8 n^2), and max|B''| is
    at most six times the largest second difference of its control points.
    """
    pieces = [curves[:1]]
    for first in range(0, len(curves) - 1, 3):
        control = curves[first : first + 4]
        bend = float(np.abs(np.diff(control, 2, axis=0)).max())
        parts = min(MAX_PARTS, max(1, math.ceil(math.sqrt(6 * bend / (8 * tolerance)))))
        t = (np.arange(1, parts + 1) / parts)[:, None]
        s = 1 - t
        a, b, c, d = control
        pieces.append(s**3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * d)
    return np.concatenate(pieces)


def line(points: Points) -> Points:
    """Straight lines as cubic curves."""
    start, end = points[:-1], points[1:]
    thirds = np.stack([start + (end - start) / 3, start + (end - start) * 2 / 3, end], axis=1)
    return np.concatenate([points[:1], thirds.reshape(-1, 2)])


def arc(
    start: Points, radii: tuple[float, float], turn: float, flags: tuple[bool, bool], end: Points
) -> Points:
    """(3 M, 2) control points of an elliptic arc after its start, by a quarter turn or less each.

    Args:
        start: (2,).
        radii: Scaled up when they cannot reach.
        turn: Of the ellipse, in degrees.
        flags: Whether the longer way round is meant, and whether angles grow.
        end: (2,).
    """
    rx, ry = abs(radii[0]), abs(radii[1])
    if not rx or not ry or np.array_equal(start, end):
        return line(np.stack([start, end]))[1:]
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    frame = np.array([[cos, sin], [-sin, cos]])
    x, y = (frame @ ((start - end) / 2)).tolist()
    grow = math.sqrt(max(1.0, (x / rx) ** 2 + (y / ry) ** 2))
    rx, ry = rx * grow, ry * grow
    away = (rx * y) ** 2 + (ry * x) ** 2
    off = math.sqrt(max(0.0, ((rx * ry) ** 2 - away) / away)) * (1 if flags[0] != flags[1] else -1)
    cx, cy = off * rx * y / ry, -off * ry * x / rx
    first = math.atan2((y - cy) / ry, (x - cx) / rx)
    sweep = math.atan2((-y - cy) / ry, (-x - cx) / rx) - first
    if flags[1] and sweep < 0:
        sweep += 2 * math.pi
    elif not flags[1] and sweep > 0:
        sweep -= 2 * math.pi
    unit = turned(first, sweep)
    centre = frame.T @ np.array([cx, cy]) + (start + end) / 2
    points = (unit * [rx, ry]) @ frame + centre
    points[-1] = end
    return np.asarray(points[1:])


def turned(first: float, sweep: float) -> Points:
    """An arc of the unit circle as cubic curves, by a quarter turn or less each."""
    parts = max(1, math.ceil(abs(sweep) / (math.pi / 2) - 1e-9))
    reach = 4 / 3 * math.tan(sweep / parts / 4)
    angles = first + sweep * np.arange(parts + 1) / parts
    on = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    along = np.stack([-np.sin(angles), np.cos(angles)], axis=1) * reach
    curves = np.stack([on[:-1] + along[:-1], on[1:] - along[1:], on[1:]], axis=1)
    return np.concatenate([on[:1], curves.reshape(-1, 2)])


class _Pen:
    """Follows commands; keeps where it is, where the subpath began, and the last control point."""

    def __init__(self) -> None:
        self._here = np.zeros(2)
        self._start = np.zeros(2)
        self._control: tuple[str, Points] = ("", self._here)
        self._done: list[Points] = []
        self._open: list[Points] = []

    def follow(self, command: str, values: list[float]) -> None:
        kind = command.upper()
        base = self._here if command.islower() else np.zeros(2)
        if not self._open and kind != "M":  # a subpath goes on where the last one was closed
            self._open = [self._here[None]]
        control = self._here
        if kind == "M":
            self._lift()
            self._start = self._here = base + values
            self._open = [self._here[None]]
        elif kind == "Z":
            self._to(line(np.stack([self._here, self._start]))[1:])
            self._lift()
        elif kind == "A":
            flags = (bool(values[3]), bool(values[4]))
            end = base + values[5:]
            self._to(arc(self._here, (values[0], values[1]), values[2], flags, end))
        elif kind in "LHV":
            self._to(line(np.stack([self._here, self._straight(kind, values, base)]))[1:])
        else:
            control = self._curve(kind, np.array(values).reshape(-1, 2) + base)
        self._control = (kind, control)

    def finished(self) -> list[Points]:
        self._lift()
        return self._done

    def _lift(self) -> None:
        if self._open:
            self._done.append(np.concatenate(self._open))
        self._open = []

    def _to(self, control: Points) -> None:
        self._open.append(control)
        self._here = control[-1]

    def _straight(self, kind: str, values: list[float], base: Points) -> Points:
        if kind == "L":
            return base + values
        end = self._here.copy()
        axis = "HV".index(kind)
        end[axis] = base[axis] + values[0]
        return end

    def _mirrored(self, kinds: str) -> Points:
        kind, control = self._control
        return 2 * self._here - control if kind in tuple(kinds) else self._here

    def _curve(self, kind: str, points: Points) -> Points:
        """Adds one curve and returns its last control point."""
        if kind == "S":
            points = np.concatenate([self._mirrored("CS")[None], points])
        if kind == "T":
            points = np.concatenate([self._mirrored("QT")[None], points])
        if kind in "CS":
            self._to(points)
            return np.asarray(points[1])
        control, end = points
        here = self._here
        self._to(np.stack([here + (control - here) * 2 / 3, end + (control - end) * 2 / 3, end]))
        return np.asarray(control)


def _commands(text: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with the numbers of one repetition; after a move come lines."""
    where = _after(_BETWEEN, text, 0)
    if where == len(text):
        return
    if text[where] not in "Mm":
        raise _broken(text, where)
    while where < len(text):
        match = _COMMAND.match(text, where)
        if match is None:
            raise _broken(text, where)
        command, where = match.group(), _after(_BETWEEN, text, match.end())
        first = True
        while first or (where < len(text) and _NUMBER.match(text, where)):
            values, where = _values(command, text, where)
            yield command, values
            first = False
            if command in "Zz":
                break
            command = {"M": "L", "m": "l"}.get(command, command)


def _values(command: str, text: str, where: int) -> tuple[list[float], int]:
    values: list[float] = []
    while len(values) < _COUNT[command.upper()]:
        if command in "Aa" and len(values) in (3, 4):  # flags may stand without a gap
            if text[where : where + 1] not in ("0", "1"):
                raise _broken(text, where)
            values.append(float(text[where]))
            where = _after(_BETWEEN, text, where + 1)
            continue
        match = _NUMBER.match(text, where)
        if match is None:
            raise _broken(text, where)
        values.append(_finite(match.group()))
        where = _after(_BETWEEN, text, match.end())
    return values, where


def _after(pattern: re.Pattern[str], text: str, where: int) -> int:
    match = pattern.match(text, where)
    return where if match is None else match.end()


def _finite(text: str) -> float:
    value = float(text)
    if not abs(value) <= 1e9:
        raise Refusal("a drawing with numbers of at most 1e9", text[:20], "Scale it down.")
    return value


def _broken(text: str, where: int) -> Refusal:
    got = repr(text[where : where + 20]) if where < len(text) else "its end"
    return Refusal(
        "an SVG of whole paths", f"{got} where a number or command must be", "Save it again."
    )
