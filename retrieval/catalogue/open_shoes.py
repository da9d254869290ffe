"""Families that show the foot: sandal, wedge, clog."""

import numpy as np

from .curves import Curve, ellipse, offset, smooth
from .design import NEUTRAL, SUMMER, Designer, Scheme, contrast, paint, tone
from .pieces import (
    below,
    block_heel,
    bow_loops,
    buckle,
    flat_sole,
    platform_sole,
    slim_heel,
    stitches,
    strap,
    thin_sole,
    topline,
    trim,
    wedge_sole,
)
from .shapes import Last, Line, Paint, Patch, Shoe, Solid


def sandal(design: Designer) -> Shoe:
    """Straps over an open foot, flat or on a heel."""
    scheme = design.scheme(SUMMER, ("tan", "black", "cream", "espresso", "cognac"))
    kind = design.choose("sole kind", ("cork", "flat", "block", "slim", "cork"))
    heel = {
        "cork": design.measure("cork heel", 0.02, 0.05),
        "flat": design.measure("flat heel", 0.015, 0.04),
        "block": design.measure("block heel", 0.16, 0.32),
        "slim": design.measure("slim heel", 0.28, 0.42),
    }[kind]
    thick = {"cork": design.measure("cork", 0.06, 0.1)}.get(kind, 0.022)
    if kind == "block" and design.maybe("platform", 0.5):
        thick = design.measure("platform", 0.05, 0.1)
    last = _open_last(design, heel, thick)
    bed = paint(scheme.sole, "smooth")
    if kind == "cork":
        solids: tuple[Solid, ...] = (
            flat_sole(
                last,
                paint((0.70, 0.54, 0.38), "cork"),
                rise=0.006,
                welt=0.008,
                bevel=0.012,
                lines=(_tread(last, scheme),),
            ),
        )
    elif kind == "flat":
        solids = (thin_sole(last, bed, 0.02, 0.008), _low_heel(last, bed))
    else:
        solids = _raised(design, last, kind, thick, bed, scheme)
    return _strapped(design, "sandal", last, solids, scheme)


def wedge(design: Designer) -> Shoe:
    """A sandal or espadrille on a wedge of rope, cork or wood."""
    scheme = design.scheme(SUMMER, ("tan", "cream", "espresso", "black"))
    last = _open_last(
        design, design.measure("heel", 0.17, 0.36), design.measure("platform", 0.05, 0.11)
    )
    stuff = design.choose("wedge material", ("rope", "cork", "wood", "leather", "rope"))
    colour = {"rope": (0.76, 0.63, 0.44), "cork": (0.70, 0.53, 0.37), "wood": (0.6, 0.4, 0.24)}
    body = paint(colour.get(stuff, scheme.main), stuff)
    x = np.linspace(0.0, 1.0, 40)
    low = np.stack([x, 0.008 + np.clip((x - 0.8) / 0.2, 0, 1) ** 2 * last.spring], 1)
    marks = [Line(low, paint(scheme.sole, "rubber"), 0.022, 0.0, 0.0, 5)]
    if stuff == "rope":
        for share in np.arange(0.2, 1.0, 0.2):
            layer = np.stack([x, last.bed(x) * share], 1)
            marks.append(
                Line(layer, paint(tone(body.colour, 0.8), "rope"), 0.006, -0.006, 0.0, None)
            )
    if design.maybe("inlay", 0.35):
        layer = np.stack([x, last.bed(x) * design.measure("inlay at", 0.6, 0.9)], 1)
        marks.append(Line(layer, paint(scheme.accent, "canvas"), 0.022, 0.0, 0.0, 5))
    solid = wedge_sole(
        last, body, lean=design.measure("lean", -0.005, 0.07), welt=0.006, lines=tuple(marks)
    )
    if not design.maybe("closed toe", 0.45):
        return _strapped(design, "wedge", last, (solid,), scheme)
    edge = topline(
        last,
        [(0.3, -0.05), (0.42, 0.0), (0.5, 0.05), (0.58, 0.10)],
        design.measure("throat", 0.62, 0.68),
    )
    skin = design.choose("material", ("canvas", "suede", "leather"), own=0.3)
    upper = paint(scheme.main, skin)
    thread = paint(contrast(scheme.main), "lining")
    cover, patches, lines, rims = [below(last, edge)], [], [stitches(edge, thread, 0.01)], [edge]
    _ankle(design, last, cover, patches, lines, upper, scheme, quarter=True)
    if design.maybe("bow", 0.3):
        patches += bow_loops(edge[-1] + [0.02, -0.02], 0.045, paint(scheme.accent, "canvas"))
    return _shoe("wedge", last, cover, upper, (solid,), scheme, patches, lines, rims)


