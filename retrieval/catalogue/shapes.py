"""What a shoe of the catalogue is: a last, pieces laid on it, and solids under it.

Everything is drawn once, in side view, in units of the foot's length: x from the heel (0) to the
toe (1), y up from the ground (0). The last says how far the surface bulges towards the viewer, so
the same drawing can be turned, photographed and sketched from any side.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .curves import Curve, Field, at, lengths, offset, part, smooth

Colour = tuple[float, float, float]
"""sRGB, each channel in [0, 1]."""


@dataclass(frozen=True)
class Last:
    """The foot form a shoe is built on. All measures in foot lengths.

    Attributes:
        heel: How much higher the heel stands than the ball of the foot.
        platform: Height of the foot bed under the ball, which is the sole's thickness there.
        spring: How much the tip of the toe rises.
        toe_height: Height of the toe box.
        toe_sharp: 0 square, 0.4 round, 1 pointed.
        instep: Height of the foot's ridge in the middle.
        width: Half the width at the ball.
        heel_width: Half the width at the heel.
        box: How steep the side walls are, 2 (round) to 4 (boxy).
        shaft: Height of the leg form above the heel's bed.
        calf: How much the leg widens towards its top.
    """

    heel: float = 0.03
    platform: float = 0.05
    spring: float = 0.02
    toe_height: float = 0.11
    toe_sharp: float = 0.4
    instep: float = 0.24
    width: float = 0.165
    heel_width: float = 0.12
    box: float = 2.6
    shaft: float = 0.6
    calf: float = 0.0

    def bed(self, x: Field | float) -> NDArray[np.float64]:
        """Height of the foot bed over x."""
        rise = np.interp(x, _ARCH[:, 0], _ARCH[:, 1]) * self.heel
        toe = np.clip((np.asarray(x) - 0.74) / 0.26, 0, 1.3) ** 2 * self.spring
        return np.asarray(self.platform + rise + toe)

    def on(self, points: object) -> Curve:
        """Points given as (x, height above the bed), in side view."""
        curve = np.array(points, np.float64)
        curve[:, 1] += self.bed(curve[:, 0])
        return curve

    def footprint(self, x: Field | float) -> NDArray[np.float64]:
        """Half the width of the foot over x; 0 before the heel and beyond the toe."""
        x = np.asarray(x, np.float64)
        inner = np.clip(x, 0, 1)
        body = np.interp(inner, _FOOT[:, 0], _FOOT[:, 1])
        wide = self.heel_width + (self.width - self.heel_width) * body
        back = np.sqrt(np.clip(1 - (1 - np.clip(inner / 0.13, 0, 1)) ** 2, 0, 1))
        start = 0.70 - 0.14 * self.toe_sharp
        ahead = np.clip((inner - start) / (1 - start), 0, 1)
        power = 4.2 - 2.9 * self.toe_sharp**0.7
        root = 0.42 + 0.48 * np.clip(self.toe_sharp, 0, 1)
        front = np.clip(1 - ahead**power, 0, 1) ** root
        return np.asarray(np.where((x < 0) | (x > 1), 0.0, wide * back * front))

    @cached_property
    def ridge(self) -> Curve:
        """The foot's upper edge in side view, from the tip of the toe up the front of the leg."""
        toe, step = self.toe_height, self.instep
        rise = step - toe
        top = max(self.shaft, step + 0.36)
        points = [
            (1.0, 0.12 * toe),
            (0.998, 0.42 * toe),
            (0.982, 0.74 * toe),
            (0.945, 0.95 * toe),
            (0.88, 1.06 * toe),
            (0.78, 1.06 * toe + 0.16 * rise),
            (0.66, 1.05 * toe + 0.46 * rise),
            (0.54, 1.02 * toe + 0.84 * rise),
            (0.46, step + 0.06),
            (0.405, step + 0.135),
            (0.378, step + 0.22),
            (0.366 + 0.02 * self.calf, step + 0.33),
            (0.37 + 0.16 * self.calf, top + 0.05),
        ]
        pitched = self.on(points)
        # a raised heel tips the foot: the leg stays upright, but its front comes forward a little
        pitched[8:, 0] += 0.10 * self.heel
        return smooth(pitched)

    @cached_property
    def back(self) -> Curve:
        """The last's rear edge in side view, from the bed up the leg."""
        top = max(self.shaft, self.instep + 0.36)
        points = [
            (0.004, -0.02),
            (-0.006, 0.05),
            (-0.006, 0.11),
            (0.012, 0.19),
            (0.035, 0.27),
            (0.046, 0.36),
            (0.04 - 0.03 * self.calf, 0.48),
            (0.035 - 0.2 * self.calf, top + 0.05),
        ]
        curve = np.array(points, np.float64)
        curve[:, 1] += self.platform + self.heel
        return smooth(curve)

    def crest(self, x: Field | float) -> NDArray[np.float64]:
        """Height of the ridge over x in front of the leg."""
        return np.asarray(np.interp(x, self.ridge[::-1, 0], self.ridge[::-1, 1]))

    def way(self, x: float) -> float:
        """How far along the ridge, from the toe, it first passes over x."""
        return float(lengths(self.ridge)[int(np.argmax(self.ridge[:, 0] <= x))])

    def way_up(self, height: float) -> float:
        """How far along the ridge it reaches this height above the heel's bed."""
        goal = self.platform + self.heel + height
        return float(lengths(self.ridge)[int(np.argmax(self.ridge[:, 1] >= goal))])

    def along(self, start: float, end: float, depth: float = 0.0, count: int = 24) -> Curve:
        """The stretch of the ridge between two ways, moved ``depth`` into the foot."""
        stretch = part(self.ridge, min(start, end), max(start, end), count)
        moved = offset(stretch, depth)
        return moved if start <= end else moved[::-1]

    def along_band(
        self, start: float, end: float, deep: float, deep_end: float, round_end: float = 0.0
    ) -> Curve:
        """A closed strip under the ridge, ``deep`` wide at its start.

        The last stretch of length ``round_end`` is rounded off, as a tongue is.
        """
        stretch = part(self.ridge, start, end)
        depth = np.linspace(deep, deep_end, len(stretch))
        if round_end:
            over = np.clip(
                (np.linspace(0, end - start, len(stretch)) - (end - start)) / round_end + 1, 0, 1
            )
            depth = depth * np.sqrt(1 - 0.98 * over**2)
        inner = offset(stretch, depth)
        return np.concatenate([offset(stretch, -0.02), inner[::-1]])

    @cached_property
    def outline(self) -> Curve:
        """The closed side view of foot and leg; its floor lies well under the bed."""
        floor = np.array([[1.0, -0.3], [0.02, -0.3]])
        return np.concatenate([self.back, self.ridge[::-1], floor])

    def rear(self, height: float) -> Curve:
        """The point of the rear edge this far above the heel's bed."""
        goal = self.platform + self.heel + height
        x = np.interp(goal, self.back[:, 1], self.back[:, 0])
        return np.array([x, goal])

    def nose(self, way: float) -> Curve:
        """The point of the ridge at a way from the toe."""
        return at(self.ridge, way)


