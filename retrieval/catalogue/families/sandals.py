"""Sandals and wedges: straps over an open foot."""

import numpy as np

from ..curves import smooth
from ..design import SUMMER, Designer, Scheme, paint, tone
from ..draft import Draft
from ..pieces import (
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
    tread,
    wedge_sole,
)
from ..shapes import Colour, Last, Line, Paint, Patch, Shoe, Solid

CORK: Colour = (0.70, 0.54, 0.38)
_WEDGES: dict[str, Colour] = {
    "rope": (0.76, 0.63, 0.44),
    "cork": (0.70, 0.53, 0.37),
    "wood": (0.6, 0.4, 0.24),
}


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
    thick = design.measure("cork", 0.06, 0.1) if kind == "cork" else 0.022
    if kind == "block" and design.maybe("platform", 0.5):
        thick = design.measure("platform", 0.05, 0.1)
    last = _last(design, heel, thick)
    return _strapped(design, "sandal", last, _soles(design, last, scheme, kind), scheme)


def wedge(design: Designer) -> Shoe:
    """A sandal or espadrille on a wedge of rope, cork, wood or leather."""
    scheme = design.scheme(SUMMER, ("tan", "cream", "espresso", "black"))
    heel, thick = design.measure("heel", 0.17, 0.36), design.measure("platform", 0.05, 0.11)
    last = _last(design, heel, thick)
    solids = (_wedge_sole(design, last, scheme),)
    if not design.maybe("closed toe", 0.45):
        return _strapped(design, "wedge", last, solids, scheme)
    points = [(0.3, -0.05), (0.42, 0.0), (0.5, 0.05), (0.58, 0.10)]
    edge = topline(last, points, design.measure("throat", 0.62, 0.68))
    skin = design.choose("material", ("canvas", "suede", "leather"), own=0.3)
    draft = Draft(design, last, scheme, paint(scheme.main, skin), solids)
    draft.open_at(edge)
    draft.lines.append(stitches(edge, draft.thread, 0.01))
    _add_ankle(draft, quarter=True)
    if design.maybe("bow", 0.3):
        cloth = paint(scheme.accent, "canvas")
        draft.patches += bow_loops(np.add(edge[-1], (0.02, -0.02)), 0.045, cloth)
    return draft.build("wedge")


def _last(design: Designer, heel: float, thick: float) -> Last:
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


def _soles(design: Designer, last: Last, scheme: Scheme, kind: str) -> tuple[Solid, ...]:
    body = paint(scheme.sole, "smooth")
    if kind == "cork":
        rubber = (tread(last, paint(scheme.sole, "rubber")),)
        return (
            flat_sole(last, paint(CORK, "cork"), rise=0.006, welt=0.008, bevel=0.012, lines=rubber),
        )
    if kind == "flat":
        low = block_heel(last, body, length=0.24, foot=0.2, lean=0.02, sole=0.015)
        return (thin_sole(last, body, 0.02, 0.008), low)
    covered = design.maybe("covered", 0.5)
    skin = paint(scheme.main, "smooth") if covered else paint(scheme.sole, "stack")
    under = thin_sole(last, body, 0.018, 0.006)
    if kind == "slim":
        bend = design.measure("heel curve", 0, 0.03)
        return (under, slim_heel(last, skin, length=0.18, tip=0.012, curve=bend, sole=0.016))
    heel = block_heel(
        last,
        skin,
        length=design.measure("heel length", 0.2, 0.26),
        foot=design.measure("heel foot", 0.11, 0.2),
        lean=design.measure("heel lean", 0.01, 0.05),
        sole=0.016,
    )
    if last.platform > 0.03:
        return (under, platform_sole(last, skin, 0.006), heel)
    return (under, heel)


def _wedge_sole(design: Designer, last: Last, scheme: Scheme) -> Solid:
    stuff = design.choose("wedge material", ("rope", "cork", "wood", "leather", "rope"))
    body = paint(_WEDGES.get(stuff, scheme.main), stuff)
    x = np.linspace(0.0, 1.0, 40)
    marks = [tread(last, paint(scheme.sole, "rubber"), 0.022)]
    if stuff == "rope":
        dark = paint(tone(body.colour, 0.8), "rope")
        layers = [np.stack([x, last.bed(x) * share], 1) for share in np.arange(0.2, 1.0, 0.2)]
        marks += [Line(layer, dark, 0.006, -0.006, rank=None) for layer in layers]
    if design.maybe("inlay", 0.35):
        layer = np.stack([x, last.bed(x) * design.measure("inlay at", 0.6, 0.9)], 1)
        marks.append(Line(layer, paint(scheme.accent, "canvas"), 0.022))
    lean = design.measure("lean", -0.005, 0.07)
    return wedge_sole(last, body, lean=lean, welt=0.006, lines=tuple(marks))


