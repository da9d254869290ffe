"""Loafers: slip-ons with an apron seam."""

import numpy as np

from ..curves import ellipse, smooth
from ..design import NEUTRAL, Designer, paint, tone
from ..draft import Draft
from ..pieces import apron, block_heel, counter, flat_sole, stitches, thin_sole, topline, trim
from ..shapes import Last, Line, Patch, Shoe, Solid

DARK = (0.05, 0.04, 0.04)


def loafer(design: Designer) -> Shoe:
    """A slip-on with an apron seam, and a penny strap, a bit or tassels."""
    scheme = design.scheme(
        (*NEUTRAL, "blue", "red", "olive"), ("espresso", "black", "tan", "cream")
    )
    last = Last(
        heel=design.measure("heel", 0.03, 0.10),
        platform=design.measure("sole", 0.025, 0.05),
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
    points = [(-0.03, rear), (0.06, rear - 0.015), (0.18, low + 0.01), (0.32, low)]
    edge = topline(last, [*points, (0.43, low + 0.03)], throat)
    skin = design.choose("material", ("leather", "suede", "smooth", "patent", "scales"), own=0.2)
    draft = Draft(design, last, scheme, paint(scheme.main, skin))
    draft.solids = _soles(draft)
    draft.open_at(edge)
    _add_apron(draft, throat)
    _add_front(draft, throat)
    if design.maybe("counter", 0.4):
        piece = counter(last, 0.19, design.measure("counter", 0.10, 0.18))
        draft.patches.append(Patch(piece, draft.second, rank=3, closed=False))
    draft.lines.append(trim(edge, paint(tone(scheme.main, 0.75), skin)))
    return draft.build("loafer")


def _soles(draft: Draft) -> tuple[Solid, ...]:
    last, scheme = draft.last, draft.scheme
    welt = draft.design.measure("welt", 0.004, 0.016)
    rubber = paint(scheme.sole, "rubber")
    if last.heel <= 0.055:
        return (flat_sole(last, rubber, rise=0.004, welt=welt, bevel=0.012),)
    stack = paint(scheme.sole, "stack")
    heel = block_heel(last, stack, length=0.27, foot=0.22, lean=0.02, sole=last.platform)
    return (thin_sole(last, rubber, last.platform * 0.98, welt), heel)


def _add_apron(draft: Draft, throat: float) -> None:
    design, last = draft.design, draft.last
    end, drop = design.measure("apron end", 0.94, 0.975), design.measure("apron drop", 0.28, 0.42)
    line = apron(last, throat + 0.01, end, drop)
    plug = np.concatenate([line, [[0.99, float(last.crest(0.9)) + 0.2], [throat, 0.6]]])
    draft.patches.append(Patch(plug, draft.second, lift=0.003, rank=3, closed=False))
    draft.lines.append(Line(line, draft.upper, 0.012, 0.006, 0.0, None))
    draft.lines.append(stitches(line, draft.thread, 0.012))


def _add_front(draft: Draft, throat: float) -> None:
    design, last = draft.design, draft.last
    style = design.choose("front", ("penny", "bit", "tassel", "strap", "plain"))
    x = throat + design.measure("front at", 0.035, 0.07)
    if style in ("penny", "strap", "bit"):
        top = float(last.crest(x)) - float(last.bed(x))
        path = smooth(last.on([(x - 0.09, 0.02), (x - 0.03, top * 0.6), (x, top + 0.01)]))
        draft.add_strap(path, design.measure("strap", 0.035, 0.06), draft.second)
    if style == "penny":
        draft.patches.append(
            Patch(ellipse(path[-5], (0.012, 0.02)), paint(DARK), lift=-0.01, rank=5)
        )
    if style == "bit":
        bar = smooth([path[-8], np.add(path[-4], 0.004), path[-1]])
        ring = ellipse(path[-9], (0.022, 0.026))
        draft.lines.append(Line(bar, draft.metal, 0.02, 0.015, rank=4))
        draft.lines.append(
            Line(np.concatenate([ring, ring[:1]]), draft.metal, 0.011, 0.012, rank=4)
        )
    if style == "tassel":
        knot = last.along(last.way(x), last.way(x) + 0.05, 0.03)[0]
        for long in (0.0, 0.03):
            hang = [(0, 0), (0.05 + long, -0.022), (0.065 + long, -0.05), (0.01 + long, -0.035)]
            draft.patches.append(Patch(np.add(knot, hang), draft.second, lift=0.01, rank=4))
