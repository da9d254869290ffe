"""Draw a thing and watch the collection answer."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from indexer.collection import Vectors
from indexer.filters import Condition
from retrieval.data import Modality
from retrieval.images import is_blank
from retrieval.strokes import Drawing
from ui.canvas import Sent, canvas, sent
from ui.canvas.files import files, waiting
from ui.filtering import filters, said_of, say_that_nothing_fulfils
from ui.followed import followed
from ui.hits import Action, hits
from ui.remembered import remembered
from ui.resources import opened
from ui.views._page_view import PageView
from ui.why import ask_why, why
from ui.widgets import cards_of, safely, some_cards

if TYPE_CHECKING:
    from ui.opened import Opened

COUNTS = (12, 24, 48, 96)
"""Results one can choose to see."""

_WHY = Action("why", "Why", "Why this hit")

_KEY, _CANVAS, _HITS, _COUNT = "draw", "draw_canvas", "draw_hits", "draw_count"
_MEANT, _VECTOR = "draw.meant", "draw.vector"


class Draw(PageView):
    """The canvas at the left, what it finds at the right."""

    title = "Draw"
    icon = ":material/draw:"
    order = 10

    def show(self, folder: Path) -> None:
        given = sent(_CANVAS)
        left, right = st.columns((5, 6), gap="medium")
        with left:
            surface = st.container(key="draw_surface")
            below = st.container(horizontal=True, key="draw_files")
        if not given.number:  # at once: to open a collection takes seconds
            with surface:
                _surface(given)
        with right:
            safely(_answer, folder, given, below)
        if given.number:  # after the answer: the browser waits for it with its next drawing
            with surface:
                _surface(given)
        with below:
            safely(files, given)


def _surface(given: Sent) -> None:
    canvas(_CANVAS, shown=given.number, loaded=waiting(given))


def _answer(folder: Path, given: Sent, below: st.delta_generator.DeltaGenerator) -> None:
    this = opened(folder)
    if not this.has_sketch_door:
        st.info(
            "This collection can be searched with photos only: its encoder has no door for "
            "sketches. Make a collection with a pair of encoders, one for photos and one for "
            "sketches: fgir index PHOTOS --out COLLECTION --encoder PAIR."
        )
        return
    if not len(this.collection):
        st.info("This collection is empty. Add photos with fgir add COLLECTION PHOTOS.")
        return
    with below, st.popover("Filters", icon=":material/filter_alt:", width="stretch"):
        where = filters(this, _KEY)
    head = st.container(horizontal=True, vertical_alignment="bottom", key="draw_head")
    words = head.container()
    count = head.segmented_control(
        "Results", COUNTS, default=COUNTS[0], required=True, key=_COUNT, width="content"
    )
    drawing = given.drawing
    vector = None if drawing is None else _vector(this, given, drawing)
    total = len(this.collection)
    found = [] if vector is None else this.search(vector, count, where)
    if vector is None:
        cards = some_cards(this.collection, count, where)
        title, said = "Draw what you look for", _invitation(total, drawing, where)
    else:
        cards = cards_of(this.collection, found)
        title, said = "Nearest to your drawing", said_of(len(found), total, where)
    with words:
        st.subheader(title, anchor=False)
        st.caption(said)
    meant = st.session_state.get(_MEANT)
    if meant is not None:
        safely(followed, this, drawing, meant, where)
    if not cards:
        say_that_nothing_fulfils()
    hits(
        _HITS,
        cards,
        title=title,
        number=given.number,
        chosen=meant,
        on_choose=_mean,
        actions=() if vector is None else (_WHY,),
        on_act=lambda _, id_: ask_why(_KEY, id_),
    )
    if drawing is not None:
        why(_KEY, this, found, partial(this.raster_of, drawing), modality=Modality.SKETCH)


def _vector(this: "Opened", given: Sent, drawing: Drawing) -> Vectors | None:
    of = given.text, this.collection.fingerprint
    return remembered(_VECTOR, of, lambda: None if _is_blank(drawing) else this.vector_of(drawing))


def _invitation(total: int, drawing: Drawing | None, where: Condition | None) -> str:
    if drawing is not None:
        return "There is nothing to compare yet: draw a little more, on the paper."
    filtered = ", filtered" if where else ""
    return f"Results change with every stroke. Here are some of {total:,} pictures{filtered}."


def _is_blank(drawing: Drawing) -> bool:
    """Whether all of it lies beside the canvas."""
    return is_blank(drawing.raster())


def _mean(id_: str | None) -> None:
    st.session_state[_MEANT] = id_
