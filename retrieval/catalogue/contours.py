"""Outlines of a mask as closed curves: the first thing a person draws."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from .curves import Curve, lengths


def trace(mask: NDArray[np.bool_]) -> list[Curve]:
    """Every border of the mask, the longest first; outer borders and those of holes.

    Args:
        mask: (H, W).

    Returns:
        Closed curves of (column, row) along the cracks between pixels, without the repeated start.
    """
    padded = np.pad(mask, 1)
    ways: dict[tuple[int, int], list[tuple[int, int]]] = {}
    # each pixel side with nothing beyond it, walked with the mask on the right hand
    for shift, start, end in (
        ((-1, 0), (0, 0), (0, 1)),
        ((0, 1), (0, 1), (1, 1)),
        ((1, 0), (1, 1), (1, 0)),
        ((0, -1), (1, 0), (0, 0)),
    ):
        beyond = np.roll(padded, (-shift[0], -shift[1]), (0, 1))
        for row, column in np.argwhere(padded & ~beyond).tolist():
            corner = (row - 1 + start[0], column - 1 + start[1])
            ways.setdefault(corner, []).append((row - 1 + end[0], column - 1 + end[1]))
    loops = []
    while ways:
        first = next(iter(ways))
        loop, here = [first], first
        while True:
            following = ways[here].pop()
            if not ways[here]:
                del ways[here]
            if following == first:
                break
            loop.append(following)
            here = following
        loops.append(np.array(loop, np.float64)[:, ::-1])
    return sorted(loops, key=len, reverse=True)


def rounded(loop: Curve, sigma: float) -> Curve:
    """A closed curve without the steps of its pixels."""
    return np.asarray(gaussian_filter1d(loop, sigma, axis=0, mode="wrap"))


def corners(loop: Curve, count: int, reach: float = 7.0) -> list[int]:
    """Positions of the sharpest turns of a closed curve, at least a tenth of it apart."""
    spacing = max(lengths(loop)[-1] / len(loop), 1e-6)
    step = max(1, round(reach / spacing))
    ahead, behind = np.roll(loop, -step, 0) - loop, loop - np.roll(loop, step, 0)
    cross = ahead[:, 0] * behind[:, 1] - ahead[:, 1] * behind[:, 0]
    turn = np.abs(np.arctan2(cross, (ahead * behind).sum(1)))
    apart = len(loop) // 10
    found: list[int] = []
    for candidate in np.argsort(-turn, kind="stable").tolist():
        gaps = [min(abs(candidate - f), len(loop) - abs(candidate - f)) for f in found]
        if all(gap >= apart for gap in gaps):
            found.append(candidate)
        if len(found) == count:
            break
    return sorted(found)
