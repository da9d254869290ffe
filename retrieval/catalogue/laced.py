"""Families with laces: sneaker, high-top, oxford."""

import numpy as np

from .curves import Curve, ellipse, offset, smooth
from .design import BRIGHT, NEUTRAL, Designer, Scheme, contrast, paint
from .pieces import (
    below,
    block_heel,
    bow_loops,
    eyelets,
    flat_sole,
    laces,
    lug_sole,
    seam,
    stitches,
    thin_sole,
    topline,
    trim,
)
from .shapes import Last, Line, Paint, Patch, Shoe, Solid

SOLES = ("white", "white", "cream", "black", "grey", "cognac")


def sneaker(design: Designer) -> Shoe:
    """A low sports or street shoe with a rubber cup sole."""
    last = _sport_last(design, shaft=0.5)
    throat = last.way(design.measure("throat", 0.43, 0.48))
    low = design.measure("ankle", 0.13, 0.19)
    heel = design.measure("collar", 0.22, 0.29)
    edge = [(-0.03, heel), (0.05, heel - 0.01), (0.16, low + 0.03), (0.26, low)]
    line = topline(last, [*edge, (0.35, low + 0.045)], float(last.nose(throat)[0]))
    return _sport_shoe(design, "sneaker", last, line, throat)


def high_top(design: Designer) -> Shoe:
    """A laced sports shoe that covers the ankle."""
    last = _sport_last(design, shaft=0.75)
    height = design.measure("height", 0.40, 0.54)
    throat = last.way_up(height - design.measure("front", -0.02, 0.05))
    dip = design.measure("dip", 0.0, 0.05)
    edge = [(-0.06, height), (0.06, height), (0.17, height - dip), (0.27, height - dip * 0.7)]
    end = last.nose(throat)
    line = smooth([*last.on(edge).tolist(), end.tolist()])
    return _sport_shoe(design, "high_top", last, line, throat, high=True)