def clog(design: Designer) -> Shoe:
    """A closed front without a back, on a thick sole of wood or cork."""
    scheme = design.scheme(
        (*NEUTRAL, "red", "white", "olive", "sky"), ("tan", "cognac", "espresso")
    )
    tall = design.maybe("heeled", 0.4)
    heel = design.measure("high heel", 0.13, 0.24) if tall else design.measure("heel", 0.03, 0.08)
    last = Last(
        heel=heel,
        platform=design.measure("sole", 0.06, 0.10),
        spring=design.measure("spring", 0.02, 0.06),
        toe_height=design.measure("toe height", 0.10, 0.14),
        toe_sharp=design.measure("toe", 0.15, 0.5),
        instep=design.measure("instep", 0.22, 0.27),
        width=design.measure("width", 0.155, 0.175),
        heel_width=0.12,
        box=3.0,
        shaft=0.5,
    )
    throat = design.measure("throat", 0.44, 0.54)
    start = design.measure("start", 0.16, 0.32)
    edge = topline(
        last,
        [
            (start - 0.06, -0.05),
            (start, 0.02),
            (start + 0.08, design.measure("side", 0.08, 0.13)),
            (throat - 0.08, 0.19),
        ],
        throat,
    )
    skin = design.choose("material", ("leather", "suede", "smooth", "rubber", "leather"), own=0.25)
    upper, second = paint(scheme.main, skin), paint(scheme.second, skin)
    thread = paint(contrast(scheme.main), "lining")
    patches: list[Patch] = []
    lines = [stitches(edge, thread, 0.014), trim(edge, paint(tone(scheme.main, 0.7), skin))]
    style = design.choose("front", ("plain", "strap", "apron", "holes", "strap"))
    if style == "strap":
        x = throat + design.measure("strap at", 0.03, 0.09)
        top = float(last.crest(x)) - float(last.bed(x))
        path = smooth(last.on([(x - 0.12, -0.01), (x - 0.05, top * 0.5), (x, top + 0.01)]))
        patches.append(strap(path, design.measure("strap", 0.045, 0.08), second)[1])
        lines += buckle(path[len(path) // 2], 0.03, paint(scheme.metal, "metal"), 0.9)
    if style == "apron":
        x = np.linspace(throat, 0.95, 24)
        rise = last.crest(x) - last.bed(x)
        lines.append(Line(np.stack([x, last.bed(x) + 0.6 * rise], 1), second, 0.012, 0.008, 0.0, 5))
    if style == "holes":
        for row in range(2):
            for step in range(4):
                x = throat + 0.06 + 0.075 * step + 0.03 * row
                y = float(last.bed(x)) + (float(last.crest(x)) - float(last.bed(x))) * (
                    0.72 - 0.3 * row
                )
                patches.append(
                    Patch(ellipse((x, y), (0.014, 0.012)), paint((0.06, 0.05, 0.05)), -0.01, 5)
                )
    if design.maybe("heel strap", 0.35):
        y = last.platform + last.heel + 0.17
        outline, patch = strap(
            smooth([(-0.05, y), (0.1, y - 0.01), (start + 0.16, y - 0.07 + 0.05)]), 0.04, second
        )
        cover = [below(last, edge), outline]
        patches.append(patch)
    else:
        cover = [below(last, edge)]
    if design.maybe("nails", 0.5):
        for x in np.arange(start + 0.04, 0.98, design.measure("nail gap", 0.035, 0.06)):
            nail = ellipse((x, float(last.bed(x)) + 0.016), (0.007, 0.007))
            patches.append(Patch(nail, paint(scheme.metal, "metal"), 0.008, None))
    stuff = design.choose("sole material", ("wood", "cork", "wood", "rubber"))
    body = {"wood": (0.66, 0.46, 0.28), "cork": (0.70, 0.54, 0.38)}.get(stuff, scheme.main)
    if tall:
        lean = design.measure("lean", 0.01, 0.06)
        solid = wedge_sole(last, paint(body, stuff), lean=lean, welt=0.008)
    else:
        solid = flat_sole(
            last,
            paint(body, stuff),
            rise=0.004,
            welt=0.010,
            bevel=0.025,
            lines=(_tread(last, scheme),),
        )
    return _shoe("clog", last, cover, upper, (solid,), scheme, patches, lines, [edge])


def _open_last(design: Designer, heel: float, thick: float) -> Last:
    return Last(
        heel=heel,
        platform=thick,
        spring=design.measure("spring", 0.01, 0.03),
        toe_height=design.measure("toe height", 0.075, 0.095),
        toe_sharp=design.measure("toe", 0.15, 0.55),
        instep=0.22,
        width=design.measure("width", 0.14, 0.165),
        heel_width=0.108,
        shaft=0.5,
    )


def _tread(last: Last, scheme: Scheme) -> Line:
    x = np.linspace(0, 1, 40)
    low = np.stack([x, 0.008 + np.clip((x - 0.8) / 0.2, 0, 1) ** 2 * last.spring], 1)
    return Line(low, paint(scheme.sole, "rubber"), 0.03, 0.0, 0.0, 5)


def _low_heel(last: Last, body: Paint) -> Solid:
    return block_heel(last, body, length=0.24, foot=0.2, lean=0.02, sole=0.015)


def _raised(
    design: Designer, last: Last, kind: str, thick: float, body: Paint, scheme: Scheme
) -> tuple[Solid, ...]:
    cover = (
        paint(scheme.main, "smooth")
        if design.maybe("covered", 0.5)
        else paint(scheme.sole, "stack")
    )
    if kind == "slim":
        heel = slim_heel(
            last,
            cover,
            length=0.18,
            tip=0.012,
            curve=design.measure("heel curve", 0, 0.03),
            sole=0.016,
        )
    else:
        heel = block_heel(
            last,
            cover,
            length=design.measure("heel length", 0.2, 0.26),
            foot=design.measure("heel foot", 0.11, 0.2),
            lean=design.measure("heel lean", 0.01, 0.05),
            sole=0.016,
        )
    under = thin_sole(last, body, 0.018, 0.006)
    if thick > 0.03:
        return (under, platform_sole(last, cover, thick, 0.006), heel)
    return (under, heel)


def _strapped(
    design: Designer, family: str, last: Last, solids: tuple[Solid, ...], scheme: Scheme
) -> Shoe:
    skin = design.choose(
        "material", ("smooth", "leather", "suede", "patent", "canvas", "scales"), own=0.25
    )
    upper, second = paint(scheme.main, skin), paint(scheme.second, skin)
    cover: list[Curve] = []
    patches: list[Patch] = []
    lines: list[Line] = []
    style = design.choose("straps", ("bands", "cross", "toe", "bands", "t-bar"))
    wide = design.measure("strap width", 0.03, 0.085)
    if style in ("bands", "toe"):
        number = design.count("bands", 1, 3)
        for i in range(number):
            x = 0.84 - i * (wide + design.measure("band gap", 0.02, 0.06)) - 0.03
            _band(design, last, x, x - 0.02, wide, second if i % 2 else upper, cover, patches)
    if style == "cross":
        slant = design.measure("slant", 0.06, 0.13)
        _band(design, last, 0.83, 0.83 - slant, wide * 0.8, upper, cover, patches)
        _band(design, last, 0.70, 0.70 + slant, wide * 0.8, second, cover, patches)
    if style == "t-bar":
        _band(design, last, 0.80, 0.79, wide * 0.8, upper, cover, patches)
        bar = last.along_band(last.way(0.8), last.way_up(0.34), 0.022, 0.022)
        cover.append(bar)
        patches.append(Patch(bar, upper, rank=3))
    if style == "toe" and design.maybe("buckles", 0.6):
        lines += buckle(last.on([(0.66, 0.08)])[0], 0.022, paint(scheme.metal, "metal"), 1.2)
    if style == "t-bar" or design.maybe("ankle", 0.72):
        _ankle(
            design, last, cover, patches, lines, upper, scheme, quarter=design.maybe("quarter", 0.4)
        )
    if design.maybe("flower", 0.2):
        spot = last.along(last.way(0.8), last.way(0.8) + 0.02, 0.03)[0]
        patches += bow_loops(spot, 0.045, paint(scheme.accent, "satin"))
    thread = paint(contrast(scheme.main), "lining")
    if design.maybe("stitched", 0.4):
        lines += [stitches(patch.outline, thread, 0.006) for patch in patches[:4]]
    return _shoe(family, last, cover, upper, solids, scheme, patches, lines, [])


def _band(
    design: Designer,
    last: Last,
    foot: float,
    top: float,
    wide: float,
    skin: Paint,
    cover: list[Curve],
    patches: list[Patch],
) -> None:
    """A strap from the sole at ``foot`` over the ridge at ``top``."""
    rise = float(last.crest(top)) - float(last.bed(top))
    path = smooth(
        last.on([(foot, -0.02), (0.6 * foot + 0.4 * top, rise * 0.55), (top, rise + 0.02)])
    )
    outline, patch = strap(path, wide, skin)
    cover.append(outline)
    patches.append(patch)


def _ankle(
    design: Designer,
    last: Last,
    cover: list[Curve],
    patches: list[Patch],
    lines: list[Line],
    skin: Paint,
    scheme: Scheme,
    quarter: bool,
) -> None:
    """A strap around the ankle, with a heel piece or a sling."""
    level = last.platform + last.heel
    y = level + design.measure("ankle at", 0.25, 0.34)
    path = smooth([(-0.1, y + 0.015), (0.2, y - 0.01), (0.6, y + 0.03)])
    outline, patch = strap(path, design.measure("ankle width", 0.022, 0.045), skin)
    if quarter:
        reach = design.measure("quarter", 0.1, 0.2)
        piece = smooth(
            [
                (-0.1, y),
                (0.05, y),
                (0.09, level + 0.12),
                (reach, level + 0.03),
                (reach + 0.05, level - 0.12),
            ]
        )
        piece = np.concatenate([piece, [[-0.1, level - 0.12]]])
    else:
        lower = last.on([(design.measure("sling foot", 0.28, 0.4), -0.02)])[0]
        piece = strap(smooth([lower, (0.18, level + 0.13), (0.05, y)]), 0.035, skin)[0]
    cover += [piece, outline]
    patches += [Patch(piece, skin, rank=3), patch]
    at = np.array([design.measure("buckle at", 0.12, 0.24), y - 0.008])
    lines += buckle(at, 0.018, paint(scheme.metal, "metal"))


def _shoe(
    family: str,
    last: Last,
    cover: list[Curve],
    upper: Paint,
    solids: tuple[Solid, ...],
    scheme: Scheme,
    patches: list[Patch],
    lines: list[Line],
    rims: list[Curve],
) -> Shoe:
    return Shoe(
        family=family,
        last=last,
        cover=tuple(cover),
        paint=upper,
        solids=solids,
        lining=paint(tone(scheme.lining, 0.9), "lining"),
        insole=paint(scheme.lining, "smooth"),
        patches=tuple(patches),
        lines=tuple(lines),
        rims=tuple(rims),
    )
