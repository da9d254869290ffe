"""Families without laces and with a low or high heel: loafer, ballerina, pump, stiletto."""

import numpy as np

from .curves import Curve, ellipse, offset, part, smooth
from .design import DRESSY, NEUTRAL, Designer, Scheme, contrast, paint, tone
from .pieces import (
    below,
    block_heel,
    bow_loops,
    buckle,
    flat_sole,
    platform_sole,
    seam,
    slim_heel,
    stitches,
    strap,
    thin_sole,
    topline,
    trim,
)
from .shapes import Last, Line, Paint, Patch, Shoe, Solid


def loafer(design: Designer) -> Shoe:
    """A slip-on with an apron seam, and a strap, tassel or bit."""
    scheme = design.scheme(
        (*NEUTRAL, "blue", "red", "olive"), ("espresso", "black", "tan", "cream")
    )
    thick = design.measure("sole", 0.025, 0.05)
    last = Last(
        heel=design.measure("heel", 0.03, 0.10),
        platform=thick,
        spring=design.measure("spring", 0.02, 0.045),
        toe_height=design.measure("toe height", 0.085, 0.115),
        toe_sharp=design.measure("toe", 0.25, 0.65),
        instep=design.measure("instep", 0.21, 0.25),
        width=design.measure("width", 0.148, 0.168),
        heel_width=0.112,
        shaft=0.5,
    )
    throat = design.measure("throat", 0.50, 0.58)
    rear = design.measure("rear", 0.20, 0.25)
    low = design.measure("low", 0.12, 0.17)
    edge = topline(
        last,
        [(-0.03, rear), (0.06, rear - 0.015), (0.18, low + 0.01), (0.32, low), (0.43, low + 0.03)],
        throat,
    )
    skin = design.choose("material", ("leather", "suede", "smooth", "patent", "scales"), own=0.2)
    upper, second = paint(scheme.main, skin), paint(scheme.second, skin)
    thread = paint(contrast(scheme.main), "lining")
    x = np.linspace(throat + 0.01, design.measure("apron end", 0.94, 0.975), 30)
    drop = design.measure("apron drop", 0.28, 0.42)
    ridge = last.crest(x) - last.bed(x)
    fall = drop + (0.8 - drop) * np.linspace(0, 1, 30) ** 5
    apron = np.stack([x, last.bed(x) + ridge * (1 - fall)], 1)
    plug = np.concatenate([apron, [[0.99, float(last.crest(0.9)) + 0.2], [throat, 0.6]]])
    patches = [Patch(plug, second, lift=0.003, rank=3, closed=False)]
    lines = [Line(apron, upper, 0.012, 0.006, 0.0, None), stitches(apron, thread, 0.012)]
    style = design.choose("front", ("penny", "bit", "tassel", "strap", "plain"))
    at = throat + design.measure("front at", 0.035, 0.07)
    if style in ("penny", "strap", "bit"):
        top = float(last.crest(at)) - float(last.bed(at))
        path = smooth(last.on([(at - 0.09, 0.02), (at - 0.03, top * 0.6), (at, top + 0.01)]))
        patches.append(strap(path, design.measure("strap", 0.035, 0.06), second)[1])
        if style == "penny":
            slot = ellipse(path[-5], (0.012, 0.02))
            patches.append(Patch(slot, paint((0.05, 0.04, 0.04)), lift=-0.01, rank=5))
        if style == "bit":
            bar = smooth([path[-8], path[-4] + [0.004, 0.004], path[-1]])
            lines.append(Line(bar, paint(scheme.metal, "metal"), 0.02, 0.015, 0.0, 4))
            ring = ellipse(path[-9], (0.022, 0.026))
            lines.append(
                Line(
                    np.concatenate([ring, ring[:1]]),
                    paint(scheme.metal, "metal"),
                    0.011,
                    0.012,
                    0.0,
                    4,
                )
            )
    if style == "tassel":
        knot = last.along(last.way(at), last.way(at) + 0.05, 0.03)[0]
        for shift in (0.0, 0.03):
            hang = np.array(
                [[0, 0], [0.05 + shift, -0.022], [0.065 + shift, -0.05], [0.01 + shift, -0.035]]
            )
            patches.append(Patch(knot + hang, second, lift=0.01, rank=4))
    if design.maybe("counter", 0.4):
        tall = design.measure("counter", 0.10, 0.18)
        cut = smooth(last.on([(0.22, -0.01), (0.19, tall * 0.5), (0.1, tall), (-0.04, tall * 1.1)]))
        patches.append(Patch(np.concatenate([cut, [[-0.1, -0.1]]]), second, rank=3, closed=False))
    lines.append(trim(edge, paint(tone(scheme.main, 0.75), skin)))
    welt = design.measure("welt", 0.004, 0.016)
    sole = paint(scheme.sole, "rubber")
    if last.heel > 0.055:
        heel = block_heel(
            last, paint(scheme.sole, "stack"), length=0.27, foot=0.22, lean=0.02, sole=thick
        )
        solids: tuple[Solid, ...] = (thin_sole(last, sole, thick * 0.98, welt), heel)
    else:
        solids = (flat_sole(last, sole, rise=0.004, welt=welt, bevel=0.012),)
    return _shoe(
        "loafer", last, (below(last, edge),), upper, solids, scheme, patches, lines, (edge,)
    )