def oxford(design: Designer) -> Shoe:
    """A laced leather shoe with a low stacked heel."""
    scheme = design.scheme(NEUTRAL, ("espresso", "black", "tan", "cream", "brown"))
    heel = design.measure("heel", 0.075, 0.11)
    thick = design.measure("sole", 0.028, 0.05)
    last = Last(
        heel=heel,
        platform=thick,
        spring=design.measure("spring", 0.025, 0.045),
        toe_height=design.measure("toe height", 0.085, 0.115),
        toe_sharp=design.measure("toe", 0.25, 0.85),
        instep=design.measure("instep", 0.22, 0.26),
        width=design.measure("width", 0.145, 0.165),
        heel_width=0.112,
        shaft=0.5,
    )
    throat = last.way(design.measure("throat", 0.45, 0.49))
    low = design.measure("ankle", 0.15, 0.19)
    rear = design.measure("rear", 0.22, 0.26)
    edge = topline(
        last,
        [(-0.03, rear), (0.06, rear - 0.015), (0.17, low + 0.015), (0.28, low), (0.36, low + 0.05)],
        float(last.nose(throat)[0]),
    )
    skin = design.choose("material", ("leather", "smooth", "patent", "suede"), own=0.2)
    upper = paint(scheme.main, skin)
    second = paint(scheme.second, skin) if design.maybe("two-tone", 0.35) else upper
    thread = paint(contrast(scheme.main), "lining")
    count = design.count("eyelets", 3, 6)
    start = throat - design.measure("lacing", 0.15, 0.21)
    lace_end = throat - 0.015
    patches: list[Patch] = []
    lines: list[Line] = []
    cap_at = design.measure("cap", 0.78, 0.86)
    cap = _across(last, cap_at, design.measure("cap curve", -0.02, 0.05))
    style = design.choose("toe style", ("plain", "cap", "brogue", "wing", "apron"))
    if style in ("cap", "brogue", "wing"):
        if style == "wing":
            back = [(cap_at - 0.34, 0.03), (cap_at - 0.2, 0.085), (cap_at - 0.06, 0.075)]
            ridge = float(last.crest(cap_at - 0.02))
            cap = smooth(
                [*last.on(back).tolist(), (cap_at + 0.01, 0.9 * ridge), (cap_at - 0.02, ridge)]
            )
        patches.append(Patch(_ahead(last, cap), second, lift=0.004, rank=3, closed=False))
        lines.append(stitches(cap, thread, 0.008))
    if style in ("brogue", "wing"):
        lines.append(Line(offset(cap, 0.016), paint((0.05, 0.04, 0.04)), 0.011, -0.01, 0.011, None))
    if style == "apron":
        lines.append(seam(_apron(last, 0.60, 0.95, 0.35), thread))
    stay = last.along_band(start - 0.03, throat + 0.02, 0.07, 0.085)
    patches.append(Patch(stay, second, lift=0.005, rank=3))
    lines.append(stitches(offset(stay[24:], 0.008), thread))
    slot = last.along_band(start, throat + 0.02, 0.016, 0.03)
    patches.append(Patch(slot, paint(scheme.main, skin), lift=-0.012, rank=None))
    if design.maybe("counter", 0.5):
        patches.insert(
            0, Patch(_counter(last, design, 0.2), second, lift=0.004, rank=3, closed=False)
        )
    lace = paint(
        scheme.accent if design.maybe("bright laces", 0.2) else (0.1, 0.08, 0.08), "canvas"
    )
    lines += laces(last, start + 0.012, lace_end, count, lace, deep=0.04, skew=0.008)
    patches += eyelets(
        last, start + 0.012, lace_end, count, paint(scheme.metal, "metal"), 0.042, 0.006
    )
    if design.maybe("bow", 0.6):
        patches += bow_loops(last.along(lace_end, throat, 0.02)[0], 0.036, lace)
    lines.append(
        trim(edge, paint(contrast(scheme.main) if design.maybe("piping", 0.3) else scheme.main))
    )
    welt = design.measure("welt", 0.008, 0.018)
    sole = paint(scheme.sole, "rubber")
    solids: tuple[Solid, ...] = (
        thin_sole(last, sole, thick * 0.98, welt),
        block_heel(
            last,
            paint(scheme.sole, "stack"),
            length=design.measure("heel length", 0.25, 0.29),
            foot=0.235,
            lean=0.018,
            sole=thick,
        ),
    )
    if design.maybe("unit sole", 0.3):
        solids = (lug_sole(last, sole, welt=welt, teeth=design.count("teeth", 14, 22), depth=0.01),)
    return Shoe(
        family="oxford",
        last=last,
        cover=(below(last, edge),),
        paint=upper,
        solids=solids,
        lining=paint(scheme.lining, "lining"),
        insole=paint(scheme.lining, "smooth"),
        patches=tuple(patches),
        lines=tuple(lines),
        rims=(edge,),
    )


def _sport_last(design: Designer, shaft: float) -> Last:
    return Last(
        heel=design.measure("heel", 0.012, 0.06),
        platform=design.measure("sole", 0.055, 0.10),
        spring=design.measure("spring", 0.012, 0.06),
        toe_height=design.measure("toe height", 0.095, 0.135),
        toe_sharp=design.measure("toe", 0.2, 0.5),
        instep=design.measure("instep", 0.22, 0.27),
        width=design.measure("width", 0.155, 0.175),
        heel_width=0.12,
        box=design.measure("box", 2.2, 3.2),
        shaft=shaft,
    )


