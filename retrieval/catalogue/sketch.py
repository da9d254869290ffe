"""Drawings of a shoe as people make them: ordered pen strokes on a 256 canvas.

The outline comes first, then the sole, the opening, straps and panels, laces, details. Each drawer
has habits: how steady the hand is, what is left out, whether lines are drawn over twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_closing, gaussian_filter1d, label

from ..strokes import CANVAS
from .camera import Camera, Pose
from .contours import corners, rounded, trace
from .curves import Curve, Field, lengths, resample
from .shapes import Shoe
from .solid import PLACE, Body, Mask

OUTLINE = 0
"""Rank of the outline; later ranks are soles, openings, pieces, laces, details."""


@dataclass(frozen=True)
class Drawer:
    """A person's habits.

    Attributes:
        tremor: Short unsteadiness, canvas units.
        drift: How far a long line wanders.
        misplaced: How far a whole stroke lands beside its place.
        warp: How wrong the proportions are.
        spacing: Between the points of a stroke.
        patience: 1 draws every detail, 0 hardly any.
        again: Chance that a line is drawn over.
        pieces: Into how many strokes the outline falls.
        overshoot: How far a stroke runs beyond its end; negative leaves gaps.
        pen: Width of the line.
    """

    tremor: float = 0.5
    drift: float = 1.5
    misplaced: float = 1.0
    warp: float = 4.0
    spacing: float = 6.0
    patience: float = 0.8
    again: float = 0.1
    pieces: int = 4
    overshoot: float = 0.0
    pen: float = 1.6


DRAWERS = {
    "careful": Drawer(0.25, 0.9, 0.5, 2.5, 5.0, 1.0, 0.03, 5, 0.0, 1.5),
    "plain": Drawer(),
    "hasty": Drawer(0.5, 2.6, 2.2, 7.0, 11.0, 0.5, 0.05, 3, 3.0, 1.6),
    "searching": Drawer(0.7, 2.0, 1.4, 4.5, 6.0, 0.75, 0.5, 8, 4.0, 1.2),
    "shaky": Drawer(0.8, 1.8, 1.4, 5.0, 5.5, 0.7, 0.08, 6, -2.0, 2.0),
    "bold": Drawer(0.4, 2.2, 1.5, 6.0, 8.0, 0.45, 0.0, 3, 0.0, 3.2),
}


@dataclass(frozen=True)
class Stroke:
    """A true line of the shoe as it is seen, before a hand draws it."""

    path: Curve
    rank: int


def draw(
    shoe: Shoe, body: Body, pose: Pose, drawer: Drawer, random: np.random.Generator
) -> list[Curve]:
    """One person's drawing of a shoe.

    Args:
        shoe: What is drawn.
        body: The same, built.
        pose: How the drawer remembers the shoe to stand.
        drawer: The hand.
        random: Chance.

    Returns:
        Strokes in the order of drawing; each (K, 2), K >= 2, on the 256 canvas.
    """
    camera = Camera(pose, body.table[:, PLACE], CANVAS)
    index, depth = camera.visible(body.table[:, PLACE])
    seen = binary_closing(index >= 0, iterations=2)
    true = list(_outline(seen, drawer, random))
    true += _inner(shoe, body, camera, depth, true)
    return list(_by_hand(true, drawer, random))


def _outline(seen: Mask, drawer: Drawer, random: np.random.Generator) -> Iterator[Stroke]:
    for number, loop in enumerate(trace(seen)):
        if number and len(loop) < 45:
            break
        smooth_loop = rounded(loop, 2.5)
        if number:  # a hole, as between straps
            yield Stroke(np.concatenate([smooth_loop, smooth_loop[:1]]), 2)
            continue
        breaks = corners(smooth_loop, max(2, drawer.pieces))
        start = breaks[int(random.integers(len(breaks)))]
        turned = np.roll(smooth_loop, -start, axis=0)
        ends = sorted((b - start) % len(loop) for b in breaks)
        for begin, end in zip(ends, [*ends[1:], len(loop)], strict=True):
            yield Stroke(np.take(turned, range(begin, end + 1), axis=0, mode="wrap"), OUTLINE)


def _inner(
    shoe: Shoe, body: Body, camera: Camera, depth: Field, outline: list[Stroke]
) -> list[Stroke]:
    """Every line inside the outline that the eye can see and no earlier line has taken."""
    taken = _marks([stroke.path for stroke in outline], 5)
    found: list[Stroke] = []
    edges = [*_on_solids(shoe), *_on_upper(shoe, body)]
    for rank, path in sorted(edges, key=lambda edge: edge[0]):
        across, down, near = camera.project(np.asarray(path, np.float32))
        column = across.astype(int).clip(0, CANVAS - 1)
        row = down.astype(int).clip(0, CANVAS - 1)
        free = (near > depth[row, column] - 0.045) & ~taken[row, column]
        points = np.stack([across, down], 1).astype(np.float64)
        runs = [points[run] for run in _runs(free)]
        kept = [run for run in runs if lengths(run)[-1] > (9 if rank < 4 else 5)]
        found += [Stroke(run, rank) for run in kept]
        if kept:
            taken |= _marks(kept, 4)
    return found


Edge = tuple[int, NDArray[np.float64]]
"""Rank and (K, 3) path of a line that a person may draw."""


def _on_solids(shoe: Shoe) -> Iterator[Edge]:
    """Outlines and stripes of soles and heels, on the near side."""
    for solid in shoe.solids:
        path = resample(np.concatenate([solid.outline, solid.outline[:1]]), 0.008)
        half = shoe.last.footprint(path[:, 0]) + solid.welt
        yield solid.rank, np.column_stack([path, half if solid.tip is None else half * 0.6])
        for line in solid.lines:
            if line.rank is not None:
                stripe = resample(line.path, 0.008)
                yield line.rank, np.column_stack([stripe, shoe.last.footprint(stripe[:, 0])])


def _on_upper(shoe: Shoe, body: Body) -> Iterator[Edge]:
    """Openings, pieces, laces and details, on both sides."""
    lines = [(2, rim) for rim in shoe.rims]
    for patch in shoe.patches:
        if patch.rank is not None:
            ring = patch.outline
            lines.append((patch.rank, np.concatenate([ring, ring[:1]]) if patch.closed else ring))
    lines += [(line.rank, line.path) for line in shoe.lines if line.rank is not None]
    # a rim lies on the border of the upper: what is just below counts too
    upper = (body.cover | np.roll(body.cover, -2, 0)).astype(np.float32)
    for rank, flat in lines:
        path = resample(flat, 0.008)
        half = body.grid.value(body.width, path)
        for run in _runs(body.grid.value(upper, path) > 0):
            side = np.column_stack([path[run], half[run]])
            yield rank, side
            yield rank, side * [1, 1, -1]


def _runs(keep: NDArray[np.bool_]) -> Iterator[slice]:
    """Stretches of at least three points where ``keep`` holds."""
    numbered, count = label(keep)
    for number in range(1, count + 1):
        where = np.flatnonzero(numbered == number)
        if len(where) >= 3:
            yield slice(int(where[0]), int(where[-1]) + 1)


def _marks(paths: list[Curve], reach: int) -> Mask:
    """Where a line would be taken for one of these."""
    image = Image.new("L", (CANVAS, CANVAS))
    pen = ImageDraw.Draw(image)
    for path in paths:
        pen.line(path.ravel().tolist(), fill=255, width=2 * reach + 1, joint="curve")
    return np.asarray(image) > 0


def _by_hand(true: list[Stroke], drawer: Drawer, random: np.random.Generator) -> Iterator[Curve]:
    bend = random.normal(0, drawer.warp, (2, 6))
    for stroke in true:
        kept = drawer.patience ** max(0, stroke.rank - 2)
        if stroke.rank > 2 and random.uniform() > kept:
            continue
        times = 1 + int(random.uniform() < drawer.again)
        for turn in range(times):
            drawn = _one_line(stroke.path, drawer, bend, random)
            if turn:  # only a part is drawn over
                low = int(random.integers(0, max(1, len(drawn) // 2)))
                drawn = drawn[low : low + max(3, len(drawn) // 2)]
            if len(drawn) >= 2:
                yield np.asarray(np.round(np.clip(drawn, 1, CANVAS - 1), 1))


def _one_line(
    path: Curve, drawer: Drawer, bend: NDArray[np.float64], random: np.random.Generator
) -> Curve:
    line = resample(path, drawer.spacing)
    long = float(lengths(line)[-1])
    count = len(line)
    wander = gaussian_filter1d(random.standard_normal((count + 16, 2)), 4, axis=0)[8:-8] * 3.5
    shake = random.normal(0, drawer.tremor, (count, 2))
    place = random.normal(0, drawer.misplaced, 2) * min(1.0, long / 60)
    line = line + wander * drawer.drift * min(1.0, long / 50) + shake + place
    if drawer.overshoot and count > 3 and long > 30:
        line = _ends(line, drawer.overshoot * random.uniform(0, 1.5))
    return _bent(line, bend)


def _ends(line: Curve, beyond: float) -> Curve:
    """Runs on past both ends, or stops short of them."""
    first, last = line[0] - line[1], line[-1] - line[-2]
    first = first / max(float(np.linalg.norm(first)), 1e-6)
    last = last / max(float(np.linalg.norm(last)), 1e-6)
    moved = line.copy()
    moved[0] += first * beyond
    moved[-1] += last * beyond
    return moved


def _bent(line: Curve, bend: NDArray[np.float64]) -> Curve:
    """The drawing's wrong proportions: one smooth bend for all strokes."""
    x, y = line[:, 0] / CANVAS - 0.5, line[:, 1] / CANVAS - 0.5
    terms = np.stack([x, y, np.sin(3 * x), np.sin(3 * y), x * y * 2, np.cos(4 * x)])
    shift = (bend[:, :, None] * terms[None]).sum(1)
    return np.asarray(line + shift.T)
