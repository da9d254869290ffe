"""Ankle boots and tall boots."""

import numpy as np

from ..curves import Curve, ellipse, offset, smooth
from ..design import NEUTRAL, Designer, Scheme, paint, tone
from ..draft import Draft
from ..pieces import (
    across,
    ahead,
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
    thin_sole,
    trim,
)
from ..shapes import Last, Line, Patch, Shoe, Solid

SOLES = ("black", "black", "espresso", "tan", "cream", "brown")
SKINS = ("leather", "suede", "smooth", "patent", "leather")


def ankle_boot(design: Designer) -> Shoe:
    """A boot that ends above the ankle: Chelsea, zipped, laced or buckled."""
    height = design.measure("height", 0.44, 0.62)
    dip, tilt = design.measure("dip", -0.01, 0.05), design.measure("tilt", -0.02, 0.05)
    draft = _draft(design, shaft=0.8)
    edge = cuff(draft.last, height, dip, tilt)
    draft.open_at(edge)
    style = design.choose("closing", ("gore", "zip", "laces", "buckle", "gore"))
    if style == "gore":
        draft.patches.append(_gore(draft, height))
    if style == "zip":
        draft.lines += _zip(draft, height)
    if style == "laces":
        _add_lacing(draft, height)
    if style == "buckle":
        _add_harness(draft, 0.22)
    if design.maybe("pull tab", 0.5):
        x, y = draft.last.rear(height).tolist()
        tab = [
            (x - 0.03, y - 0.09),
            (x + 0.028, y - 0.09),
            (x + 0.028, y + 0.05),
            (x - 0.03, y + 0.05),
        ]
        draft.patches.append(Patch(np.array(tab), paint(draft.scheme.accent, "canvas"), rank=5))
    draft.lines.append(trim(edge, paint(tone(draft.scheme.main, 0.8), draft.upper.material)))
    return draft.build("ankle_boot", "lining")


def tall_boot(design: Designer) -> Shoe:
    """A boot that reaches the calf or the knee."""
    height = design.measure("height", 0.82, 1.25)
    dip, tilt = design.measure("dip", -0.01, 0.06), design.measure("tilt", -0.02, 0.07)
    draft = _draft(design, shaft=1.35)
    edge = cuff(draft.last, height, dip, tilt)
    draft.open_at(edge)
    style = design.choose("closing", ("zip", "plain", "laces", "buckle", "riding", "cuff"))
    if style == "zip":
        draft.lines += _zip(draft, height)
    if style == "laces":
        _add_lacing(draft, height * 0.92)
    if style in ("buckle", "riding"):
        _add_harness(draft, 0.25 if style == "buckle" else height - 0.12)
    if style == "cuff":
        low = cuff(draft.last, height - design.measure("cuff", 0.10, 0.22))
        fold = np.concatenate([low, np.add(edge[::-1], (0, 0.1))])
        draft.patches.append(Patch(fold, draft.second, lift=0.012, rank=3))
    if design.maybe("side seam", 0.6):
        up = [(0.2, height), (0.2, 0.4), (0.22, 0.12), (0.3, 0.0)]
        draft.lines.append(seam(smooth([(x, draft.level + y) for x, y in up]), draft.thread))
    for number in range(design.count("folds", 0, 3)):
        draft.lines.append(_fold(draft, design.measure(f"fold {number}", 0.26, 0.42)))
    draft.lines.append(trim(edge, paint(tone(draft.scheme.main, 0.8), draft.upper.material)))
    return draft.build("tall_boot", "lining")


def _draft(design: Designer, shaft: float) -> Draft:
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
    sharp = design.measure("sharp toe", 0.6, 1.0)
    last = Last(
        heel=heel,
        platform=thick,
        spring=design.measure("spring", 0.015, 0.045),
        toe_height=design.measure("toe height", 0.085, 0.11) + (0.03 if kind == "lug" else 0),
        toe_sharp=sharp if kind in ("slim", "cuban") else design.measure("toe", 0.2, 0.7),
        instep=design.measure("instep", 0.24, 0.28),
        width=design.measure("width", 0.14, 0.165),
        heel_width=0.112,
        shaft=shaft,
        calf=design.measure("calf", 0.15, 0.5) if shaft > 1 else 0.05,
    )
    upper = paint(scheme.main, design.choose("material", SKINS, own=0.2))
    draft = Draft(design, last, scheme, upper, solids=_soles(design, last, scheme, kind))
    _add_toe(draft)
    return draft