def _sport_shoe(
    design: Designer, family: str, last: Last, edge: Curve, throat: float, high: bool = False
) -> Shoe:
    scheme = design.scheme(BRIGHT, SOLES)
    skin = design.choose(
        "material", ("leather", "canvas", "suede", "knit", "mesh", "smooth"), own=0.25
    )
    overlay = design.choose("overlay", ("leather", "suede", "smooth"), own=0.25)
    upper, second = paint(scheme.main, skin), paint(scheme.second, overlay)
    accent = paint(scheme.accent, overlay)
    thread = paint(contrast(scheme.second), "lining")
    white = (0.93, 0.93, 0.91)
    lace = paint(design.choose("lace colour", (white, scheme.accent, scheme.main, white)), "canvas")

    start = last.way(design.measure("lace start", 0.66, 0.74))
    tongue_end = throat + design.measure("tongue", 0.05, 0.11)
    tongue = last.along_band(throat - 0.06, tongue_end, 0.05, 0.075)
    count = design.count("eyelets", 4, 7) + 2 * high
    deep = design.measure("eyelet depth", 0.042, 0.06)

    patches, lines = _panels(design, last, second, thread)
    patches += _motif(design, last, accent)
    stay = last.along_band(start - 0.035, throat + 0.03, deep + 0.02, deep + 0.035)
    patches.append(Patch(stay, second, lift=0.005, rank=3))
    lines.append(stitches(offset(stay[24:], 0.008), thread))
    slot = last.along_band(start, tongue_end, deep - 0.018, deep + 0.005)
    patches.append(Patch(slot, paint(scheme.main, skin), lift=-0.012, rank=3))
    patches += eyelets(
        last, start + 0.012, throat - 0.01, count, paint(scheme.metal, "metal"), deep
    )
    skew = design.measure("lace skew", 0.0, 0.03)
    lines += laces(last, start + 0.012, throat - 0.01, count, lace, deep=deep, skew=skew)
    if design.maybe("bow", 0.7):
        patches += bow_loops(last.along(throat, throat + 0.1, 0.035)[0], 0.045, lace)
    if high and design.maybe("ankle badge", 0.5):
        centre = last.on([(0.2, design.measure("badge height", 0.27, 0.34))])[0]
        size = design.measure("badge", 0.035, 0.05)
        patches.append(Patch(ellipse(centre, (size, size)), accent, rank=5))
        patches.append(Patch(ellipse(centre, (size * 0.6, size * 0.6)), upper, rank=None))
    lines.append(trim(edge, paint(scheme.second, overlay), 0.02))
    return Shoe(
        family=family,
        last=last,
        cover=(below(last, edge), tongue),
        paint=upper,
        solids=(_sport_sole(design, last, scheme),),
        lining=paint(scheme.lining, "lining"),
        insole=paint(scheme.lining, "lining"),
        patches=tuple(patches),
        lines=tuple(lines),
        rims=(edge, last.along(throat + 0.02, tongue_end, -0.002)),
    )


def _sport_sole(design: Designer, last: Last, scheme: Scheme) -> Solid:
    x = np.linspace(0.01, 0.99, 60)
    level = design.measure("stripe level", 0.35, 0.75)
    stripe = np.stack([x, last.bed(x) * level], 1)
    marks: list[Line] = []
    style = design.choose("sole style", ("plain", "stripe", "two-tone", "groove", "ribs", "bubble"))
    if style == "stripe":
        marks.append(Line(stripe, paint(scheme.accent, "rubber"), 0.012, 0.0, 0.0, 5))
    if style == "two-tone":
        low = np.stack([x, last.bed(x) * 0.12], 1)
        marks.append(Line(low, paint(scheme.accent, "rubber"), 0.035, 0.0, 0.0, 5))
    if style == "groove":
        marks.append(Line(stripe, paint(scheme.sole, "rubber"), 0.007, -0.008, 0.0, 5))
    if style == "ribs":
        for at in np.arange(0.72, 0.99, 0.022):
            rib = np.array([[at, 0.0], [at, float(last.bed(at)) + 0.01]])
            marks.append(Line(rib, paint(scheme.sole, "rubber"), 0.006, -0.008, 0.0, None))
    if style == "bubble":
        bubble = ellipse((0.16, 0.5 * float(last.bed(0.1))), (0.09, 0.22 * float(last.bed(0.1))))
        marks.append(Line(bubble, paint(scheme.accent, "rubber"), 0.012, 0.004, 0.0, 5))
    return flat_sole(
        last,
        paint(scheme.sole, "rubber"),
        rise=design.measure("foxing", 0.008, 0.035),
        welt=design.measure("welt", 0.006, 0.016),
        bevel=design.measure("bevel", 0.008, 0.035),
        lines=tuple(marks),
    )


def _panels(
    design: Designer, last: Last, second: Paint, thread: Paint
) -> tuple[list[Patch], list[Line]]:
    patches: list[Patch] = []
    lines: list[Line] = []
    toe = design.choose("toe piece", ("none", "cap", "bumper", "guard"))
    at = design.measure("toe piece at", 0.82, 0.89)
    if toe == "cap":
        edge = _across(last, at, 0.03)
        patches.append(Patch(_ahead(last, edge), second, rank=3, closed=False))
        lines.append(stitches(edge, thread, 0.008))
    if toe in ("bumper", "guard"):
        tall = design.measure("guard", 0.035, 0.07)
        back = 0.9 if toe == "bumper" else design.measure("guard back", 0.5, 0.66)
        top = last.on(
            [(back - 0.03, -0.01), (back + 0.05, tall * 0.8), (0.88, tall), (1.02, tall * 1.15)]
        )
        edge = smooth(top)
        patches.append(
            Patch(np.concatenate([edge, [[1.1, -0.1], [back, -0.1]]]), second, rank=3, closed=False)
        )
        lines.append(stitches(edge, thread, -0.008))
    if design.maybe("counter", 0.65):
        counter = _counter(last, design, 0.26)
        patches.append(Patch(counter, second, rank=3, closed=False))
        lines.append(stitches(counter[:25], thread, -0.008))
    if design.maybe("vamp seam", 0.4):
        at = design.measure("vamp seam at", 0.56, 0.66)
        lines.append(seam(_across(last, at, 0.04), thread))
    return patches, lines


