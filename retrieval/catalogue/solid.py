"""A drawn shoe becomes a cloud of small surface pieces that a camera can look at from any side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import (
    binary_erosion,
    distance_transform_edt,
    gaussian_filter,
    maximum_filter,
    minimum_filter,
)

from .curves import Curve, Field, resample
from .materials import TILE, linear, material
from .shapes import Last, Line, Paint, Patch, Shoe, Solid

Mask = NDArray[np.bool_]

PLACE, NORMAL, COLOUR, INNER = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 12)
GLOSS, SHADE, INNER_SHADE = 12, 13, 14
"""Columns of a surfel table: where it is, where it faces, its linear colour outside and inside, its
shine, and how much of the sky it sees outside and inside."""


STEPS = 290
"""Grid steps in one foot length that suit photos of 160 pixels."""


@dataclass(frozen=True)
class Grid:
    """The raster on which side views are painted.

    Attributes:
        steps: Grid steps in one foot length.
        top: Height of its upper edge in foot lengths.
    """

    steps: int
    top: float

    LEFT = -0.12
    RIGHT = 1.12
    FLOOR = -0.03

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (
            round((self.top - self.FLOOR) * self.steps),
            round((self.RIGHT - self.LEFT) * self.steps),
        )

    @property
    def x(self) -> Field:
        """(1, columns) of each column's centre."""
        columns = np.arange(self.shape[1], dtype=np.float32)
        return np.asarray(self.LEFT + (columns + 0.5) / self.steps, np.float32)[None]

    @property
    def y(self) -> Field:
        """(rows, 1) of each row's centre; row 0 is the highest."""
        rows = np.arange(self.shape[0], dtype=np.float32)
        return np.asarray(self.top - (rows + 0.5) / self.steps, np.float32)[:, None]

    def pixels(self, curve: Curve) -> NDArray[np.float64]:
        """(N, 2) column and row of curve points."""
        return np.stack(
            [(curve[:, 0] - self.LEFT) * self.steps, (self.top - curve[:, 1]) * self.steps], axis=1
        )

    def fill(self, curves: Sequence[Curve]) -> Mask:
        """(rows, columns): what the closed curves cover together."""
        image = Image.new("L", self.shape[::-1])
        pen = ImageDraw.Draw(image)
        for curve in curves:
            pen.polygon(self.pixels(curve).ravel().tolist(), fill=255)
        return np.asarray(image) > 0

    def stroke(self, line: Line) -> Mask:
        """(rows, columns): what a line of its width covers, with its gaps."""
        image = Image.new("L", self.shape[::-1])
        pen = ImageDraw.Draw(image)
        width = max(1, round(line.width * self.steps))
        if line.dash:
            points = self.pixels(resample(line.path, line.dash))
            for i in range(0, len(points) - 1, 2):
                pen.line([*points[i], *points[i + 1]], fill=255, width=width)
        else:
            pen.line(self.pixels(line.path).ravel().tolist(), fill=255, width=width, joint="curve")
        return np.asarray(image) > 0

    def value(self, field: Field, curve: Curve) -> NDArray[np.float64]:
        """(N,) field under the points of a curve; the nearest grid point counts."""
        columns, rows = np.floor(self.pixels(curve)).astype(int).T
        rows = rows.clip(0, self.shape[0] - 1)
        return np.asarray(field[rows, columns.clip(0, self.shape[1] - 1)], np.float64)


