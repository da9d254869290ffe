"""The item that is meant: its rank after each stroke of the drawing."""

import hashlib
import math
from typing import TYPE_CHECKING

import streamlit as st

from indexer.filters import Condition, matches
from retrieval.strokes import Drawing
from ui.rank_chart import rank_chart
from ui.widgets import plain

if TYPE_CHECKING:
    from ui.opened import Opened

MOMENTS = 40
"""Most moments of a drawing at which the rank is looked up."""

KEPT = 2000
"""Ranks that a session remembers: a new stroke asks for one more, not for all."""

_RANKS = "followed.ranks"


def followed(this: "Opened", drawing: Drawing | None, meant: str, where: Condition | None) -> None:
    """Show where the meant item stands among those of a condition, and how it came there."""
    if meant not in this.collection:
        st.info("The picture that you meant is no longer in the collection. Choose another one.")
        return
    item = this.collection.get(meant)
    name = plain(item.label or item.id)
    if where is not None and not matches(where, item):
        st.markdown(f"You mean **{name}**, which the filters leave out.")
        return
    if drawing is None:
        st.markdown(f"You mean **{name}**. Draw it: its rank is followed stroke by stroke.")
        return
    ranks = [
        (count, _rank(this, drawing.prefix(count), meant, where)) for count in moments(drawing)
    ]
    known = [(count, rank) for count, rank in ranks if rank is not None]
    if not known:
        st.markdown(f"You mean **{name}**. It has no rank yet: draw a little more.")
        return
    total = len(this.collection if where is None else this.collection.items_where(where))
    words = f"rank **{known[-1][1]:,}** of {total:,}{_way(known)}"
    st.markdown(f"You mean **{name}**: {words}.")
    rank_chart("followed_chart", known, words.replace("**", ""))


def moments(drawing: Drawing) -> list[int]:
    """Counts of strokes: after every one, or evenly spread ones that end with the last.

    Example:
        >>> from retrieval.strokes import Stroke
        >>> many = Drawing((Stroke([[0, 0]]),) * 100)
        >>> moments(many)[:3], moments(many)[-1], len(moments(many))
        ([3, 6, 9], 100, 34)
    """
    count = len(drawing.strokes)
    step = math.ceil(count / MOMENTS) or 1
    return [*range(step, count, step), count]


def _rank(this: "Opened", begun: Drawing, meant: str, where: Condition | None) -> int | None:
    """From 1; None where there is nothing to compare yet."""
    known: dict[str, int | None] = st.session_state.setdefault(_RANKS, {})
    key = _key(this, begun, meant, where)
    if key not in known:
        if len(known) >= KEPT:
            known.clear()
        known[key] = _looked_up(this, begun, meant, where)
    return known[key]


def _looked_up(this: "Opened", begun: Drawing, meant: str, where: Condition | None) -> int | None:
    vector = this.vector_of(begun)
    if vector is None:
        return None
    found = this.search(vector, len(this.collection), where)
    return next((hit.rank for hit in found if hit.item.id == meant), None)


def _key(this: "Opened", begun: Drawing, meant: str, where: Condition | None) -> str:
    asked = this.collection.generation, begun.width, begun.height, meant, where
    digest = hashlib.sha256(repr(asked).encode("utf-8", "surrogatepass"))
    for stroke in begun.strokes:
        digest.update(b"|" + stroke.points.tobytes())
    return digest.hexdigest()


def _way(known: list[tuple[int, int]]) -> str:
    """In words, for those who do not see the chart."""
    if len(known) < 2:
        return ""
    best = min(known, key=lambda one: one[1])
    return f", {known[0][1]:,} after {_strokes(known[0][0])}, {best[1]:,} at best"


def _strokes(count: int) -> str:
    return f"{count} stroke" + ("s" if count > 1 else "")
