"""What a drawing finds while it grows: the rank of its target after each stroke."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from retrieval.data import Modality
from retrieval.encoder import Encoder, unusable
from retrieval.encoder_pair import EncoderPair, door_of, fingerprint_for
from retrieval.errors import BadInputError
from retrieval.modalities import input_of
from retrieval.strokes import Drawing

from .collection import SearchHit, Vectors
from .disk import DiskCollection

MAX_STEPS = 1000
"""Most moments at which a drawing is looked at."""


@dataclass(frozen=True)
class Step:
    """One moment of a drawing.

    Attributes:
        share: Of the pen's whole way that was drawn, in 0..1.
        strokes: Begun by then.
        drawing: What was on the paper.
        hits: The best ones; none where there was nothing to encode yet.
        rank: Of the target, from 1; None where there were no hits.
    """

    share: float
    strokes: int
    drawing: Drawing
    hits: tuple[SearchHit, ...]
    rank: int | None


@dataclass(frozen=True)
class RankTrace:
    """A drawing and what it found from its first stroke to its last.

    Attributes:
        target: An item's id, or a label.
        kind: What the target is: "item", "label", or "best hit" of the whole drawing.
        steps: One or more, in order.
    """

    target: str
    kind: str
    steps: tuple[Step, ...]


def replay(
    collection: DiskCollection,
    encoder: Encoder | EncoderPair,
    drawing: Drawing,
    *,
    target: str | None = None,
    steps: int | None = None,
    k: int = 5,
    on_progress: Callable[[int], None] | None = None,
) -> RankTrace:
    """Search with each beginning of a drawing. The same input gives the same trace.

    Args:
        collection: Where to search; not empty.
        encoder: In eval mode; a pair, or one encoder of sketches and photos alike.
        drawing: With one stroke or more.
        target: An item's id or, where no item has it, a label: then the rank is the best one of
            its items. The best hit of the whole drawing when left out.
        steps: So many equal shares of the pen's way; each stroke is a step when left out.
        k: Best hits that are kept of each step.
        on_progress: Called with 1 after each step.

    Raises:
        BadInputError: No such target, nothing to draw or to find, or too many steps.
        EncoderMismatchError: Another encoder made the collection.
    """
    door, _ = door_of(encoder, Modality.SKETCH)
    fingerprint = fingerprint_for(encoder, collection.fingerprint)
    kind = _kind(collection, target)
    moments = list(_moments(drawing, steps))
    vectors = [door.vectors(input_of(begun, door.transform)[None]) for _, _, begun in moments]

    def hits_of(vector: Vectors) -> list[SearchHit]:
        if unusable(vector):
            return []
        return collection.search(vector, len(collection), fingerprint=fingerprint)[0]

    wanted = _best(hits_of(vectors[-1])) if target is None else target
    made = []
    for (share, strokes, begun), vector in zip(moments, vectors, strict=True):
        hits = hits_of(vector)
        named = (hit.item.label if kind == "label" else hit.item.id for hit in hits)
        rank = next((rank for rank, name in enumerate(named, 1) if name == wanted), None)
        made.append(Step(share, strokes, begun, tuple(hits[:k]), rank))
        if on_progress:
            on_progress(1)
    return RankTrace(wanted, kind, tuple(made))


def _moments(drawing: Drawing, steps: int | None) -> Iterator[tuple[float, int, Drawing]]:
    count = len(drawing.strokes) if steps is None else steps
    if not drawing.strokes or not 1 <= count <= MAX_STEPS:
        what = "strokes" if steps is None else "steps"
        raise BadInputError(
            f"a drawing must be replayed in 1 to {MAX_STEPS:,} {what}; got "
            f"{count if drawing.strokes else 0}. Choose with --steps."
        )
    whole = drawing.length
    for number in range(1, count + 1):
        share = number / count
        begun = drawing.until(share) if steps is not None else drawing.prefix(number)
        if steps is None and whole and number < count:
            share = min(begun.length / whole, 1.0)
        yield share, len(begun.strokes), drawing if number == count else begun


def _kind(collection: DiskCollection, target: str | None) -> str:
    if not len(collection):
        raise BadInputError(f"{collection.folder} must hold items to be found; got none.")
    if target is None:
        return "best hit"
    if target in collection:
        return "item"
    labels = {item.label for item in collection.items if item.label}
    if target in labels:
        return "label"
    close = get_close_matches(target, [*collection.ids(), *sorted(labels)], n=1)
    raise BadInputError(
        f"--target must be an item's id or a label of the collection; got {target!r}."
        + (f" Did you mean {close[0]!r}?" if close else "")
    )


def _best(hits: Sequence[SearchHit]) -> str:
    if not hits:
        raise BadInputError(
            "the drawing must have features to be searched with; got none. Draw more."
        )
    return hits[0].item.id
