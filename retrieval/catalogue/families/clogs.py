"""Clogs: a closed front without a back, on a thick sole."""

import numpy as np

from ..curves import ellipse, smooth
from ..design import NEUTRAL, Designer, paint, tone
from ..draft import Draft
from ..pieces import buckle, flat_sole, stitches, topline, tread, trim, wedge_sole
from ..shapes import Colour, Last, Line, Patch, Shoe, Solid

_BODIES: dict[str, Colour] = {"wood": (0.66, 0.46, 0.28), "cork": (0.70, 0.54, 0.38)}
DARK: Colour = (0.06, 0.05, 0.05)


def clog(design: Designer) -> Shoe:
    """A closed front without a back, on a thick sole of wood, cork or rubber."""
    colours = (*NEUTRAL, "red", "white", "olive", "sky")
    scheme = design.scheme(colours, ("tan", "cognac", "espresso"))
    tall = design.maybe("heeled", 0.4)
    last = Last(
        heel=design.measure("high heel", 0.13, 0.24)
        if tall
        else design.measure("heel", 0.03, 0.08),
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
    throat, start = design.measure("throat", 0.44, 0.54), design.measure("start", 0.16, 0.32)
    side = design.measure("side", 0.08, 0.13)
    points = [(start - 0.06, -0.05), (start, 0.02), (start + 0.08, side), (throat - 0.08, 0.19)]
    edge = topline(last, points, throat)
    skins = ("leather", "suede", "smooth", "rubber", "leather")
    skin = design.choose("material", skins, own=0.25)
    draft = Draft(design, last, scheme, paint(scheme.main, skin))
    draft.solids = (_sole(draft, tall),)
    draft.open_at(edge)
    draft.lines.append(stitches(edge, draft.thread, 0.014))
    draft.lines.append(trim(edge, paint(tone(scheme.main, 0.7), skin)))
    _add_front(draft, throat)
    if design.maybe("heel strap", 0.35):
        y = draft.level + 0.17
        end = (throat - 0.04, float(last.bed(throat)) + 0.13)
        draft.add_strap(smooth([(-0.05, y), (0.1, y - 0.01), end]), 0.04, draft.second, covers=True)
    if design.maybe("nails", 0.5):
        for x in np.arange(start + 0.04, 0.98, design.measure("nail gap", 0.035, 0.06)):
            nail = ellipse((x, float(last.bed(x)) + 0.016), (0.007, 0.007))
            draft.patches.append(Patch(nail, draft.metal, 0.008, None))
    return draft.build("clog")


def _sole(draft: Draft, tall: bool) -> Solid:
    design, last, scheme = draft.design, draft.last, draft.scheme
    stuff = design.choose("sole material", ("wood", "cork", "wood", "rubber"))
    body = paint(_BODIES.get(stuff, scheme.main), stuff)
    if tall:
        return wedge_sole(last, body, lean=design.measure("lean", 0.01, 0.06), welt=0.008)
    lines = (tread(last, paint(scheme.sole, "rubber")),)
    return flat_sole(last, body, rise=0.004, welt=0.010, bevel=0.025, lines=lines)


def _add_front(draft: Draft, throat: float) -> None:
    design, last = draft.design, draft.last
    style = design.choose("front", ("plain", "strap", "apron", "holes", "strap"))
    if style == "strap":
        x = throat + design.measure("strap at", 0.03, 0.09)
        top = float(last.crest(x)) - float(last.bed(x))
        path = smooth(last.on([(x - 0.12, -0.01), (x - 0.05, top * 0.5), (x, top + 0.01)]))
        draft.add_strap(path, design.measure("strap", 0.045, 0.08), draft.second)
        draft.lines += buckle(path[len(path) // 2], 0.03, draft.metal, 0.9)
    if style == "apron":
        along = np.linspace(throat, 0.95, 24)
        bed = last.bed(along)
        rise = np.stack([along, bed + 0.6 * (last.crest(along) - bed)], 1)
        draft.lines.append(Line(rise, draft.second, 0.012, 0.008))
    if style == "holes":
        draft.patches += [_hole(last, throat, row, step) for row in range(2) for step in range(4)]


def _hole(last: Last, throat: float, row: int, step: int) -> Patch:
    x = throat + 0.06 + 0.075 * step + 0.03 * row
    bed = float(last.bed(x))
    y = bed + (float(last.crest(x)) - bed) * (0.72 - 0.3 * row)
    return Patch(ellipse((x, y), (0.014, 0.012)), paint(DARK), -0.01, 5)
