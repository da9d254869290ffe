"""Sneakers and high-tops: laced shoes on a rubber cup sole."""

import numpy as np

from ..curves import Curve, ellipse, offset, smooth
from ..design import BRIGHT, Designer, contrast, paint
from ..draft import Draft
from ..pieces import (
    across,
    ahead,
    bow_loops,
    counter,
    eyelets,
    flat_sole,
    laces,
    seam,
    stitches,
    topline,
    trim,
)
from ..shapes import Last, Line, Paint, Patch, Shoe, Solid

SOLES = ("white", "white", "cream", "black", "grey", "cognac")
WHITE = (0.93, 0.93, 0.91)
Points = list[tuple[float, float]]


def sneaker(design: Designer) -> Shoe:
    """A low sports or street shoe."""
    last = _last(design, shaft=0.5)
    throat = last.way(design.measure("throat", 0.43, 0.48))
    low = design.measure("ankle", 0.13, 0.19)
    heel = design.measure("collar", 0.22, 0.29)
    points = [(-0.03, heel), (0.05, heel - 0.01), (0.16, low + 0.03), (0.26, low)]
    edge = topline(last, [*points, (0.35, low + 0.045)], float(last.nose(throat)[0]))
    return _draft(design, last, edge, throat, more_eyelets=0).build("sneaker", "lining")


def high_top(design: Designer) -> Shoe:
    """A sports shoe that covers the ankle."""
    last = _last(design, shaft=0.75)
    height = design.measure("height", 0.40, 0.54)
    throat = last.way_up(height - design.measure("front", -0.02, 0.05))
    dip = design.measure("dip", 0.0, 0.05)
    points = [(-0.06, height), (0.06, height), (0.17, height - dip), (0.27, height - dip * 0.7)]
    edge = smooth([*last.on(points).tolist(), last.nose(throat).tolist()])
    draft = _draft(design, last, edge, throat, more_eyelets=2)
    if design.maybe("ankle badge", 0.5):
        centre = last.on([(0.2, design.measure("badge height", 0.27, 0.34))])[0]
        size = design.measure("badge", 0.035, 0.05)
        accent = _overlay(design, draft.scheme.accent)
        draft.patches.append(Patch(ellipse(centre, (size, size)), accent, rank=5))
        draft.patches.append(
            Patch(ellipse(centre, (size * 0.6, size * 0.6)), draft.upper, rank=None)
        )
    return draft.build("high_top", "lining")


def _last(design: Designer, shaft: float) -> Last:
    return Last(
        heel=design.measure("heel", 0.012, 0.06),
        platform=design.measure("sole", 0.045, 0.09),
        spring=design.measure("spring", 0.012, 0.06),
        toe_height=design.measure("toe height", 0.095, 0.135),
        toe_sharp=design.measure("toe", 0.2, 0.5),
        instep=design.measure("instep", 0.22, 0.27),
        width=design.measure("width", 0.155, 0.175),
        heel_width=0.12,
        box=design.measure("box", 2.2, 3.2),
        shaft=shaft,
    )


def _overlay(design: Designer, colour: tuple[float, float, float]) -> Paint:
    """What panels and stripes are made of."""
    return paint(colour, design.choose("overlay", ("leather", "suede", "smooth"), own=0.25))


def _draft(design: Designer, last: Last, edge: Curve, throat: float, more_eyelets: int) -> Draft:
    scheme = design.scheme(BRIGHT, SOLES)
    skins = ("leather", "canvas", "suede", "knit", "mesh", "smooth")
    upper = paint(scheme.main, design.choose("material", skins, own=0.25))
    draft = Draft(design, last, scheme, upper)
    draft.solids = (_sole(draft),)
    draft.open_at(edge)
    second = _overlay(design, scheme.second)
    thread = paint(contrast(scheme.second), "lining")
    _add_toe_piece(draft, second, thread)
    _add_counter(draft, second, thread)
    draft.patches += _motif(design, last, _overlay(design, scheme.accent))
    _add_lacing(draft, throat, second, thread, more_eyelets)
    draft.lines.append(trim(edge, second, 0.02))
    return draft


def _add_lacing(
    draft: Draft, throat: float, second: Paint, thread: Paint, more_eyelets: int
) -> None:
    design, last = draft.design, draft.last
    start = last.way(design.measure("lace start", 0.66, 0.74))
    first, final = start + 0.012, throat - 0.01
    tongue_end = throat + design.measure("tongue", 0.05, 0.11)
    count = design.count("eyelets", 4, 7) + more_eyelets
    deep = design.measure("eyelet depth", 0.042, 0.06)
    draft.cover.append(last.along_band(throat - 0.06, tongue_end, 0.05, 0.08, round_end=0.05))
    draft.rims.append(last.along(throat + 0.02, tongue_end, -0.002))

    stay = last.along_band(start - 0.035, throat + 0.03, deep + 0.02, deep + 0.035)
    slot = last.along_band(start, tongue_end, deep - 0.018, deep + 0.005)
    draft.patches.append(Patch(stay, second, lift=0.005, rank=3))
    draft.patches.append(Patch(slot, draft.upper, lift=-0.012, rank=3))
    draft.lines.append(stitches(offset(stay[24:], 0.008), thread))
    draft.patches += eyelets(last, first, final, count, draft.metal, deep)
    scheme = draft.scheme
    colours = (WHITE, scheme.accent, scheme.main, WHITE)
    lace = paint(design.choose("lace colour", colours), "canvas")
    skew = design.measure("lace skew", 0.0, 0.03)
    draft.lines += laces(last, first, final, count, lace, deep=deep, skew=skew)
    if design.maybe("bow", 0.7):
        draft.patches += bow_loops(last.along(throat, throat + 0.1, 0.035)[0], 0.045, lace)


