"""Oxfords: laced leather shoes with a low heel."""

from ..curves import Curve, offset, smooth
from ..design import NEUTRAL, Designer, contrast, paint
from ..draft import Draft
from ..pieces import (
    across,
    ahead,
    apron,
    block_heel,
    bow_loops,
    counter,
    eyelets,
    laces,
    lug_sole,
    seam,
    stitches,
    thin_sole,
    topline,
    trim,
)
from ..shapes import Last, Line, Paint, Patch, Shoe, Solid

DARK = (0.05, 0.04, 0.04)


def oxford(design: Designer) -> Shoe:
    """A laced leather shoe with a low stacked heel: plain, capped, brogue or with an apron."""
    scheme = design.scheme(NEUTRAL, ("espresso", "black", "tan", "cream", "brown"))
    last = Last(
        heel=design.measure("heel", 0.075, 0.11),
        platform=design.measure("sole", 0.028, 0.05),
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
    points = [(-0.03, rear), (0.06, rear - 0.015), (0.17, low + 0.015), (0.28, low)]
    edge = topline(last, [*points, (0.36, low + 0.05)], float(last.nose(throat)[0]))
    skin = design.choose("material", ("leather", "smooth", "patent", "suede"), own=0.2)
    draft = Draft(design, last, scheme, paint(scheme.main, skin))
    draft.solids = _soles(draft)
    draft.open_at(edge)
    second = draft.second if design.maybe("two-tone", 0.35) else draft.upper
    if design.maybe("counter", 0.5):
        reach = design.measure("counter reach", 0.15, 0.24)
        piece = counter(last, reach, 0.2 * design.measure("counter height", 0.7, 1.0))
        draft.patches.append(Patch(piece, second, rank=3, closed=False))
    _add_toe(draft, second)
    _add_lacing(draft, throat, second)
    piping = contrast(scheme.main) if design.maybe("piping", 0.3) else scheme.main
    draft.lines.append(trim(edge, paint(piping)))
    return draft.build("oxford")


def _soles(draft: Draft) -> tuple[Solid, ...]:
    design, last = draft.design, draft.last
    rubber = paint(draft.scheme.sole, "rubber")
    welt = design.measure("welt", 0.008, 0.018)
    if design.maybe("unit sole", 0.3):
        return (lug_sole(last, rubber, welt=welt, teeth=design.count("teeth", 14, 22), depth=0.01),)
    heel = block_heel(
        last,
        paint(draft.scheme.sole, "stack"),
        length=design.measure("heel length", 0.25, 0.29),
        foot=0.235,
        lean=0.018,
        sole=last.platform,
    )
    return (thin_sole(last, rubber, last.platform * 0.98, welt), heel)


def _add_toe(draft: Draft, second: Paint) -> None:
    design, last = draft.design, draft.last
    at = design.measure("cap", 0.78, 0.86)
    style = design.choose("toe style", ("plain", "cap", "brogue", "wing", "apron"))
    if style == "apron":
        draft.lines.append(seam(apron(last, 0.60, 0.95, 0.35), draft.thread))
    if style in ("plain", "apron"):
        return
    bent = design.measure("cap curve", -0.02, 0.05)
    cap = _wing(last, at) if style == "wing" else across(last, at, bent)
    draft.patches.append(Patch(ahead(cap), second, lift=0.004, rank=3, closed=False))
    draft.lines.append(stitches(cap, draft.thread, 0.008))
    if style != "cap":  # punched holes along the edge
        draft.lines.append(Line(offset(cap, 0.016), paint(DARK), 0.011, -0.01, 0.011, None))


def _wing(last: Last, at: float) -> Curve:
    ridge = float(last.crest(at - 0.02))
    back = last.on([(at - 0.34, 0.03), (at - 0.2, 0.085), (at - 0.06, 0.075)])
    return smooth([*back.tolist(), (at + 0.01, 0.9 * ridge), (at - 0.02, ridge)])


def _add_lacing(draft: Draft, throat: float, second: Paint) -> None:
    design, last = draft.design, draft.last
    start = throat - design.measure("lacing", 0.15, 0.21)
    first, final = start + 0.012, throat - 0.015
    stay = last.along_band(start - 0.03, throat + 0.02, 0.07, 0.085)
    slot = last.along_band(start, throat + 0.02, 0.016, 0.03)
    draft.patches.append(Patch(stay, second, lift=0.005, rank=3))
    draft.patches.append(Patch(slot, draft.upper, lift=-0.012, rank=None))
    draft.lines.append(stitches(offset(stay[24:], 0.008), draft.thread))
    bright = design.maybe("bright laces", 0.2)
    lace = paint(draft.scheme.accent if bright else (0.1, 0.08, 0.08), "canvas")
    count = design.count("eyelets", 3, 6)
    draft.lines += laces(last, first, final, count, lace, deep=0.04, skew=0.008)
    draft.patches += eyelets(last, first, final, count, draft.metal, 0.042, 0.006)
    if design.maybe("bow", 0.6):
        draft.patches += bow_loops(last.along(final, throat, 0.02)[0], 0.036, lace)