@dataclass(frozen=True)
class Coat:
    """Colour, relief and shine painted on a grid.

    Attributes:
        colour: (rows, columns, 3) linear light.
        bump: (rows, columns) height in grid steps.
        gloss: (rows, columns) in [0, 1].
    """

    grid: Grid
    colour: Field
    bump: Field
    gloss: Field

    @classmethod
    def of(cls, grid: Grid, paint: Paint, shift: int) -> Self:
        """One material all over; ``shift`` moves its texture, so no two models share a grain."""
        rows, columns = grid.shape
        coat = cls(
            grid,
            np.empty((rows, columns, 3), np.float32),
            np.zeros((rows, columns), np.float32),
            np.zeros((rows, columns), np.float32),
        )
        coat.lay(np.ones((rows, columns), bool), paint, 0.0, shift)
        return coat

    def lay(self, mask: Mask, paint: Paint, lift: float, shift: int) -> None:
        """Paint one material where the mask is."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            return
        down, across = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        made = material(paint.material)
        tile = np.ix_(
            (np.arange(rows[0], rows[-1] + 1) + shift) % TILE,
            (np.arange(columns[0], columns[-1] + 1) + 7 * shift) % TILE,
        )
        where = mask[down, across]
        bump = made.bump[tile] + np.float32(lift * self.grid.steps)
        if lift < 0:  # sunk in, so the ground's relief goes on in it
            bump += self.bump[down, across]
        colour = made.tint[tile][..., None] * linear(paint.colour)
        np.copyto(self.colour[down, across], colour, where=where[..., None])
        np.copyto(self.bump[down, across], bump, where=where)
        np.copyto(self.gloss[down, across], np.float32(made.gloss), where=where)


def grid_of(shoe: Shoe, steps: int) -> Grid:
    """A raster that holds the shoe; a tall boot gets a coarser one, since it is shown smaller."""
    top = max(float(curve[:, 1].max()) for curve in shoe.cover)
    top = min(max(top, 0.3), float(shoe.last.outline[:, 1].max())) + 0.03
    return Grid(round(steps / max(1.0, 0.95 * top)), top)


def bulge(grid: Grid, last: Last) -> Field:
    """(rows, columns) half the width of foot and leg; 0 outside the last."""
    x, y = grid.x, grid.y
    inside = grid.fill([last.outline])
    bed = last.bed(x[0])[None]
    ridge = np.maximum(last.crest(x[0])[None] - bed, 0.02)
    above = np.clip((y - bed) / ridge, 0, 1)
    foot = last.footprint(x[0])[None] * np.sqrt(1 - above**last.box)

    # the leg is rounded by its distance to the front and rear edges
    edge = np.minimum(
        (x - _over(last.back, y, 0)) * _over(last.back, y, 1),
        (_over(last.ridge, y, 0) - x) * _over(last.ridge, y, 1),
    )
    height = y - (last.platform + last.heel)
    ankle = _step(height, 0.12, 0.42)
    leg = (0.105 + 0.14 * last.calf * _step(height, 0.4, 1.0)) * ankle
    body = np.interp(x[0], [0, 0.3, 0.45], [1, 1, 1.08])[None] * last.heel_width
    radius = 0.13 + 0.04 * ankle
    rear = (leg + body * (1 - ankle)) * np.sqrt(1 - (1 - np.clip(edge / radius, 0, 1)) ** 2)

    front = _step(x, 0.36, 0.6)
    return np.asarray(np.where(inside, front * foot + (1 - front) * rear, 0), np.float32)


def _over(curve: Curve, y: Field, what: int) -> NDArray[np.float64]:
    """Of a rising curve at height y: 0 its x, 1 how upright it is (distance per way along x)."""
    step = np.gradient(curve, axis=0)
    upright = np.abs(step[:, 1]) / np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)
    height = np.maximum.accumulate(curve[:, 1])
    return np.interp(y, height, curve[:, 0] if what == 0 else upright)


@dataclass(frozen=True)
class Body:
    """A shoe that can be looked at.

    Attributes:
        table: (N, 15) surfels.
        grid: The raster of its side view.
        width: (rows, columns) half width of the upper.
        cover: (rows, columns) where the upper is.
    """

    table: Field
    grid: Grid
    width: Field
    cover: Mask


def build(shoe: Shoe, seed: int = 0, steps: int = STEPS) -> Body:
    """The shoe as surface pieces.

    Args:
        shoe: What to build.
        seed: Moves the textures.
        steps: Grid steps in one foot length; 1.8 times the side of the photos leaves no holes.
    """
    grid = grid_of(shoe, steps)
    width = bulge(grid, shoe.last)
    shift = seed % TILE
    cover = grid.fill(shoe.cover) & (width > 0)
    if shoe.cuts:
        cover &= ~grid.fill(shoe.cuts)
    cover &= grid.y > shoe.last.bed(grid.x[0])[None] - 0.005
    coat = Coat.of(grid, shoe.paint, shift)
    _decorate(coat, shoe.patches, shoe.lines, cover, shift)
    tables = [_upper(shoe, grid, width, cover, coat), _floor(shoe, grid, cover)]
    tables += [_solid(shoe, solid, grid, shift) for solid in shoe.solids]
    return Body(np.concatenate(tables), grid, width, cover)


def _step(value: NDArray[np.floating], start: float, end: float) -> NDArray[np.float32]:
    t = np.clip((value - start) / (end - start), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _decorate(
    coat: Coat, patches: Sequence[Patch], lines: Sequence[Line], cover: Mask, shift: int
) -> None:
    for number, patch in enumerate(patches):
        mask = coat.grid.fill([patch.outline]) & cover
        coat.lay(mask, patch.paint, patch.lift, shift + 31 * number)
    for line in lines:
        coat.lay(coat.grid.stroke(line) & cover, line.paint, line.lift, shift)


def _relief(width: Field, coat: Coat) -> tuple[Field, Field]:
    """Slopes of the half width along x and y, with the coat's relief."""
    soft = gaussian_filter(coat.bump, 0.7)
    down, across = np.gradient(width * coat.grid.steps + soft)
    return np.asarray(across, np.float32), np.asarray(-down, np.float32)


