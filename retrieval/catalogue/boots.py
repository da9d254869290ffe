"""Families with a shaft: ankle boot, tall boot."""

import numpy as np

from .curves import Curve, ellipse, offset, smooth
from .design import NEUTRAL, Designer, Scheme, contrast, paint, tone
from .pieces import (
    below,
    block_heel,
    bow_loops,
    buckle,
    cuff,
    eyelets,
    laces,
    lug_sole,
    platform_sole,
    seam,
    slim_heel,
    stitches,
    strap,
    thin_sole,
    trim,
)
from .shapes import Last, Line, Paint, Patch, Shoe, Solid

SOLES = ("black", "black", "espresso", "tan", "cream", "brown")


def ankle_boot(design: Designer) -> Shoe:
    """A boot that ends above the ankle: Chelsea, zipped or laced."""
    last, solids, scheme = _base(design, shaft=0.8)
    height = design.measure("height", 0.44, 0.62)
    edge = cuff(
        last, height, design.measure("dip", -0.01, 0.05), design.measure("tilt", -0.02, 0.05)
    )
    skin = _skin(design)
    upper, second = paint(scheme.main, skin), paint(scheme.second, skin)
    thread = paint(contrast(scheme.main), "lining")
    patches, lines = _toe(design, last, second, thread)
    style = design.choose("closing", ("gore", "zip", "laces", "buckle", "gore"))
    if style == "gore":
        patches += _gore(design, last, height, paint(tone(scheme.main, 0.7), "knit"))
    if style == "zip":
        lines += _zip(design, last, height, scheme)
    if style == "laces":
        more_patches, more_lines = _lacing(design, last, height, scheme)
        patches += more_patches
        lines += more_lines
    if style == "buckle":
        more_patches, more_lines = _harness(design, last, 0.22, second, scheme)
        patches += more_patches
        lines += more_lines
    if design.maybe("pull tab", 0.5):
        rear = last.rear(height)
        tab = [(rear[0] - 0.03, rear[1] - 0.09), (rear[0] + 0.028, rear[1] - 0.09)]
        tab += [(rear[0] + 0.028, rear[1] + 0.05), (rear[0] - 0.03, rear[1] + 0.05)]
        patches.append(Patch(np.array(tab), paint(scheme.accent, "canvas"), rank=5))
    lines.append(trim(edge, paint(tone(scheme.main, 0.8), skin)))
    return _boot("ankle_boot", last, edge, upper, solids, scheme, patches, lines)


def tall_boot(design: Designer) -> Shoe:
    """A boot that reaches the calf or the knee."""
    last, solids, scheme = _base(design, shaft=1.35)
    height = design.measure("height", 0.82, 1.25)
    edge = cuff(
        last, height, design.measure("dip", -0.01, 0.06), design.measure("tilt", -0.02, 0.07)
    )
    skin = _skin(design)
    upper, second = paint(scheme.main, skin), paint(scheme.second, skin)
    thread = paint(contrast(scheme.main), "lining")
    patches, lines = _toe(design, last, second, thread)
    style = design.choose("closing", ("zip", "plain", "laces", "buckle", "riding", "cuff"))
    if style == "zip":
        lines += _zip(design, last, height, scheme)
    if style == "laces":
        more_patches, more_lines = _lacing(design, last, height * 0.92, scheme)
        patches += more_patches
        lines += more_lines
    if style in ("buckle", "riding"):
        at = 0.25 if style == "buckle" else height - 0.12
        more_patches, more_lines = _harness(design, last, at, second, scheme)
        patches += more_patches
        lines += more_lines
    if style == "cuff":
        low = cuff(last, height - design.measure("cuff", 0.10, 0.22))
        fold = np.concatenate([low, edge[::-1] + [0, 0.1]])
        patches.append(Patch(fold, second, lift=0.012, rank=3))
    if design.maybe("side seam", 0.6):
        level = last.platform + last.heel
        side = smooth(
            [(0.2, level + height), (0.2, level + 0.4), (0.22, level + 0.12), (0.3, level)]
        )
        lines.append(seam(side, thread))
    for number in range(design.count("folds", 0, 3)):
        at = design.measure(f"fold {number}", 0.26, 0.42)
        lines.append(_fold(last, at, upper))
    lines.append(trim(edge, paint(tone(scheme.main, 0.8), skin)))
    return _boot("tall_boot", last, edge, upper, solids, scheme, patches, lines)


