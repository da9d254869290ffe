r"""How soon a drawing finds its photo: each drawing searches while it is still unfinished.

A drawing is looked at after T shares of its pen's way, 1/T, 2/T .. 1. With r(t) the rank of its
photo among N after a share t, the figures of one drawing are

.. math::
    \mathrm{m@A} = \frac1T \sum_t \frac{N - r(t)}{N - 1}, \qquad
    \mathrm{m@B} = \frac1T \sum_t \frac1{r(t)},

the areas under its rank percentile (the best rank is 1, the last 0) and under 1/rank over the share
drawn. Each step of the pen counts with the rank that stands at its end; nothing is known before.
Those of a benchmark are means over its drawings. Ties count against the system, see
:mod:`retrieval.metrics`.

What is certain of the literature: the two names, what the areas are of, and 20 steps. Where it
differs, so that figures of two papers must not be set side by side without a look:

- what a share is of: the pen's way as here, the number of points, or the number of strokes;
- the gallery: here each photo counts once; in some published code a photo with three sketches is
  there three times, which costs ranks;
- later papers add weighted areas, with exp(-t) inside the sums, to favour early steps. They are not
  computed here;
- the starting point: here the first step counts like any other, however little is drawn.

References:
    Bhunia, Yang, Hospedales, Xiang, Song: Sketch Less for More: On-the-Fly Fine-Grained Sketch
    Based Image Retrieval, CVPR 2020.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .data import Benchmark, Modality, Relevance
from .encoder import Encoder
from .encoder_pair import EncoderPair
from .encoding import encode_drawings, encode_files
from .errors import BadInputError
from .evaluation import door_notes, encoder_facts
from .evaluation_report import Rejected
from .images import ImageError
from .metrics import judge
from .on_the_fly_report import MAX_STEPS, STEPS, TOP, OnTheFlyReport
from .provenance import provenance
from .sketches import holds_strokes, read_drawing
from .strokes import Drawing


def on_the_fly(
    encoder: Encoder | EncoderPair,
    benchmark: Benchmark,
    *,
    steps: int = STEPS,
    whole_strokes: bool = False,
    runtime: str = "auto",
    batch_size: int = 32,
    seed: int = 0,
    notes: Sequence[str] = (),
    on_progress: Callable[[int], None] | None = None,
) -> OnTheFlyReport:
    """Rank the photo of every drawing while it is drawn.

    Args:
        encoder: In eval mode. Photos and drawings each enter by their door of a pair; one encoder
            takes both.
        benchmark: Its queries are files of strokes, each of which shows one photo of the gallery.
        steps: T, equal shares of the pen's way.
        whole_strokes: Search when the pen is lifted: a stroke in work is not seen before its end,
            and before the first end the photo stands last.
        runtime: See :func:`retrieval.encoding.encode_files`.
        batch_size: Pictures encoded at once.
        seed: Of the bootstrap.
        notes: More sentences for the report.
        on_progress: Called with each count of pictures that got encoded.

    Raises:
        BadInputError: Queries are no strokes, right answers no single objects, the gallery has
            fewer than two photos, steps are out of 1..1000, or no drawing has its photo there.
    """
    if not 1 <= steps <= MAX_STEPS:
        raise BadInputError(f"steps must be in 1..{MAX_STEPS}; got {steps}.")
    started = time.perf_counter()
    drawn = _Drawn.of(benchmark)
    gallery = encode_files(
        encoder,
        benchmark.gallery.paths,
        modality=benchmark.gallery.modality,
        batch_size=batch_size,
        runtime=runtime,
        on_progress=on_progress,
    )
    targets = benchmark.gallery.targets[gallery.kept]
    if len(targets) < 2:
        raise BadInputError(
            f"{benchmark.name}: the gallery must have two photos or more that can be encoded; got "
            f"{len(targets)}."
        )
    lost = [*drawn.rejected, *(Rejected(one.path, one.reason) for one in gallery.rejected)]
    facts = [*benchmark.notes, *notes, *door_notes(encoder, benchmark)]
    answerable = drawn.kept(np.isin(drawn.targets, targets))
    if not answerable.drawings:
        raise BadInputError(
            f"{benchmark.name}: a drawing must have its photo in the gallery; got none of "
            f"{len(benchmark.query)} that can be read and has. Check the targets."
        )
    if len(answerable.drawings) < len(drawn.drawings):
        count = len(drawn.drawings) - len(answerable.drawings)
        facts.append(f"{count} drawings have no photo in the gallery and are left out.")
    shares = np.arange(1, steps + 1) / steps
    plans = [_Plan(drawing, shares, whole_strokes) for drawing in answerable.drawings]
    moments = [moment for plan in plans for moment in plan.moments]
    encoded = encode_drawings(
        encoder, moments, batch_size=batch_size, runtime=runtime, on_progress=on_progress
    )
    counts = [len(plan.moments) for plan in plans]
    wanted = np.repeat(answerable.targets, counts)
    found = judge(encoded.vectors, gallery.vectors, wanted[encoded.kept], targets)
    ranks = np.full(len(moments), len(targets), np.int64)  # nothing to search with: last
    ranks[encoded.kept] = np.minimum(found.first_rank, len(targets))
    if encoded.rejected:
        facts.append(
            f"{len(encoded.rejected)} unfinished drawings had no usable features; there the photo "
            "stands last."
        )
    if lost:
        facts.append(f"{len(lost)} files could not be encoded and are left out.")
    rows = np.split(ranks, np.cumsum(counts)[:-1])
    seconds = round(time.perf_counter() - started, 3)
    return OnTheFlyReport(
        benchmark=benchmark.name,
        shares=shares,
        ranks=np.stack(
            [plan.of_shares(row, len(targets)) for plan, row in zip(plans, rows, strict=True)]
        ),
        strokes=np.array([len(plan.drawing.strokes) for plan in plans], np.int64),
        strokes_to_top=np.array(
            [stays_from(plan.of_strokes(row)) for plan, row in zip(plans, rows, strict=True)],
            np.int64,
        ),
        targets=answerable.targets,
        sketches=answerable.names,
        gallery_size=len(targets),
        whole_strokes=whole_strokes,
        seed=seed,
        encoder=encoder_facts(encoder) | {"runtime": encoded.runtime},
        run=provenance() | {"seconds": seconds},
        rejected=tuple(lost),
        notes=tuple(facts),
    )


def stays_from(ranks: NDArray[np.int64], top: int = TOP) -> int:
    """The first stroke after which the photo is among the first ``top`` and stays there.

    Args:
        ranks: (S,) after each stroke.
        top: How many hits a person looks through.

    Returns:
        The number of strokes, from 1; 0 where the photo is not there in the end.

    Example:
        >>> stays_from(np.array([3, 40, 9, 8])), stays_from(np.array([1, 11]))
        (3, 0)
    """
    outside = np.flatnonzero(ranks > top)
    if not len(outside):
        return 1
    last = int(outside[-1]) + 1
    return 0 if last == len(ranks) else last + 1


@dataclass(frozen=True)
class _Drawn:
    """The queries of a benchmark as strokes."""

    drawings: tuple[Drawing, ...]
    targets: NDArray[np.int64]
    names: tuple[str, ...]
    rejected: tuple[Rejected, ...] = ()

    @classmethod
    def of(cls, benchmark: Benchmark) -> "_Drawn":
        query = benchmark.query
        if query.modality is not Modality.SKETCH or benchmark.relevance is not Relevance.INSTANCE:
            raise BadInputError(
                f"{benchmark.name}: queries must be sketches that each show one photo; got "
                f"{query.modality} queries under {benchmark.relevance} relevance. Evaluate it "
                "with fgir evaluate."
            )
        drawings, kept, rejected = [], [], []
        for position, path in enumerate(query.paths):
            try:
                if path.is_file() and not holds_strokes(path):
                    raise BadInputError(
                        f"{path} must be a file of strokes; got a picture, which does not tell "
                        "the order it was drawn in. Evaluate it with fgir evaluate."
                    )
                drawings.append(read_drawing(path))
                kept.append(position)
            except ImageError as error:
                rejected.append(Rejected(str(path), str(error)))
        names = tuple(query.paths[position].as_posix() for position in kept)
        return cls(tuple(drawings), query.targets[kept], names, tuple(rejected))

    def kept(self, mask: NDArray[np.bool_]) -> "_Drawn":
        """Some of them."""
        chosen = np.flatnonzero(mask).tolist()
        return replace(
            self,
            drawings=tuple(self.drawings[row] for row in chosen),
            targets=self.targets[mask],
            names=tuple(self.names[row] for row in chosen),
        )


class _Plan:
    """What is encoded of one drawing: after each stroke, and at shares that end inside of one.

    Attributes:
        drawing: The whole.
        moments: After stroke 1, 2 .. S, then at the shares that need a picture of their own.
    """

    def __init__(self, drawing: Drawing, shares: NDArray[np.float64], whole_strokes: bool) -> None:
        self.drawing = drawing
        count = len(drawing.strokes)
        self.moments = [drawing.prefix(number) for number in range(1, count + 1)]
        if whole_strokes:
            places = finished_strokes(drawing, shares) - 1  # -1: nothing is seen yet
        else:
            cut = [drawing.until(float(share)) for share in shares[:-1]]
            self.moments += cut
            places = np.array([*range(count, count + len(cut)), count - 1], np.int64)
        self._places = places

    def of_strokes(self, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """(S,) ranks after each stroke, of those of all moments."""
        return ranks[: len(self.drawing.strokes)]

    def of_shares(self, ranks: NDArray[np.int64], last: int) -> NDArray[np.int64]:
        """(T,) ranks at each share, of those of all moments."""
        return np.where(self._places < 0, last, ranks[self._places])


def finished_strokes(drawing: Drawing, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """(T,) strokes whose end the pen has reached after each share of its way.

    Example:
        >>> from retrieval.strokes import Stroke
        >>> drawing = Drawing((Stroke([[0, 0], [30, 0]]), Stroke([[0, 9], [10, 9]])))
        >>> finished_strokes(drawing, np.array([0.5, 0.75, 1.0])).tolist()
        [0, 1, 2]
    """
    ends = np.cumsum([stroke.length for stroke in drawing.strokes])
    reached = shares * ends[-1] * (1 + 1e-12)  # sums of steps are a rounding apart
    return np.asarray(np.searchsorted(ends, reached, side="right"), np.int64)