def _table(count: int) -> Field:
    table = np.zeros((count, 15), np.float32)
    table[:, SHADE] = table[:, INNER_SHADE] = 1
    return table


def _wall(grid: Grid, mask: Mask, width: Field, coat: Coat) -> tuple[Field, NDArray[np.intp]]:
    """Near side of a bulging piece, and the flat grid position of each surfel.

    Where the surface turns away from the side view, one grid step covers much of it; such a step
    gets several surfels along the slope, so that other views have no holes.
    """
    across, up = _relief(width, coat)
    down_plain, across_plain = np.gradient(width * grid.steps)
    found = np.flatnonzero(mask)
    slope_x, slope_y = across_plain.ravel()[found], -down_plain.ravel()[found]
    slope = np.hypot(slope_x, slope_y)
    copies = np.clip(np.ceil(slope * 0.9), 1, 12).astype(np.intp)
    place = np.repeat(found, copies)
    first = np.cumsum(copies) - copies
    number = np.arange(len(place)) - np.repeat(first, copies)
    times = np.repeat(copies, copies)
    shift = ((number + 0.5) / times - 0.5).astype(np.float32)  # along the slope, in steps
    slope_x, slope_y, slope = (np.repeat(v, copies) for v in (slope_x, slope_y, slope))
    steep = np.maximum(slope, 1e-6)
    rows, columns = np.divmod(place, grid.shape[1])
    table = _table(len(place))
    table[:, 0] = grid.x[0, columns] + shift * slope_x / steep / grid.steps
    table[:, 1] = grid.y[rows, 0] + shift * slope_y / steep / grid.steps
    least, most = minimum_filter(width, 3).ravel()[place], maximum_filter(width, 3).ravel()[place]
    table[:, 2] = np.clip(width.ravel()[place] + shift * slope / grid.steps, least, most)
    normal = np.stack([-across.ravel()[place], -up.ravel()[place], np.ones(len(place))], axis=1)
    table[:, NORMAL] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    table[:, COLOUR] = table[:, INNER] = coat.colour.reshape(-1, 3)[place]
    table[:, GLOSS] = coat.gloss.ravel()[place]
    return table, place


