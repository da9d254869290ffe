"""Court shoes: ballerinas, pumps and stilettos, all with a wide low opening."""

from dataclasses import replace

import numpy as np

from ..curves import Curve, ellipse, part, smooth
from ..design import DRESSY, Designer, paint, tone
from ..draft import Draft
from ..pieces import (
    across,
    ahead,
    block_heel,
    bow_loops,
    buckle,
    platform_sole,
    seam,
    slim_heel,
    thin_sole,
    topline,
    trim,
)
from ..shapes import Last, Patch, Shoe, Solid


def ballerina(design: Designer) -> Shoe:
    """A flat slipper with a wide opening, often with a bow."""
    scheme = design.scheme((*DRESSY, "gold", "pink", "mint", "grey"), ("tan", "black", "cream"))
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
    skins = ("smooth", "patent", "suede", "satin", "glitter", "scales", "quilt")
    draft = Draft(
        design, last, scheme, paint(scheme.main, design.choose("material", skins, own=0.25))
    )
    rubber = paint(scheme.sole, "rubber")
    heel = block_heel(last, rubber, length=0.24, foot=0.2, lean=0.02, sole=0.012)
    draft.solids = (thin_sole(last, rubber, last.platform, 0.003), heel)
    edge = _opening(draft, (0.13, 0.19), (0.055, 0.09), (0.68, 0.8))
    bright = design.maybe("bright trim", 0.3)
    draft.lines.append(
        trim(edge, paint(scheme.accent if bright else tone(scheme.main, 0.75), "satin"))
    )
    if design.maybe("ankle strap", 0.25):
        _add_ankle_strap(draft)
    return draft.build("ballerina")


def pump(design: Designer) -> Shoe:
    """A court shoe with a block or kitten heel of middle height."""
    scheme = design.scheme(DRESSY, ("tan", "black", "espresso"))
    last = _heeled_last(design, (0.13, 0.27), (0.2, 0.75))
    skins = ("smooth", "patent", "suede", "leather", "satin", "scales")
    draft = Draft(
        design, last, scheme, paint(scheme.main, design.choose("material", skins, own=0.25))
    )
    draft.solids = (thin_sole(last, paint(scheme.sole), last.platform, 0.003), _pump_heel(draft))
    edge = _opening(draft, (0.15, 0.21), (0.06, 0.10), (0.64, 0.76))
    draft.lines.append(trim(edge, paint(tone(scheme.main, 0.75), draft.upper.material)))
    if design.maybe("bar", 0.35):
        _add_bar(draft)
    return draft.build("pump")


def stiletto(design: Designer) -> Shoe:
    """A court shoe on a high, thin heel."""
    scheme = design.scheme(DRESSY, ("tan", "black", "red", "espresso"))
    last = _heeled_last(design, (0.34, 0.47), (0.6, 1.0))
    if design.maybe("platform", 0.25):
        last = replace(last, platform=design.measure("platform", 0.05, 0.09))
    skins = ("smooth", "patent", "suede", "satin", "scales", "glitter")
    draft = Draft(
        design, last, scheme, paint(scheme.main, design.choose("material", skins, own=0.25))
    )
    draft.solids = _stiletto_soles(draft)
    edge = _opening(draft, (0.16, 0.21), (0.05, 0.085), (0.68, 0.79))
    draft.lines.append(trim(edge, paint(tone(scheme.main, 0.75), draft.upper.material)))
    if design.maybe("dorsay", 0.3):
        _cut_side(draft)
    if design.maybe("ankle strap", 0.35):
        _add_ankle_strap(draft)
    return draft.build("stiletto")


def _heeled_last(design: Designer, heel: tuple[float, float], toe: tuple[float, float]) -> Last:
    return Last(
        heel=design.measure("heel", *heel),
        platform=0.016,
        spring=design.measure("spring", 0.01, 0.03),
        toe_height=design.measure("toe height", 0.07, 0.09),
        toe_sharp=design.measure("toe", *toe),
        instep=0.195,
        width=design.measure("width", 0.13, 0.15),
        heel_width=0.1,
        shaft=0.5,
    )


def _pump_heel(draft: Draft) -> Solid:
    design, last = draft.design, draft.last
    covered = design.maybe("covered heel", 0.5)
    skin = draft.upper if covered else paint(draft.scheme.sole, "stack")
    if design.maybe("kitten", 0.3):
        return slim_heel(last, skin, length=0.2, tip=0.022, curve=0.03, sole=0.012)
    return block_heel(
        last,
        skin,
        length=design.measure("heel length", 0.2, 0.25),
        foot=design.measure("heel foot", 0.09, 0.19),
        lean=design.measure("heel lean", 0.015, 0.05),
        sole=0.012,
    )


def _stiletto_soles(draft: Draft) -> tuple[Solid, ...]:
    design, last = draft.design, draft.last
    sole = thin_sole(last, paint(draft.scheme.sole), 0.014, 0.002)
    heel = slim_heel(
        last,
        draft.upper if design.maybe("covered heel", 0.75) else draft.metal,
        length=design.measure("heel length", 0.16, 0.2),
        tip=design.measure("heel tip", 0.007, 0.013),
        curve=design.measure("heel curve", -0.005, 0.03),
        sole=0.014,
    )
    if last.platform > 0.03:
        return (sole, platform_sole(last, draft.upper), heel)
    return (sole, heel)