def _base(design: Designer, shaft: float) -> tuple[Last, tuple[Solid, ...], Scheme]:
    scheme = design.scheme((*NEUTRAL, "grey", "olive", "sand"), SOLES)
    kind = design.choose("heel kind", ("low", "block", "cuban", "lug", "slim", "wedge block"))
    heel = {
        "low": design.measure("low heel", 0.05, 0.09),
        "block": design.measure("block heel", 0.15, 0.30),
        "cuban": design.measure("cuban heel", 0.12, 0.2),
        "lug": design.measure("lug heel", 0.03, 0.07),
        "slim": design.measure("slim heel", 0.27, 0.4),
        "wedge block": design.measure("high block", 0.26, 0.36),
    }[kind]
    thick = {"lug": design.measure("lug sole", 0.07, 0.11), "wedge block": 0.09}.get(kind, 0.025)
    dressy = kind in ("slim", "cuban")
    last = Last(
        heel=heel,
        platform=thick,
        spring=design.measure("spring", 0.015, 0.045),
        toe_height=design.measure("toe height", 0.085, 0.11) + (0.03 if kind == "lug" else 0),
        toe_sharp=design.measure("sharp toe", 0.6, 1.0)
        if dressy
        else design.measure("toe", 0.2, 0.7),
        instep=design.measure("instep", 0.24, 0.28),
        width=design.measure("width", 0.14, 0.165),
        heel_width=0.112,
        shaft=shaft,
        calf=design.measure("calf", 0.15, 0.5) if shaft > 1 else 0.05,
    )
    if kind == "lug":
        sole = lug_sole(
            last,
            paint(scheme.sole, "rubber"),
            welt=design.measure("welt", 0.01, 0.02),
            teeth=design.count("teeth", 12, 20),
            depth=design.measure("tread", 0.012, 0.03),
        )
        return last, (sole,), scheme
    colour = paint(scheme.sole, design.choose("heel material", ("stack", "rubber", "smooth")))
    if kind == "slim":
        pin = slim_heel(
            last,
            paint(scheme.main, "smooth"),
            length=design.measure("heel length", 0.18, 0.22),
            tip=design.measure("heel tip", 0.012, 0.02),
            curve=design.measure("heel curve", 0.0, 0.03),
            sole=0.025,
        )
        return last, (thin_sole(last, colour, 0.024), pin), scheme
    foot = design.measure("heel foot", 0.15, 0.22)
    block = block_heel(
        last,
        colour,
        length=design.measure("heel length", 0.24, 0.28),
        foot=foot,
        lean=0.02 + (0.03 if kind == "cuban" else 0.0),
        sole=0.024,
    )
    under = thin_sole(last, colour, 0.024, design.measure("welt", 0.004, 0.012))
    if kind == "wedge block":
        return last, (under, platform_sole(last, colour, thick), block), scheme
    return last, (under, block), scheme


def _skin(design: Designer) -> str:
    return design.choose("material", ("leather", "suede", "smooth", "patent", "leather"), own=0.2)


def _boot(
    family: str,
    last: Last,
    edge: Curve,
    upper: Paint,
    solids: tuple[Solid, ...],
    scheme: Scheme,
    patches: list[Patch],
    lines: list[Line],
) -> Shoe:
    return Shoe(
        family=family,
        last=last,
        cover=(below(last, edge),),
        paint=upper,
        solids=solids,
        lining=paint(scheme.lining, "lining"),
        insole=paint(scheme.lining, "lining"),
        patches=tuple(patches),
        lines=tuple(lines),
        rims=(edge,),
    )


def _toe(
    design: Designer, last: Last, second: Paint, thread: Paint
) -> tuple[list[Patch], list[Line]]:
    style = design.choose("toe style", ("plain", "cap", "seam", "plain"))
    at = design.measure("cap", 0.76, 0.86)
    ridge = float(last.crest(at)) - float(last.bed(at))
    edge = smooth(last.on([(at - 0.02, -0.01), (at + 0.03, ridge * 0.5), (at, ridge + 0.004)]))
    if style == "plain":
        return [], []
    if style == "seam":
        return [], [seam(edge - [0.12, 0], thread)]
    ahead = np.concatenate([edge, [[1.1, edge[-1, 1] + 0.02], [1.1, -0.1], [edge[0, 0], -0.1]]])
    return [Patch(ahead, second, rank=3, closed=False)], [stitches(edge, thread, 0.008)]