def _edge(grid: Grid, mask: Mask, width: Field, coat: Coat) -> Field:
    """Closes the gap between the near and the far side along an edge where both should meet."""
    found = np.flatnonzero(mask)
    if not len(found):
        return _table(0)
    half = width.ravel()[found]
    down, across = np.gradient(gaussian_filter(width, 2.0))
    copies = np.maximum(np.ceil(2.2 * half * grid.steps), 1).astype(np.intp)
    place = np.repeat(found, copies)
    number = np.arange(len(place)) - np.repeat(np.cumsum(copies) - copies, copies)
    share = (number + 0.5) / np.repeat(copies, copies) * 2 - 1
    rows, columns = np.divmod(place, grid.shape[1])
    table = _table(len(place))
    table[:, 0], table[:, 1] = grid.x[0, columns], grid.y[rows, 0]
    table[:, 2] = share * width.ravel()[place]
    normal = np.stack([-across.ravel()[place], down.ravel()[place], share * 0.002], axis=1)
    table[:, NORMAL] = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    table[:, COLOUR] = table[:, INNER] = coat.colour.reshape(-1, 3)[place]
    table[:, GLOSS] = coat.gloss.ravel()[place]
    return table


def _both(near: Field) -> Field:
    far = near.copy()
    far[:, 2] *= -1
    far[:, 5] *= -1
    return np.concatenate([near, far])


def _upper(shoe: Shoe, grid: Grid, width: Field, cover: Mask, coat: Coat) -> Field:
    last = shoe.last
    wall, place = _wall(grid, cover, width, coat)
    rows, columns = np.divmod(place, grid.shape[1])
    # the sole and the ground keep the sky away from the lowest part
    height = table_height = wall[:, 1] - last.bed(wall[:, 0])
    wall[:, SHADE] = 0.72 + 0.28 * _step(table_height, 0.0, 0.06)
    # inside, light comes through the opening only
    top = np.where(cover.any(0), grid.y[np.argmax(cover, 0), 0], 0)
    depth = np.maximum(top[columns] - wall[:, 1], 0)
    roof = _roof(grid, last, cover)[columns]
    wall[:, INNER_SHADE] = (1 - 0.75 * roof) * (0.25 + 0.75 * np.exp(-depth / 0.16))
    wall[:, INNER_SHADE] *= 0.6 + 0.4 * _step(height, 0.0, 0.1)
    lining = material(shoe.lining.material)
    tint = lining.tint[rows % TILE, columns % TILE][:, None]
    wall[:, INNER] = linear(shoe.lining.colour) * tint
    last_mask = width > 0
    rim = cover & ~binary_erosion(last_mask, border_value=1)
    return np.concatenate([_both(wall), _edge(grid, rim, width, coat)])


def _roof(grid: Grid, last: Last, cover: Mask) -> Field:
    """(columns,) whether the upper closes over the foot: 1 over the vamp, 0 at the opening."""
    crest = ((grid.top - last.crest(grid.x[0])) * grid.steps + 2).astype(int)
    crest = crest.clip(0, grid.shape[0] - 1)
    closed = cover[crest, np.arange(grid.shape[1])] & (grid.x[0] > 0.42)
    return np.asarray(gaussian_filter(closed.astype(np.float32), 9.0), np.float32)