def _strapped(
    design: Designer, family: str, last: Last, solids: tuple[Solid, ...], scheme: Scheme
) -> Shoe:
    skins = ("smooth", "leather", "suede", "patent", "canvas", "scales")
    skin = design.choose("material", skins, own=0.25)
    draft = Draft(design, last, scheme, paint(scheme.main, skin), solids)
    style = design.choose("straps", ("bands", "cross", "toe", "bands", "t-bar"))
    _add_front(draft, style)
    if style == "toe" and design.maybe("buckles", 0.6):
        draft.lines += buckle(last.on([(0.66, 0.08)])[0], 0.022, draft.metal, 1.2)
    if style == "t-bar" or design.maybe("ankle", 0.72):
        _add_ankle(draft, quarter=design.maybe("quarter", 0.4))
    if design.maybe("flower", 0.2):
        spot = last.along(last.way(0.8), last.way(0.8) + 0.02, 0.03)[0]
        draft.patches += bow_loops(spot, 0.045, paint(scheme.accent, "satin"))
    if design.maybe("stitched", 0.4):
        draft.lines += [stitches(patch.outline, draft.thread, 0.006) for patch in draft.patches[:4]]
    return draft.build(family)


def _add_front(draft: Draft, style: str) -> None:
    design, last = draft.design, draft.last
    wide = design.measure("strap width", 0.04, 0.11)
    if style in ("bands", "toe"):
        for i in range(design.count("bands", 1, 3)):
            x = 0.84 - i * (wide + design.measure("band gap", 0.02, 0.06)) - 0.03
            _add_band(draft, x, x - 0.02, wide, draft.second if i % 2 else draft.upper)
    if style == "cross":
        slant = design.measure("slant", 0.06, 0.13)
        _add_band(draft, 0.83, 0.83 - slant, wide * 0.8, draft.upper)
        _add_band(draft, 0.70, 0.70 + slant, wide * 0.8, draft.second)
    if style == "t-bar":
        _add_band(draft, 0.80, 0.79, wide * 0.8, draft.upper)
        bar = last.along_band(last.way(0.8), last.way_up(0.34), 0.022, 0.022)
        draft.cover.append(bar)
        draft.patches.append(Patch(bar, draft.upper, rank=3))


def _add_band(draft: Draft, foot: float, top: float, wide: float, skin: Paint) -> None:
    """A strap from the sole at ``foot`` over the ridge at ``top``."""
    last = draft.last
    rise = float(last.crest(top)) - float(last.bed(top))
    points = [(foot, -0.02), (0.6 * foot + 0.4 * top, rise * 0.55), (top, rise + 0.02)]
    draft.add_strap(smooth(last.on(points)), wide, skin, covers=True)


def _add_ankle(draft: Draft, *, quarter: bool) -> None:
    """A strap around the ankle, with a heel piece (``quarter``) or a sling."""
    design, low = draft.design, draft.level
    y = low + design.measure("ankle at", 0.25, 0.34)
    if quarter:
        reach = design.measure("quarter", 0.1, 0.2)
        points = [(-0.1, y), (0.05, y), (0.09, low + 0.12), (reach, low + 0.03)]
        edge = smooth([*points, (reach + 0.05, low - 0.12)])
        piece = np.concatenate([edge, [[-0.1, low - 0.12]]])
    else:
        foot = draft.last.on([(design.measure("sling foot", 0.28, 0.4), -0.02)])[0]
        piece, _ = strap(smooth([foot, (0.18, low + 0.13), (0.05, y)]), 0.035, draft.upper)
    draft.cover.append(piece)
    draft.patches.append(Patch(piece, draft.upper, rank=3))
    path = smooth([(-0.1, y + 0.015), (0.2, y - 0.01), (0.6, y + 0.03)])
    draft.add_strap(path, design.measure("ankle width", 0.022, 0.045), draft.upper, covers=True)
    draft.lines += buckle((design.measure("buckle at", 0.12, 0.24), y - 0.008), 0.018, draft.metal)