def _motif(design: Designer, last: Last, accent: Paint) -> list[Patch]:
    kind = design.choose("motif", ("stripes", "swoosh", "chevron", "disc", "panel", "none"))
    x = design.measure("motif x", 0.38, 0.46)
    lean = design.measure("motif lean", 0.06, 0.16)
    tall = design.measure("motif height", 0.11, 0.16)
    if kind == "stripes":
        number = design.count("stripes", 2, 4)
        gap = design.measure("stripe gap", 0.036, 0.05)
        made = []
        for i in range(number):
            left = x + (i - number / 2) * gap
            made.append(
                [(left + lean, 0.0), (left + lean + 0.02, 0.0), (left + 0.02, tall), (left, tall)]
            )
        return [Patch(last.on(points), accent, rank=5) for points in made]
    if kind == "swoosh":
        upper = smooth([(x - 0.17, 0.10), (x - 0.12, 0.05), (x, 0.07), (x + 0.18, tall)])
        lower = smooth([(x + 0.18, tall), (x, 0.035), (x - 0.13, 0.015), (x - 0.17, 0.10)])
        return [Patch(last.on(np.concatenate([upper, lower])), accent, rank=5)]
    if kind == "chevron":
        points = [
            (x - 0.06, tall),
            (x + 0.03, tall * 0.5),
            (x - 0.06, 0),
            (x - 0.02, 0),
            (x + 0.08, tall * 0.5),
        ]
        return [Patch(last.on([*points, (x - 0.02, tall)]), accent, rank=5)]
    if kind == "disc":
        size = design.measure("disc", 0.03, 0.05)
        centre = last.on([(x - 0.05, tall * 0.65)])[0]
        return [Patch(ellipse(centre, (size, size)), accent, rank=5)]
    if kind == "panel":
        points = [
            (x - 0.12, -0.01),
            (x - 0.08, tall * 0.6),
            (x + 0.02, tall * 1.3),
            (x + 0.13, tall * 1.3),
        ]
        return [Patch(last.on([*points, (x + 0.1, tall * 0.5), (x + 0.14, -0.01)]), accent, rank=3)]
    return []


def _across(last: Last, x: float, curve: float) -> Curve:
    """A seam over the vamp from the bed to the ridge, bent forward by ``curve``."""
    ridge = float(last.crest(x)) - float(last.bed(x))
    return smooth(last.on([(x - 0.01, -0.01), (x + curve, ridge * 0.5), (x, ridge + 0.004)]))


def _ahead(last: Last, edge: Curve) -> Curve:
    """Everything in front of a seam over the vamp."""
    top = edge[-1]
    return np.concatenate([edge, [[1.1, top[1] + 0.02], [1.1, -0.1], [edge[0, 0], -0.1]]])


def _apron(last: Last, start: float, end: float, drop: float) -> Curve:
    """The seam of a moccasin: along the vamp and around the toe, below the ridge."""
    x = np.linspace(start, end, 30)
    ridge = last.crest(x) - last.bed(x)
    fall = drop + (1 - drop) * 0.25 * np.linspace(0, 1, 30) ** 4
    return np.stack([x, last.bed(x) + ridge * (1 - fall)], 1)


def _counter(last: Last, design: Designer, height: float) -> Curve:
    """The piece around the heel; its drawn edge comes first."""
    reach = design.measure("counter reach", 0.15, 0.24)
    tall = height * design.measure("counter height", 0.7, 1.0)
    edge = smooth(
        last.on([(reach + 0.03, -0.02), (reach, 0.08), (reach * 0.5, tall * 0.8), (-0.05, tall)])
    )
    return np.concatenate([edge, [[-0.1, -0.1]]])