def _floor(shoe: Shoe, grid: Grid, cover: Mask) -> Field:
    """The insole, and the rim of the sole around it."""
    last = shoe.last
    step = 1.0 / grid.steps
    x = np.arange(0.004, 1, step)
    z = np.arange(-0.2, 0.2, step)
    welt = max((solid.welt for solid in shoe.solids if solid.tip is None), default=0.0)
    half = last.footprint(x)
    where = np.abs(z)[None] < (half + np.where(half > 0, welt, 0))[:, None]
    along, across = np.nonzero(where)
    table = _table(len(along))
    table[:, 0], table[:, 2] = x[along], z[across]
    table[:, 1] = last.bed(x)[along] + 0.003
    slope = np.gradient(last.bed(x), step)[along]
    table[:, 3], table[:, 4] = -slope, 1
    table[:, NORMAL] /= np.linalg.norm(table[:, NORMAL], axis=1, keepdims=True)
    rim = np.abs(z[across]) > half[along] * 0.94 - 0.004
    soles = [solid.paint for solid in shoe.solids if solid.tip is None]
    sole = linear((soles[0] if soles else shoe.insole).colour)
    made = material(shoe.insole.material)
    tint = made.tint[along % TILE, across % TILE][:, None]
    inside = linear(shoe.insole.colour) * tint
    table[:, COLOUR] = np.where(rim[:, None], sole, inside)
    table[:, INNER] = table[:, COLOUR]
    table[:, GLOSS] = made.gloss * 0.5
    columns = ((x - grid.LEFT) * grid.steps).astype(int)[along]
    roof = _roof(grid, last, cover)[columns]
    table[:, SHADE] = np.where(rim, 0.8, 1 - 0.8 * roof)
    return table


def _solid(shoe: Shoe, solid: Solid, grid: Grid, shift: int) -> Field:
    mask = grid.fill([solid.outline]) & (grid.y > 0)
    if solid.tip is None:
        half = shoe.last.footprint(grid.x[0]) + solid.welt
        half = np.where(shoe.last.footprint(grid.x[0]) > 0, half, 0)
        width = np.broadcast_to(half[None], grid.shape)
        # edges are a little rounded, so that light catches them
        edge = distance_transform_edt(mask) / grid.steps
        width = width * (0.955 + 0.045 * np.clip(edge / 0.014, 0, 1))
    else:
        width = _heel_width(shoe.last, solid, grid, mask)
    width = np.asarray(width, np.float32)
    mask = mask & (width > 0)
    coat = Coat.of(grid, solid.paint, shift + 101)
    _decorate(coat, (), solid.lines, mask, shift)
    wall, _ = _wall(grid, mask, width, coat)
    wall[:, SHADE] = 0.6 + 0.4 * _step(wall[:, 1], 0.0, 0.05)
    # only the rear and the tip may be open: the top is covered, the ground hides the floor
    ends = np.zeros_like(mask)
    rows = np.flatnonzero(mask.any(1))
    ends[rows, np.argmax(mask[rows], 1)] = True
    ends[rows, mask.shape[1] - 1 - np.argmax(mask[rows, ::-1], 1)] = True
    ends &= (grid.x < 0.25) | (grid.x > 0.97)
    return np.concatenate([_both(wall), _edge(grid, ends, width, coat)])


def _heel_width(last: Last, solid: Solid, grid: Grid, mask: Mask) -> NDArray[np.float64]:
    """Half width of a heel: full under the foot, ``tip`` on the ground, rounded in section."""
    first, end = np.argmax(mask, 1), mask.shape[1] - np.argmax(mask[:, ::-1], 1)
    middle, half = (first + end) / 2, np.maximum((end - first) / 2, 1)
    columns = np.arange(mask.shape[1])[None]
    section = np.clip(np.abs(columns + 0.5 - middle[:, None]) / half[:, None], 0, 1)
    tip = solid.tip or 0.0
    share = np.clip(grid.y / max(last.heel + last.platform, 1e-3), 0, 1)
    height = tip + (0.96 * last.heel_width - tip) * share ** (1.0 if tip > 0.04 else 2.4)
    rounded = height * np.maximum(1 - section**solid.power, 0) ** (1 / solid.power)
    return np.asarray(np.minimum(rounded, 0.98 * last.footprint(grid.x[0])[None]))