def ballerina(design: Designer) -> Shoe:
    """A flat slipper with a wide opening, often with a bow."""
    scheme = design.scheme(DRESSY + ("gold", "pink", "mint", "grey"), ("tan", "black", "cream"))
    last = Last(
        heel=design.measure("heel", 0.015, 0.05),
        platform=design.measure("sole", 0.014, 0.024),
        spring=design.measure("spring", 0.02, 0.045),
        toe_height=design.measure("toe height", 0.07, 0.09),
        toe_sharp=design.measure("toe", 0.2, 1.0),
        instep=0.22,
        width=design.measure("width", 0.14, 0.16),
        heel_width=0.108,
        shaft=0.5,
    )
    edge = _pump_line(design, last, 0.13, 0.19, 0.055, 0.09, 0.68, 0.8)
    skin = design.choose(
        "material", ("smooth", "patent", "suede", "satin", "glitter", "scales", "quilt"), own=0.25
    )
    upper = paint(scheme.main, skin)
    patches, lines = _front(design, last, edge, scheme, upper)
    lines.append(
        trim(
            edge,
            paint(
                scheme.accent if design.maybe("bright trim", 0.3) else tone(scheme.main, 0.75),
                "satin",
            ),
        )
    )
    cover = [below(last, edge)]
    rims = [edge]
    if design.maybe("ankle strap", 0.25):
        _add_strap(design, last, cover, patches, lines, rims, upper, scheme)
    sole = thin_sole(last, paint(scheme.sole, "rubber"), last.platform, 0.003)
    heel = block_heel(
        last, paint(scheme.sole, "rubber"), length=0.24, foot=0.2, lean=0.02, sole=0.012
    )
    return _shoe(
        "ballerina", last, tuple(cover), upper, (sole, heel), scheme, patches, lines, tuple(rims)
    )


def pump(design: Designer) -> Shoe:
    """A court shoe with a block or kitten heel of middle height."""
    scheme = design.scheme(DRESSY, ("tan", "black", "espresso"))
    last = _heeled_last(design, 0.13, 0.27, 0.2, 0.75)
    edge = _pump_line(design, last, 0.15, 0.21, 0.06, 0.10, 0.64, 0.76)
    skin = design.choose(
        "material", ("smooth", "patent", "suede", "leather", "satin", "scales"), own=0.25
    )
    upper = paint(scheme.main, skin)
    patches, lines = _front(design, last, edge, scheme, upper)
    lines.append(trim(edge, paint(tone(scheme.main, 0.75), skin)))
    cover, rims = [below(last, edge)], [edge]
    if design.maybe("bar", 0.35):
        _add_bar(design, last, cover, patches, lines, upper, scheme)
    sole = thin_sole(last, paint(scheme.sole, "smooth"), last.platform, 0.003)
    under = upper if design.maybe("covered heel", 0.5) else paint(scheme.sole, "stack")
    if design.maybe("kitten", 0.3):
        heel = slim_heel(last, under, length=0.2, tip=0.022, curve=0.03, sole=0.012)
    else:
        heel = block_heel(
            last,
            under,
            length=design.measure("heel length", 0.2, 0.25),
            foot=design.measure("heel foot", 0.09, 0.19),
            lean=design.measure("heel lean", 0.015, 0.05),
            sole=0.012,
        )
    return _shoe(
        "pump", last, tuple(cover), upper, (sole, heel), scheme, patches, lines, tuple(rims)
    )