@dataclass(frozen=True)
class Paint:
    """What a surface is made of."""

    colour: Colour
    material: str = "leather"


@dataclass(frozen=True)
class Patch:
    """A piece of material on the upper.

    Attributes:
        outline: Closed curve in side view; what lies outside the upper is not seen.
        paint: Its material.
        lift: How far its edge stands out, in foot lengths; negative is sunk in.
        rank: When a person draws it (3 pieces, 4 laces, 5 details); None: nobody draws it.
        closed: Whether the drawn line closes.
    """

    outline: Curve
    paint: Paint
    lift: float = 0.004
    rank: int | None = 3
    closed: bool = True


@dataclass(frozen=True)
class Line:
    """A seam, lace, zip or trim on the upper.

    Attributes:
        path: Open curve in side view.
        paint: Its material.
        width: In foot lengths.
        lift: How far it stands out; negative for a seam that is drawn in.
        dash: Length of a stitch and of the gap behind it; 0 is a continuous line.
        rank: As in :class:`Patch`.
    """

    path: Curve
    paint: Paint
    width: float = 0.008
    lift: float = 0.0
    dash: float = 0.0
    rank: int | None = 5


@dataclass(frozen=True)
class Solid:
    """A sole or a heel.

    Attributes:
        outline: Closed curve in side view.
        paint: Its material.
        welt: How far it stands out beyond the footprint.
        tip: None: as wide as the foot is above it. A number: a heel that narrows downwards to
            this half width.
        power: Form of a heel's section: 2 round, 4 nearly square.
        lines: Grooves and stripes on its wall.
        rank: When a person draws it.
    """

    outline: Curve
    paint: Paint
    welt: float = 0.004
    tip: float | None = None
    power: float = 3.0
    lines: tuple[Line, ...] = ()
    rank: int = 1


@dataclass(frozen=True)
class Shoe:
    """One model of the catalogue.

    Attributes:
        family: Kind of shoe, such as "loafer".
        last: The form it is built on.
        cover: Closed curves; the upper is where they cover the last.
        cuts: Closed curves cut out of the upper.
        paint: Material of the upper where no patch lies.
        patches: Pieces on the upper, lowest first.
        lines: Seams, laces and trims on the upper, lowest first.
        solids: Soles and heels.
        lining: What the inside of the upper shows.
        insole: What the foot stands on.
        rims: Edges of openings, drawn after the outline.
    """

    family: str
    last: Last
    cover: tuple[Curve, ...]
    paint: Paint
    solids: tuple[Solid, ...]
    lining: Paint
    insole: Paint
    cuts: tuple[Curve, ...] = ()
    patches: tuple[Patch, ...] = ()
    lines: tuple[Line, ...] = ()
    rims: tuple[Curve, ...] = field(default=())


# height of the foot bed of a raised heel, 1 at the heel, 0 at the ball
_ARCH = smooth(
    [
        *((-0.1, 1), (0, 1), (0.1, 0.985), (0.2, 0.9), (0.34, 0.64), (0.48, 0.31), (0.6, 0.08)),
        *((0.7, 0.0), (0.8, 0.0), (1.1, 0.0)),
    ]
)
# how the foot widens, 0 at the heel, 1 at the ball
_FOOT = smooth(
    [(0, 0.0), (0.12, 0.0), (0.28, 0.02), (0.42, 0.2), (0.56, 0.75), (0.68, 1.0), (1.0, 1.0)]
)