def _soles(design: Designer, last: Last, scheme: Scheme, kind: str) -> tuple[Solid, ...]:
    if kind == "lug":
        return (
            lug_sole(
                last,
                paint(scheme.sole, "rubber"),
                welt=design.measure("welt", 0.01, 0.02),
                teeth=design.count("teeth", 12, 20),
                depth=design.measure("tread", 0.012, 0.03),
            ),
        )
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
        return (thin_sole(last, colour, 0.024), pin)
    block = block_heel(
        last,
        colour,
        length=design.measure("heel length", 0.24, 0.28),
        foot=design.measure("heel foot", 0.15, 0.22),
        lean=0.05 if kind == "cuban" else 0.02,
        sole=0.024,
    )
    under = thin_sole(last, colour, 0.024, design.measure("welt", 0.004, 0.012))
    if kind == "wedge block":
        return (under, platform_sole(last, colour), block)
    return (under, block)


def _add_toe(draft: Draft) -> None:
    style = draft.design.choose("toe style", ("plain", "cap", "seam", "plain"))
    edge = across(draft.last, draft.design.measure("cap", 0.76, 0.86), 0.03)
    if style == "seam":
        draft.lines.append(seam(np.subtract(edge, (0.12, 0)), draft.thread))
    if style == "cap":
        draft.patches.append(Patch(ahead(edge), draft.second, rank=3, closed=False))
        draft.lines.append(stitches(edge, draft.thread, 0.008))


def _gore(draft: Draft, height: float) -> Patch:
    """The elastic wedge in the side of a Chelsea boot."""
    design = draft.design
    middle = design.measure("gore at", 0.19, 0.23)
    top = design.measure("gore top", 0.13, 0.19) / 2
    low = design.measure("gore low", 0.05, 0.1) / 2
    deep = design.measure("gore depth", 0.12, 0.2)
    points = [(-top, height + 0.1), (top, height + 0.1), (top, height - 0.05)]
    points += [(low, deep), (-low, deep), (-top, height - 0.05)]
    outline = np.add(np.array(points), (middle, draft.level))
    return Patch(outline, paint(tone(draft.scheme.main, 0.7), "knit"), lift=-0.008, rank=3)


def _zip(draft: Draft, height: float) -> list[Line]:
    x = draft.design.measure("zip at", 0.17, 0.25)
    low = draft.design.measure("zip low", 0.08, 0.2)
    points = [(x, height + 0.05), (x, 0.5 * (low + height)), (x + 0.02, low)]
    path = np.add(smooth(points), (0, draft.level))
    dark = paint(tone(draft.scheme.main, 0.55), "canvas")
    return [
        Line(path, dark, 0.034, -0.004),
        Line(path, draft.metal, 0.012, 0.006, 0.009, None),
    ]


def _add_lacing(draft: Draft, height: float) -> None:
    design, last, scheme = draft.design, draft.last, draft.scheme
    start = last.way(design.measure("lace start", 0.58, 0.66))
    end = last.way_up(height - 0.04)
    count = design.count("eyelets", 5, 8) + round(4 * max(0, height - 0.6) / 0.3)
    deep = design.measure("eyelet depth", 0.05, 0.07)
    bright = design.maybe("bright laces", 0.3)
    lace = paint(scheme.accent if bright else (0.12, 0.1, 0.1), "canvas")
    stay = last.along_band(start - 0.04, end + 0.1, deep + 0.025, deep + 0.025)
    slot = last.along_band(start, end + 0.1, deep - 0.02, deep - 0.01)
    draft.patches += [
        Patch(stay, paint(scheme.second, "leather"), lift=0.005, rank=3),
        Patch(slot, paint(tone(scheme.main, 0.8), "leather"), lift=-0.012, rank=None),
        *eyelets(last, start + 0.02, end, count, draft.metal, deep, 0.01),
    ]
    if design.maybe("bow", 0.5):
        draft.patches += bow_loops(last.along(end, end + 0.1, 0.03)[0], 0.05, lace)
    draft.lines.append(stitches(offset(stay[24:], 0.008), draft.thread))
    draft.lines += laces(last, start + 0.02, end, count, lace, deep=deep, skew=0.025)


def _add_harness(draft: Draft, height: float) -> None:
    """One to three straps around the shaft with buckles."""
    design = draft.design
    for number in range(design.count("straps", 1, 3)):
        y = draft.level + height + number * design.measure("strap gap", 0.1, 0.16)
        lean = design.measure("strap lean", -0.06, 0.06)
        path = smooth([(-0.1, y + lean), (0.2, y), (0.7, y - lean)])
        draft.add_strap(path, design.measure("strap width", 0.035, 0.065), draft.second)
        draft.lines += buckle((design.measure("buckle at", 0.16, 0.24), y), 0.026, draft.metal)
    if design.maybe("ring", 0.3):
        ring = ellipse((0.22, draft.level + 0.14), (0.035, 0.035))
        closed = np.concatenate([ring, ring[:1]])
        draft.lines.append(Line(closed, draft.metal, 0.013, 0.01))


def _fold(draft: Draft, height: float) -> Line:
    """A crease of the leather at the ankle."""
    path: Curve = smooth([(0.40, height + 0.03), (0.3, height - 0.01), (0.2, height)])
    return Line(np.add(path, (0, draft.level)), draft.upper, 0.012, -0.006, 0.0, None)
