"""Hits that a visitor wants more of, and hits that are not meant."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from indexer.collection import Vectors
from retrieval.relevance_feedback import moved_query
from ui.hits import Action
from ui.widgets import plain

if TYPE_CHECKING:
    from ui.opened import Opened

MORE, LESS = "more", "less"

ACTIONS = (
    Action(MORE, "More", "More like this"),
    Action(LESS, "Not this", "Not like this"),
)

MOST = 50
"""Examples that are kept; the first ones make room."""

_KEPT = "photo.examples"


def examples() -> Mapping[str, str]:
    """Ids and what they are examples of, in the order they were given."""
    kept: dict[str, str] = st.session_state.setdefault(_KEPT, {})
    return kept


def mark(name: str, id_: str) -> None:
    """Take an item for an example, or back where it is one of this kind."""
    kept = dict(examples())
    if kept.pop(id_, None) != name and name in (MORE, LESS):
        kept[id_] = name
    st.session_state[_KEPT] = dict(list(kept.items())[-MOST:])


def forget_examples() -> None:
    """Search with the photo alone."""
    st.session_state[_KEPT] = {}


def moved(this: "Opened", vector: Vectors) -> Vectors:
    """The query, (1, dim), as the examples that are still in the collection move it.

    Raises:
        BadInputError: They leave nothing of it.
    """
    rows = {name: _vectors(this, name) for name in (MORE, LESS)}
    if not any(len(one) for one in rows.values()):
        return vector
    return moved_query(vector[0], rows[MORE], rows[LESS])[None]


def given_examples(this: "Opened") -> None:
    """A button for each example, which takes it back."""
    if not examples():
        return
    with st.container(horizontal=True, gap="small", key="photo_examples"):
        for id_, name in examples().items():
            item = this.collection.get(id_) if id_ in this.collection else None
            label = plain((item.label if item else "") or id_)
            st.button(
                f"{'More like' if name == MORE else 'Not like'} {label}",
                key=f"photo_example_{id_}",
                icon=":material/close:",
                help=plain(f"Take back {id_}"),
                on_click=mark,
                args=(name, id_),
            )


def _vectors(this: "Opened", name: str) -> Vectors:
    ids = [id_ for id_, kind in examples().items() if kind == name and id_ in this.collection]
    return np.array([this.collection.vector(id_) for id_ in ids], np.float32).reshape(
        len(ids), this.collection.dim
    )