def stiletto(design: Designer) -> Shoe:
    """A court shoe on a high, thin heel."""
    scheme = design.scheme(DRESSY, ("tan", "black", "red", "espresso"))
    last = _heeled_last(design, 0.34, 0.47, 0.6, 1.0)
    if design.maybe("platform", 0.25):
        last = Last(**{**last.__dict__, "platform": design.measure("platform", 0.05, 0.09)})
    edge = _pump_line(design, last, 0.16, 0.21, 0.05, 0.085, 0.68, 0.79)
    skin = design.choose(
        "material", ("smooth", "patent", "suede", "satin", "scales", "glitter"), own=0.25
    )
    upper = paint(scheme.main, skin)
    patches, lines = _front(design, last, edge, scheme, upper)
    lines.append(trim(edge, paint(tone(scheme.main, 0.75), skin)))
    cover, rims = [below(last, edge)], [edge]
    cuts: tuple[Curve, ...] = ()
    if design.maybe("dorsay", 0.3):
        left, right = design.measure("cut from", 0.2, 0.26), design.measure("cut to", 0.5, 0.6)
        low = design.measure("cut depth", 0.0, 0.03)
        gap = smooth(
            last.on(
                [
                    (left - 0.03, 0.3),
                    (left, 0.07),
                    (0.5 * (left + right), low),
                    (right, 0.07),
                    (right + 0.03, 0.3),
                ]
            )
        )
        cuts = (gap,)
        rims.append(gap)
    if design.maybe("ankle strap", 0.35):
        _add_strap(design, last, cover, patches, lines, rims, upper, scheme)
    sole = thin_sole(last, paint(scheme.sole, "smooth"), 0.014, 0.002)
    heel = slim_heel(
        last,
        upper if design.maybe("covered heel", 0.75) else paint(scheme.metal, "metal"),
        length=design.measure("heel length", 0.16, 0.2),
        tip=design.measure("heel tip", 0.007, 0.013),
        curve=design.measure("heel curve", -0.005, 0.03),
        sole=0.014,
    )
    solids: tuple[Solid, ...] = (sole, heel)
    if last.platform > 0.03:
        solids = (sole, platform_sole(last, upper, last.platform), heel)
    return _shoe(
        "stiletto", last, tuple(cover), upper, solids, scheme, patches, lines, tuple(rims), cuts
    )


def _heeled_last(design: Designer, low: float, high: float, round_: float, sharp: float) -> Last:
    return Last(
        heel=design.measure("heel", low, high),
        platform=0.016,
        spring=design.measure("spring", 0.01, 0.03),
        toe_height=design.measure("toe height", 0.07, 0.09),
        toe_sharp=design.measure("toe", round_, sharp),
        instep=0.22,
        width=design.measure("width", 0.13, 0.15),
        heel_width=0.1,
        shaft=0.5,
    )


def _pump_line(
    design: Designer,
    last: Last,
    rear_low: float,
    rear_high: float,
    low: float,
    high: float,
    throat_low: float,
    throat_high: float,
) -> Curve:
    rear = design.measure("rear", rear_low, rear_high)
    side = design.measure("side", low, high)
    throat = design.measure("throat", throat_low, throat_high)
    deep = design.measure("throat form", 0.35, 0.8)
    near = float(last.crest(throat)) - float(last.bed(throat))
    points = [(-0.03, rear), (0.03, rear - 0.006), (0.14, 0.5 * (rear + side)), (0.3, side)]
    points += [(0.48, side * 0.92), (throat - 0.06, near * deep)]
    return topline(last, points, throat)