def _gore(design: Designer, last: Last, height: float, elastic: Paint) -> list[Patch]:
    level = last.platform + last.heel
    middle = design.measure("gore at", 0.19, 0.23)
    top, low = design.measure("gore top", 0.13, 0.19), design.measure("gore low", 0.05, 0.1)
    deep = design.measure("gore depth", 0.12, 0.2)
    points = [(middle - top / 2, level + height + 0.1), (middle + top / 2, level + height + 0.1)]
    points += [(middle + top / 2, level + height - 0.05), (middle + low / 2, level + deep)]
    points += [(middle - low / 2, level + deep), (middle - top / 2, level + height - 0.05)]
    return [Patch(np.array(points), elastic, lift=-0.008, rank=3)]


def _zip(design: Designer, last: Last, height: float, scheme: Scheme) -> list[Line]:
    level = last.platform + last.heel
    x = design.measure("zip at", 0.17, 0.25)
    low = design.measure("zip low", 0.08, 0.2)
    path = smooth(
        [(x, level + height + 0.05), (x, level + 0.5 * (low + height)), (x + 0.02, level + low)]
    )
    dark = paint(tone(scheme.main, 0.55), "canvas")
    teeth = Line(path, paint(scheme.metal, "metal"), 0.012, 0.006, 0.009, None)
    return [Line(path, dark, 0.034, -0.004, 0.0, 5), teeth]


def _lacing(
    design: Designer, last: Last, height: float, scheme: Scheme
) -> tuple[list[Patch], list[Line]]:
    start = last.way(design.measure("lace start", 0.58, 0.66))
    end = last.way_up(height - 0.04)
    count = design.count("eyelets", 5, 8) + round(4 * max(0, height - 0.6) / 0.3)
    deep = design.measure("eyelet depth", 0.05, 0.07)
    lace = paint(scheme.accent if design.maybe("bright laces", 0.3) else (0.12, 0.1, 0.1), "canvas")
    stay = last.along_band(start - 0.04, end + 0.1, deep + 0.025, deep + 0.025)
    slot = last.along_band(start, end + 0.1, deep - 0.02, deep - 0.01)
    patches = [
        Patch(stay, paint(scheme.second, "leather"), lift=0.005, rank=3),
        Patch(slot, paint(tone(scheme.main, 0.8), "leather"), lift=-0.012, rank=None),
        *eyelets(last, start + 0.02, end, count, paint(scheme.metal, "metal"), deep, 0.01),
    ]
    if design.maybe("bow", 0.5):
        patches += bow_loops(last.along(end, end + 0.1, 0.03)[0], 0.05, lace)
    rows = list(laces(last, start + 0.02, end, count, lace, deep=deep, skew=0.025))
    thread = paint(contrast(scheme.second), "lining")
    return patches, [stitches(offset(stay[24:], 0.008), thread), *rows]


def _harness(
    design: Designer, last: Last, height: float, second: Paint, scheme: Scheme
) -> tuple[list[Patch], list[Line]]:
    """One to three straps around the shaft with buckles."""
    patches: list[Patch] = []
    lines: list[Line] = []
    level = last.platform + last.heel
    for number in range(design.count("straps", 1, 3)):
        y = level + height + number * design.measure("strap gap", 0.1, 0.16)
        lean = design.measure("strap lean", -0.06, 0.06)
        path = smooth([(-0.1, y + lean), (0.2, y), (0.7, y - lean)])
        patches.append(strap(path, design.measure("strap width", 0.035, 0.065), second)[1])
        at = np.array([design.measure("buckle at", 0.16, 0.24), y])
        lines += buckle(at, 0.026, paint(scheme.metal, "metal"))
    if design.maybe("ring", 0.3):
        ring = ellipse((0.22, level + 0.14), (0.035, 0.035))
        lines.append(
            Line(np.concatenate([ring, ring[:1]]), paint(scheme.metal, "metal"), 0.013, 0.01)
        )
    return patches, lines


def _fold(last: Last, height: float, upper: Paint) -> Line:
    """A crease of the leather at the ankle."""
    y = last.platform + last.heel + height
    path = smooth([(0.40, y + 0.03), (0.3, y - 0.01), (0.2, y + 0.0)])
    return Line(path, upper, 0.012, -0.006, 0.0, None)
