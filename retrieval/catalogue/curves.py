"""Smooth plane curves through a few points: what every shoe of the catalogue is drawn with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]
"""(N, 2) points of a pen path in side view; the last point joins the first where it is closed."""

Field = NDArray[np.floating[Any]]
"""Numbers on a raster or a list of them, float32 wherever there are many."""


def smooth(points: Sequence[Sequence[float]] | Curve, samples: int = 10) -> Curve:
    """A curve through all points, without corners (Catmull-Rom, centripetal).

    Args:
        points: (K, 2), K >= 2.
        samples: Points in each of the K - 1 spans.

    Shape:
        ((K - 1) * samples + 1, 2).

    References:
        Yuksel, Schaefer and Keyser, On the parameterization of Catmull-Rom curves, 2009: the
        centripetal form has no cusps and no loops within a span.
    """
    knots = np.asarray(points, np.float64)
    knots = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    gaps = np.maximum(np.linalg.norm(np.diff(knots, axis=0), axis=1), 1e-9) ** 0.5
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    p0, p1, p2, p3 = (knots[i : len(knots) - 3 + i, None] for i in range(4))  # (K - 1, 1, 2)
    t0, t1, t2, t3 = (times[i : len(times) - 3 + i, None, None] for i in range(4))
    t = t1 + (t2 - t1) * (np.arange(samples) / samples)[None, :, None]
    a1 = (t1 - t) / (t1 - t0) * p0 + (t - t0) / (t1 - t0) * p1
    a2 = (t2 - t) / (t2 - t1) * p1 + (t - t1) / (t2 - t1) * p2
    a3 = (t3 - t) / (t3 - t2) * p2 + (t - t2) / (t3 - t2) * p3
    b1 = (t2 - t) / (t2 - t0) * a1 + (t - t0) / (t2 - t0) * a2
    b2 = (t3 - t) / (t3 - t1) * a2 + (t - t1) / (t3 - t1) * a3
    inner = (t2 - t) / (t2 - t1) * b1 + (t - t1) / (t2 - t1) * b2
    return np.concatenate([inner.reshape(-1, 2), knots[-2:-1]])


def lengths(curve: Curve) -> NDArray[np.float64]:
    """(N,) way from the start of the curve to each of its points."""
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def at(curve: Curve, where: NDArray[np.float64] | Sequence[float] | float) -> Curve:
    """Points of the curve at these ways from its start: () -> (2,), (M,) -> (M, 2)."""
    way = lengths(curve)
    return np.stack([np.interp(where, way, curve[:, axis]) for axis in (0, 1)], axis=-1)


def resample(curve: Curve, step: float) -> Curve:
    """The same curve with points ``step`` apart."""
    total = float(lengths(curve)[-1])
    return at(curve, np.linspace(0, total, max(2, round(total / step) + 1)))


def part(curve: Curve, start: float, end: float, count: int = 24) -> Curve:
    """The stretch of the curve between two ways from its start, backwards when start > end."""
    return at(curve, np.linspace(start, end, count))


def offset(curve: Curve, distance: float | NDArray[np.float64]) -> Curve:
    """The curve moved sideways: to the left of its direction for a positive distance."""
    direction = np.gradient(curve, axis=0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    return np.asarray(curve + normal * np.reshape(distance, (-1, 1)))


def band(curve: Curve, width: float | NDArray[np.float64]) -> Curve:
    """The closed outline of a strip of this width along the curve."""
    half = np.asarray(width) / 2
    return np.concatenate([offset(curve, half), offset(curve, -half)[::-1]])


def ellipse(
    centre: Sequence[float] | Curve, radii: Sequence[float], angle: float = 0.0, count: int = 28
) -> Curve:
    """A closed ellipse; ``angle`` in radians."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y = radii[0] * np.cos(turn), radii[1] * np.sin(turn)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos], axis=1)
