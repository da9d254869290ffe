"""Why this hit: both pictures side by side, in a window over the page."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from indexer.collection import SearchHit
from retrieval.data import Modality
from retrieval.errors import FgirError
from ui.resources import readers
from ui.widgets import plain, safely

if TYPE_CHECKING:
    from retrieval.explain import ExplainedPair
    from ui.opened import Opened

_GAP = 16


def ask_why(key: str, id_: str | None) -> None:
    """Explain this item from now on; None closes the window.

    Args:
        key: Of the view.
        id_: Of the item.
    """
    st.session_state[f"{key}.why"] = id_


def asked_why(key: str) -> str | None:
    """Id of the item that a view is asked to explain."""
    id_: str | None = st.session_state.get(f"{key}.why")
    return id_


def why(
    key: str,
    this: "Opened",
    hits: Sequence[SearchHit],
    query: Callable[[], Image.Image],
    *,
    modality: Modality = Modality.PHOTO,
    note: str = "",
) -> None:
    """Open the window on the hit that was asked about; one that is no hit any more is forgotten.

    Args:
        key: Of the view.
        this: The collection.
        hits: Those on the page.
        query: Gives the query as its encoder's door takes it, before the transform.
        modality: What the query is.
        note: Said above the pictures.
    """
    id_ = asked_why(key)
    hit = next((one for one in hits if one.item.id == id_), None)
    ask_why(key, None if hit is None else id_)
    if hit is None:
        return
    close = partial(ask_why, key, None)
    show = st.dialog("Why this hit", width="medium", on_dismiss=close)(safely)
    show(_shown, this, hit, query, modality, note)


def _shown(
    this: "Opened",
    hit: SearchHit,
    query: Callable[[], Image.Image],
    modality: Modality,
    note: str,
) -> None:
    item = hit.item
    name = f"**{plain(item.label)}** · {plain(item.id)}" if item.label else f"**{plain(item.id)}**"
    st.markdown(f"Rank {hit.rank:,}, score {hit.score:.4f} · {name}")
    if item.payload:
        with st.expander("What is known of it"):
            st.code(json.dumps(item.payload, indent=2, ensure_ascii=False), language="json")
    if note:
        st.caption(note)
    door = this.photo_transform
    found = readers().pixels(this.picture_of(item), item.id, door.draft_size)
    asked = query()
    try:
        explained = this.explained(asked, found, modality)
    except FgirError as error:
        st.image(_beside(asked, found), width="stretch", alt="The query, and the hit at its right")
        st.info(plain(str(error)), icon=":material/info:")
        return
    _panels(explained, asked, found)


def _panels(explained: "ExplainedPair", asked: Image.Image, found: Image.Image) -> None:
    from retrieval.explanation_pictures import panels, shown_correspondences, sums

    rows = panels(explained, asked, found)
    pairs = [_beside(left, right) for left, right in zip(*rows, strict=True)]
    numbered = len(shown_correspondences(explained))
    titles = ("Object", "Matching regions", "Contributions")
    words = (
        "At the left what was searched with, at the right the hit. All but what the encoder takes "
        "for the object (SCDA) is faded.",
        f"{numbered} of {len(explained.correspondences)} pairs of places that are each other's "
        "nearest, with one number in both pictures. They do not enter the score.",
        "What each place adds to the score: orange for it, blue against it, on one scale.",
    )
    for title, said, pair in zip(titles, words, pairs, strict=True):
        st.markdown(f"**{title}**")
        st.caption(said)
        st.image(pair, width="stretch", alt=f"{title}: the query, and the hit at its right")
    exact = explained.query.exact and explained.hit.exact
    st.caption(
        "The contributions are the score's own parts, exactly."
        if exact
        else "The contributions are approximate: this encoder's pooling or last step is not a "
        "plain sum over places."
    )
    lines = [
        f"{sums(side, of)}  =  {explained.score:.4f}"
        for side, of in (("query", explained.query), ("hit", explained.hit))
    ]
    st.code("\n".join(lines), language=None, wrap_lines=True)


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures of one height on white."""
    height = max(left.height, right.height)
    pictures = [
        one.resize((max(1, round(one.width * height / one.height)), height))
        for one in (left, right)
    ]
    sheet = Image.new("RGB", (sum(one.width for one in pictures) + _GAP, height), "white")
    sheet.paste(pictures[0], (0, 0))
    sheet.paste(pictures[1], (pictures[0].width + _GAP, 0))
    return sheet
