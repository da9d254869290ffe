"""What shoes of several families have: soles, heels, openings, laces, straps, buckles, bows."""

from collections.abc import Sequence

import numpy as np

from .curves import Curve, band, ellipse, offset, smooth
from .shapes import Last, Line, Paint, Patch, Solid

Points = Sequence[Sequence[float]]

_SPAN = np.linspace(0.0, 1.0, 60)


def below(edge: Curve) -> Curve:
    """What an upper with this topline covers: everything under it, and all in front of it."""
    start, end = edge[0], edge[-1]
    border = [[-0.4, start[1]], *edge.tolist(), [end[0], end[1] + 0.03]]
    return np.array([*border, [1.3, end[1] + 0.03], [1.3, -0.4], [-0.4, -0.4]])


def across(last: Last, x: float, bend: float) -> Curve:
    """A seam over the vamp from the bed to the ridge at x, bent forward."""
    ridge = float(last.crest(x)) - float(last.bed(x))
    return smooth(last.on([(x - 0.02, -0.01), (x + bend, ridge * 0.5), (x, ridge + 0.004)]))


def ahead(edge: Curve) -> Curve:
    """Everything in front of a seam over the vamp; the seam comes first."""
    return np.concatenate([edge, [[1.1, edge[-1, 1] + 0.02], [1.1, -0.1], [edge[0, 0], -0.1]]])


def apron(last: Last, start: float, end: float, drop: float) -> Curve:
    """The seam of a moccasin: along the vamp below the ridge, and down before the toe.

    Args:
        last: The form.
        start: x at its rear end.
        end: x at its front end.
        drop: How far below the ridge, as a share of the height over the bed.
    """
    x = np.linspace(start, end, 30)
    bed = last.bed(x)
    fall = drop + (0.8 - drop) * np.linspace(0, 1, 30) ** 5
    return np.stack([x, bed + (last.crest(x) - bed) * (1 - fall)], 1)


def counter(last: Last, reach: float, tall: float) -> Curve:
    """The piece around the heel; its front edge comes first."""
    points = [(reach + 0.03, -0.02), (reach, 0.08), (reach * 0.5, tall * 0.8), (-0.05, tall)]
    return np.concatenate([smooth(last.on(points)), [[-0.1, -0.1]]])


def topline(last: Last, points: Points, throat: float) -> Curve:
    """The edge of an opening: from the rear through points (x, height over the bed) to the ridge.

    Args:
        last: The form.
        points: From the heel forward.
        throat: x at which the opening ends on the ridge.
    """
    end = [throat, float(last.crest(throat))]
    return smooth([*last.on(points).tolist(), end])


def cuff(last: Last, height: float, dip: float = 0.0, tilt: float = 0.0) -> Curve:
    """The edge of a shaft: across the leg at a height above the heel's bed."""
    level = last.platform + last.heel + height
    points = [(-0.2, level - tilt), (0.1, level - tilt * 0.5 - dip * 0.4), (0.22, level - dip)]
    return smooth([*points, (0.34, level + tilt * 0.5 - dip * 0.4), (0.6, level + tilt)])


def flat_sole(
    last: Last,
    paint: Paint,
    *,
    rise: float,
    welt: float,
    bevel: float,
    lines: tuple[Line, ...] = (),
) -> Solid:
    """A sole that fills the room between the ground and the bed.

    Args:
        last: The form.
        paint: Its material.
        rise: How far its wall reaches up the upper.
        welt: How far it stands out.
        bevel: How far its ends are rounded off the ground.
        lines: Stripes on its wall.
    """
    x = 0.004 + 0.994 * _SPAN
    front = np.clip((x - 0.78) / 0.22, 0, 1) ** 2 * last.spring
    ends = np.clip(1 - x / 0.07, 0, 1) ** 2 + np.clip((x - 0.93) / 0.07, 0, 1) ** 2
    under = np.stack([x, front + bevel * ends], 1)
    over = np.stack([x, last.bed(x) + rise + rise * 0.5 * np.clip((x - 0.85) / 0.15, 0, 1)], 1)
    return Solid(np.concatenate([under, over[::-1]]), paint, welt=welt, lines=lines)