def _sole(draft: Draft) -> Solid:
    design, last, scheme = draft.design, draft.last, draft.scheme
    rubber, accent = paint(scheme.sole, "rubber"), paint(scheme.accent, "rubber")
    x = np.linspace(0.01, 0.99, 60)
    stripe = np.stack([x, last.bed(x) * design.measure("stripe level", 0.35, 0.75)], 1)
    low = np.stack([x, last.bed(x) * 0.12], 1)
    high = float(last.bed(0.1))
    window = ellipse((0.16, 0.5 * high), (0.09, 0.22 * high))
    ribs = [
        np.array([[at, 0.0], [at, float(last.bed(at)) + 0.01]])
        for at in np.arange(0.72, 0.99, 0.022)
    ]
    styles: dict[str, list[Line]] = {
        "plain": [],
        "stripe": [Line(stripe, accent, 0.012)],
        "two-tone": [Line(low, accent, 0.035)],
        "groove": [Line(stripe, rubber, 0.007, -0.008)],
        "ribs": [Line(rib, rubber, 0.006, -0.008, rank=None) for rib in ribs],
        "bubble": [Line(window, accent, 0.012, 0.004)],
    }
    return flat_sole(
        last,
        rubber,
        rise=design.measure("foxing", 0.008, 0.035),
        welt=design.measure("welt", 0.006, 0.016),
        bevel=design.measure("bevel", 0.008, 0.035),
        lines=tuple(styles[design.choose("sole style", tuple(styles))]),
    )


def _add_toe_piece(draft: Draft, second: Paint, thread: Paint) -> None:
    design, last = draft.design, draft.last
    style = design.choose("toe piece", ("none", "cap", "bumper", "guard"))
    if style == "cap":
        edge = across(last, design.measure("toe piece at", 0.82, 0.89), 0.03)
        draft.patches.append(Patch(ahead(edge), second, rank=3, closed=False))
        draft.lines.append(stitches(edge, thread, 0.008))
    if style in ("bumper", "guard"):
        tall = design.measure("guard", 0.035, 0.07)
        back = 0.9 if style == "bumper" else design.measure("guard back", 0.5, 0.66)
        points = [
            (back - 0.03, -0.01),
            (back + 0.05, tall * 0.8),
            (0.88, tall),
            (1.02, tall * 1.15),
        ]
        edge = smooth(last.on(points))
        around = np.concatenate([edge, [[1.1, -0.1], [back, -0.1]]])
        draft.patches.append(Patch(around, second, rank=3, closed=False))
        draft.lines.append(stitches(edge, thread, -0.008))


def _add_counter(draft: Draft, second: Paint, thread: Paint) -> None:
    design, last = draft.design, draft.last
    if design.maybe("counter", 0.65):
        reach = design.measure("counter reach", 0.15, 0.24)
        tall = 0.26 * design.measure("counter height", 0.7, 1.0)
        piece = counter(last, reach, tall)
        draft.patches.append(Patch(piece, second, rank=3, closed=False))
        draft.lines.append(stitches(piece[:25], thread, -0.008))
    if design.maybe("vamp seam", 0.4):
        draft.lines.append(
            seam(across(last, design.measure("vamp seam at", 0.56, 0.66), 0.04), thread)
        )


def _motif(design: Designer, last: Last, accent: Paint) -> list[Patch]:
    """The maker's sign on the side."""
    x = design.measure("motif x", 0.38, 0.46)
    tall = design.measure("motif height", 0.11, 0.16)
    size = design.measure("disc", 0.03, 0.05)
    kinds: dict[str, list[Points | Curve]] = {
        "stripes": [*_stripes(design, x, tall)],
        "swoosh": [_swoosh(x, tall)],
        "chevron": [_chevron(x, tall)],
        "disc": [ellipse((x - 0.05, tall * 0.65), (size, size))],
        "panel": [_panel(x, tall)],
        "none": [],
    }
    kind = design.choose("motif", tuple(kinds))
    rank = 3 if kind == "panel" else 5
    return [Patch(last.on(points), accent, rank=rank) for points in kinds[kind]]


def _swoosh(x: float, tall: float) -> Curve:
    upper = smooth([(x - 0.17, 0.10), (x - 0.12, 0.05), (x, 0.07), (x + 0.18, tall)])
    lower = smooth([(x + 0.18, tall), (x, 0.035), (x - 0.13, 0.015), (x - 0.17, 0.10)])
    return np.concatenate([upper, lower])


def _chevron(x: float, tall: float) -> Points:
    rear = [(x - 0.06, tall), (x + 0.03, tall * 0.5), (x - 0.06, 0)]
    return [*rear, (x - 0.02, 0), (x + 0.08, tall * 0.5), (x - 0.02, tall)]


def _panel(x: float, tall: float) -> Points:
    rear = [(x - 0.12, -0.01), (x - 0.08, tall * 0.6), (x + 0.02, tall * 1.3)]
    return [*rear, (x + 0.13, tall * 1.3), (x + 0.1, tall * 0.5), (x + 0.14, -0.01)]


def _stripes(design: Designer, x: float, tall: float) -> list[Points]:
    number = design.count("stripes", 2, 4)
    gap = design.measure("stripe gap", 0.036, 0.05)
    lean = design.measure("motif lean", 0.06, 0.16)
    lefts = [x + (i - number / 2) * gap for i in range(number)]
    return [
        [(left + lean, 0.0), (left + lean + 0.02, 0.0), (left + 0.02, tall), (left, tall)]
        for left in lefts
    ]