def _opening(
    draft: Draft,
    rears: tuple[float, float],
    sides: tuple[float, float],
    throats: tuple[float, float],
) -> Curve:
    """Cuts the opening and puts an ornament on the vamp; returns the opening's edge."""
    design, last = draft.design, draft.last
    rear, side = design.measure("rear", *rears), design.measure("side", *sides)
    throat = design.measure("throat", *throats)
    deep = design.measure("throat form", 0.35, 0.8)
    near = float(last.crest(throat)) - float(last.bed(throat))
    points = [(-0.03, rear), (0.03, rear - 0.006), (0.14, 0.5 * (rear + side)), (0.3, side)]
    points += [(0.48, side * 0.92), (throat - 0.06, near * deep)]
    edge = topline(last, points, throat)
    draft.open_at(edge)
    style = design.choose("front", ("plain", "bow", "cap", "flower", "buckle", "stud", "plain"))
    if style != "plain":
        _ORNAMENTS[style](draft, edge[-1])
    if design.maybe("side seam", 0.4):
        x = design.measure("side seam at", 0.4, 0.56)
        path = last.on([(x, -0.02), (x - 0.03, 0.2)])
        draft.lines.append(seam(path, paint(tone(draft.scheme.main, 0.7))))
    return edge


def _bow(draft: Draft, throat: Curve) -> None:
    size = draft.design.measure("bow size", 0.035, 0.06)
    satin = paint(draft.scheme.accent, "satin")
    draft.patches += bow_loops(np.add(throat, (0.01, -0.02)), size, satin)


def _cap(draft: Draft, throat: Curve) -> None:
    edge = across(draft.last, draft.design.measure("cap", 0.86, 0.92), 0.03)
    shiny = paint(draft.scheme.second, "patent")
    draft.patches.append(Patch(ahead(edge), shiny, rank=3, closed=False))


def _flower(draft: Draft, throat: Curve) -> None:
    middle = np.add(throat, (0.03, -0.035))
    satin = paint(draft.scheme.accent, "satin")
    for turn in np.arange(5) * (2 * np.pi / 5):
        petal = np.add(middle, (0.024 * np.cos(turn), 0.024 * np.sin(turn)))
        draft.patches.append(Patch(ellipse(petal, (0.02, 0.016), turn), satin, 0.01, 4))
    draft.patches.append(Patch(ellipse(middle, (0.011, 0.011)), draft.metal, 0.015, 5))


def _buckle(draft: Draft, throat: Curve) -> None:
    draft.lines += buckle(np.add(throat, (0.035, -0.03)), 0.026, draft.metal, -0.4)


def _studs(draft: Draft, throat: Curve) -> None:
    way = draft.last.way(float(throat[0])) - 0.02
    for step in range(draft.design.count("studs", 3, 6)):
        spot = draft.last.along(way - 0.03 * step, way - 0.03 * step + 1e-3, 0.045)[0]
        draft.patches.append(Patch(ellipse(spot, (0.008, 0.008)), draft.metal, 0.01, 5))


_ORNAMENTS = {"bow": _bow, "cap": _cap, "flower": _flower, "buckle": _buckle, "stud": _studs}


def _add_ankle_strap(draft: Draft) -> None:
    """A strap around the ankle, held by the heel piece."""
    design = draft.design
    y = draft.level + design.measure("ankle strap at", 0.29, 0.36)
    path = smooth([(-0.1, y + 0.01), (0.2, y - 0.008), (0.6, y + 0.02)])
    wide = design.measure("ankle strap width", 0.022, 0.045)
    draft.add_strap(path, wide, draft.upper, covers=True)
    low = draft.level
    draft.cover.append(np.array([[-0.1, low], [0.055, low], [0.06, y], [-0.1, y]]))
    draft.lines += buckle((design.measure("buckle at", 0.12, 0.24), y - 0.006), 0.018, draft.metal)
    draft.rims.append(part(np.array([[0.056, low + 0.1], [0.06, y]]), 0, 0.3, 8))


def _add_bar(draft: Draft) -> None:
    """The bar of a Mary Jane, across the foot."""
    design, last = draft.design, draft.last
    x = design.measure("bar at", 0.55, 0.63)
    top = float(last.crest(x - 0.03)) - float(last.bed(x - 0.03))
    path = smooth(last.on([(x, 0.03), (x - 0.005, top * 0.55), (x - 0.03, top + 0.01)]))
    draft.add_strap(path, design.measure("bar width", 0.03, 0.055), draft.upper, covers=True)
    draft.lines += buckle(path[len(path) // 2], 0.02, draft.metal, 1.4)


def _cut_side(draft: Draft) -> None:
    """The open side of a d'Orsay pump."""
    design = draft.design
    left, right = design.measure("cut from", 0.2, 0.26), design.measure("cut to", 0.5, 0.6)
    low = design.measure("cut depth", 0.0, 0.03)
    points = [(left - 0.03, 0.3), (left, 0.07), (0.5 * (left + right), low), (right, 0.07)]
    gap = smooth(draft.last.on([*points, (right + 0.03, 0.3)]))
    draft.cuts.append(gap)
    draft.rims.append(gap)