def lug_sole(last: Last, paint: Paint, *, welt: float, teeth: int, depth: float) -> Solid:
    """A walking sole with a tread and a heel block."""
    x = np.linspace(0.004, 0.998, 240)
    front = np.clip((x - 0.8) / 0.2, 0, 1) ** 2 * last.spring
    tread = (np.mod(x * teeth, 1) > 0.62) * depth
    arch = np.where((x > 0.30) & (x < 0.40), 0.45 * last.platform, 0)
    under = np.stack([x, front + np.maximum(tread, arch)], 1)
    over = np.stack([x, last.bed(x) + 0.006], 1)
    return Solid(np.concatenate([under, over[::-1]]), paint, welt=welt)


def thin_sole(last: Last, paint: Paint, thickness: float, welt: float = 0.003) -> Solid:
    """A sole that follows the bed at even thickness; heels stand under it."""
    x = 0.004 + 0.994 * _SPAN
    over = np.stack([x, last.bed(x) + 0.002], 1)
    under = np.stack([x, last.bed(x) - thickness], 1)
    return Solid(np.concatenate([under, over[::-1]]), paint, welt=welt)


def tread(last: Last, paint: Paint, width: float = 0.03) -> Line:
    """A layer of rubber along the ground."""
    x = np.linspace(0, 1, 40)
    low = 0.008 + np.clip((x - 0.8) / 0.2, 0, 1) ** 2 * last.spring
    return Line(np.stack([x, low], 1), paint, width)


def platform_sole(last: Last, paint: Paint, welt: float = 0.004) -> Solid:
    """A thick front sole that thins out under the arch."""
    x = np.linspace(0.36, 0.999, 50)
    over = np.stack([x, last.bed(x)], 1)
    spring = np.clip((x - 0.78) / 0.22, 0, 1) ** 2 * last.spring
    slim = np.clip((0.62 - x) / 0.26, 0, 1)
    under = np.stack([x, spring + slim * (last.bed(x) - 0.012)], 1)
    return Solid(np.concatenate([under, over[::-1]]), paint, welt=welt, rank=1)


def wedge_sole(
    last: Last, paint: Paint, *, lean: float, welt: float, lines: tuple[Line, ...] = ()
) -> Solid:
    """A sole that fills everything under the foot; ``lean`` moves its rear edge at the ground."""
    x = 0.004 + 0.994 * _SPAN
    over = np.stack([x, last.bed(x) + 0.004], 1)
    spring = np.clip((x - 0.8) / 0.2, 0, 1) ** 2 * last.spring
    ground = lean + (0.998 - lean) * _SPAN
    under = np.stack([ground, np.interp(ground, x, spring)], 1)
    return Solid(np.concatenate([under, over[::-1]]), paint, welt=welt, lines=lines)


def block_heel(
    last: Last, paint: Paint, *, length: float, foot: float, lean: float, sole: float
) -> Solid:
    """A heel with a broad foot.

    Args:
        last: The form.
        paint: Its material.
        length: Along the shoe, under the bed.
        foot: Its length on the ground.
        lean: Where its rear edge stands.
        sole: Thickness of the sole above it.
    """
    x = np.linspace(0.006, length, 14)
    over = np.stack([x, last.bed(x) - sole * 0.6], 1)
    rear = smooth([(0.006, over[0, 1]), (0.008 + lean * 0.62, over[0, 1] * 0.45), (lean, 0.0)])
    high = float(over[-1, 1])
    breast = smooth(
        [(lean + foot, 0.0), (0.4 * length + 0.6 * (lean + foot), high * 0.4), (length, high)]
    )
    outline = np.concatenate([rear, breast, over[::-1]])
    return Solid(outline, paint, welt=0.0, tip=0.75 * last.heel_width, power=3.4)


