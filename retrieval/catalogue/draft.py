"""A shoe while it is being designed: pieces are added, then it is built."""

from dataclasses import dataclass, field

from .curves import Curve
from .design import Designer, Scheme, contrast, paint
from .pieces import below, strap
from .shapes import Last, Line, Paint, Patch, Shoe, Solid


@dataclass
class Draft:
    """What a family's function fills.

    Attributes:
        design: Where measures, colours and details come from.
        last: The form the shoe is built on.
        scheme: Its colours.
        upper: Material of the upper.
        solids: Soles and heels.
        cover: Closed curves; the upper is where they cover the last.
        cuts: Closed curves cut out of the upper.
        patches: Pieces on the upper, lowest first.
        lines: Seams, laces and trims on the upper, lowest first.
        rims: Edges of openings.
    """

    design: Designer
    last: Last
    scheme: Scheme
    upper: Paint
    solids: tuple[Solid, ...] = ()
    cover: list[Curve] = field(default_factory=list)
    cuts: list[Curve] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    rims: list[Curve] = field(default_factory=list)

    @property
    def second(self) -> Paint:
        """The upper's material in the second colour."""
        return paint(self.scheme.second, self.upper.material)

    @property
    def thread(self) -> Paint:
        """Thread that is seen on the upper."""
        return paint(contrast(self.scheme.main), "lining")

    @property
    def metal(self) -> Paint:
        """What buckles and rings are made of."""
        return paint(self.scheme.metal, "metal")

    @property
    def level(self) -> float:
        """Height of the bed under the heel."""
        return self.last.platform + self.last.heel

    def open_at(self, edge: Curve) -> None:
        """Let the upper reach up to a topline."""
        self.cover.append(below(edge))
        self.rims.append(edge)

    def add_strap(
        self, path: Curve, width: float, skin: Paint, rank: int | None = 3, *, covers: bool = False
    ) -> None:
        """A strip along a path; with ``covers`` it is upper where there was none."""
        outline, patch = strap(path, width, skin, rank)
        self.patches.append(patch)
        if covers:
            self.cover.append(outline)

    def build(self, family: str, insole: str = "smooth") -> Shoe:
        """The finished shoe."""
        return Shoe(
            family=family,
            last=self.last,
            cover=tuple(self.cover),
            paint=self.upper,
            solids=self.solids,
            lining=paint(self.scheme.lining, "lining"),
            insole=paint(self.scheme.lining, insole),
            cuts=tuple(self.cuts),
            patches=tuple(self.patches),
            lines=tuple(self.lines),
            rims=tuple(self.rims),
        )