def _front(
    design: Designer, last: Last, edge: Curve, scheme: Scheme, upper: Paint
) -> tuple[list[Patch], list[Line]]:
    patches: list[Patch] = []
    lines: list[Line] = []
    style = design.choose("front", ("plain", "bow", "cap", "flower", "buckle", "stud", "plain"))
    throat = edge[-1]
    if style == "bow":
        size = design.measure("bow size", 0.035, 0.06)
        patches += bow_loops(throat + [0.01, -0.02], size, paint(scheme.accent, "satin"))
    if style == "cap":
        at = design.measure("cap", 0.86, 0.92)
        ridge = float(last.crest(at)) - float(last.bed(at))
        cut = smooth(last.on([(at - 0.02, -0.01), (at + 0.02, ridge * 0.5), (at, ridge + 0.004)]))
        ahead = np.concatenate([cut, [[1.1, cut[-1, 1] + 0.02], [1.1, -0.1], [cut[0, 0], -0.1]]])
        patches.append(Patch(ahead, paint(scheme.second, "patent"), rank=3, closed=False))
    if style == "flower":
        for turn in np.arange(0, 2 * np.pi, 2 * np.pi / 5):
            petal = throat + [0.03 + 0.024 * np.cos(turn), -0.035 + 0.024 * np.sin(turn)]
            patches.append(
                Patch(ellipse(petal, (0.02, 0.016), turn), paint(scheme.accent, "satin"), 0.01, 4)
            )
        patches.append(
            Patch(
                ellipse(throat + [0.03, -0.035], (0.011, 0.011)),
                paint(scheme.metal, "metal"),
                0.015,
                5,
            )
        )
    if style == "buckle":
        lines += buckle(throat + [0.035, -0.03], 0.026, paint(scheme.metal, "metal"), -0.4)
    if style == "stud":
        way = last.way(float(throat[0]))
        for step in range(design.count("studs", 3, 6)):
            spot = last.along(way - 0.02 - 0.03 * step, way - 0.02 - 0.03 * step + 1e-3, 0.045)[0]
            patches.append(
                Patch(ellipse(spot, (0.008, 0.008)), paint(scheme.metal, "metal"), 0.01, 5)
            )
    if design.maybe("side seam", 0.4):
        x = design.measure("side seam at", 0.4, 0.56)
        lines.append(seam(last.on([(x, -0.02), (x - 0.03, 0.2)]), paint(tone(scheme.main, 0.7))))
    return patches, lines


def _add_strap(
    design: Designer,
    last: Last,
    cover: list[Curve],
    patches: list[Patch],
    lines: list[Line],
    rims: list[Curve],
    upper: Paint,
    scheme: Scheme,
) -> None:
    """A strap around the ankle, held by the heel piece."""
    level = last.platform + last.heel
    y = level + design.measure("ankle strap at", 0.29, 0.36)
    path = smooth([(-0.1, y + 0.01), (0.2, y - 0.008), (0.6, y + 0.02)])
    outline, patch = strap(path, design.measure("ankle strap width", 0.022, 0.045), upper)
    post = np.array([[-0.1, level], [0.055, level], [0.06, y], [-0.1, y]])
    cover += [outline, post]
    patches.append(patch)
    at = np.array([design.measure("buckle at", 0.12, 0.24), y - 0.006])
    lines += buckle(at, 0.018, paint(scheme.metal, "metal"))
    rims.append(part(np.array([[0.056, level + 0.1], [0.06, y]]), 0, 0.3, 8))


def _add_bar(
    design: Designer,
    last: Last,
    cover: list[Curve],
    patches: list[Patch],
    lines: list[Line],
    upper: Paint,
    scheme: Scheme,
) -> None:
    """The bar of a Mary Jane, across the foot."""
    x = design.measure("bar at", 0.46, 0.56)
    top = float(last.crest(x - 0.03)) - float(last.bed(x - 0.03))
    path = smooth(last.on([(x, 0.03), (x - 0.005, top * 0.55), (x - 0.03, top + 0.01)]))
    outline, patch = strap(path, design.measure("bar width", 0.03, 0.055), upper)
    cover.append(outline)
    patches.append(patch)
    lines += buckle(path[len(path) // 2], 0.02, paint(scheme.metal, "metal"), 1.4)


def _shoe(
    family: str,
    last: Last,
    cover: tuple[Curve, ...],
    upper: Paint,
    solids: tuple[Solid, ...],
    scheme: Scheme,
    patches: list[Patch],
    lines: list[Line],
    rims: tuple[Curve, ...],
    cuts: tuple[Curve, ...] = (),
) -> Shoe:
    return Shoe(
        family=family,
        last=last,
        cover=cover,
        paint=upper,
        solids=solids,
        lining=paint(scheme.lining, "lining"),
        insole=paint(scheme.lining, "smooth"),
        cuts=cuts,
        patches=tuple(patches),
        lines=tuple(lines),
        rims=rims,
    )