def slim_heel(
    last: Last, paint: Paint, *, length: float, tip: float, curve: float, sole: float
) -> Solid:
    """A stiletto or kitten heel: a cup under the foot that runs into a pin.

    Args:
        last: The form.
        paint: Its material.
        length: Of the cup, along the shoe.
        tip: Half the length and width of the pin's end.
        curve: How far the rear edge swings in.
        sole: Thickness of the sole above it.
    """
    x = np.linspace(0.006, length, 14)
    over = np.stack([x, last.bed(x) - sole * 0.6], 1)
    top, high = over[0, 1], float(over[-1, 1])
    foot = 0.035 + curve
    rear = smooth(
        [(0.006, top), (0.012 + curve * 0.8, top * 0.72), (foot - tip, 0.2 * top), (foot - tip, 0)]
    )
    slope = [(foot + tip, 0.0), (foot + tip * 1.15, top * 0.25), (foot + tip * 1.9, top * 0.52)]
    breast = smooth([*slope, (0.55 * length + 0.45 * foot, high * 0.80), (length, high)])
    return Solid(np.concatenate([rear, breast, over[::-1]]), paint, welt=0.0, tip=tip, power=2.2)


def laces(
    last: Last, start: float, end: float, count: int, paint: Paint, *, deep: float, skew: float
) -> tuple[Line, ...]:
    """Rows of lace from the eyelets to the ridge, where they meet those of the far side."""
    rows = []
    for way in np.linspace(start, end, count):
        eyelet = last.along(way, way + 1e-3, deep)[0]
        over = last.along(way + skew, way + skew + 1e-3, -0.004)[0]
        rows.append(Line(np.stack([eyelet, over]), paint, width=0.019, lift=0.014, rank=4))
    return tuple(rows)


def eyelets(
    last: Last, start: float, end: float, count: int, paint: Paint, deep: float, size: float = 0.009
) -> tuple[Patch, ...]:
    """A row of rings along the lacing."""
    rings = []
    for way in np.linspace(start, end, count):
        centre = last.along(way, way + 1e-3, deep)[0]
        rings.append(Patch(ellipse(centre, (size, size)), paint, lift=0.006, rank=None))
    return tuple(rings)


def bow_loops(centre: Curve, size: float, paint: Paint, lean: float = 0.0) -> tuple[Patch, ...]:
    """Two loops and a knot, seen from the side."""
    x, y = float(centre[0]), float(centre[1])
    front = ellipse((x + 0.72 * size, y - 0.15 * size), (0.75 * size, 0.42 * size), -0.4 + lean)
    rear = ellipse((x - 0.72 * size, y + 0.05 * size), (0.75 * size, 0.42 * size), 0.35 + lean)
    knot = ellipse((x, y), (0.26 * size, 0.3 * size))
    return (
        Patch(front, paint, lift=0.012, rank=4),
        Patch(rear, paint, lift=0.012, rank=4),
        Patch(knot, paint, lift=0.018, rank=5),
    )


def strap(path: Curve, width: float, paint: Paint, rank: int | None = 3) -> tuple[Curve, Patch]:
    """A strip along a path: what it covers, and how it is painted."""
    outline = band(path, width)
    return outline, Patch(outline, paint, lift=0.004, rank=rank)


def buckle(
    centre: Sequence[float] | Curve, size: float, paint: Paint, angle: float = 0.0
) -> tuple[Line, ...]:
    """A frame with a pin."""
    corners = np.array([[-1, -1.2], [1, -1.2], [1, 1.2], [-1, 1.2], [-1, -1.2]]) * size
    cos, sin = np.cos(angle), np.sin(angle)
    turned = corners @ np.array([[cos, sin], [-sin, cos]]) + np.asarray(centre)
    pin = np.array([[-1.0, 0.0], [1.0, 0.0]]) * size @ np.array([[cos, sin], [-sin, cos]])
    return (
        Line(turned, paint, width=0.011, lift=0.012, rank=5),
        Line(pin + np.asarray(centre), paint, width=0.007, lift=0.014, rank=None),
    )


def stitches(path: Curve, paint: Paint, inset: float = 0.0) -> Line:
    """A dashed seam beside a path."""
    return Line(offset(path, inset), paint, width=0.0045, lift=-0.002, dash=0.011, rank=None)


def seam(path: Curve, paint: Paint, rank: int | None = 5) -> Line:
    """A sunken seam along a path."""
    return Line(path, paint, width=0.006, lift=-0.007, rank=rank)


def trim(path: Curve, paint: Paint, width: float = 0.014) -> Line:
    """A piping along an edge; the edge itself is drawn, the piping is not."""
    return Line(path, paint, width=width, lift=0.005, rank=None)
