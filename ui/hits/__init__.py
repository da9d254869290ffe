"""Pictures in a grid, best first: a component of our own."""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import streamlit as st

_HERE = files(__name__)
_component = st.components.v2.component(
    "fgir_hits",
    css=(_HERE / "hits.css").read_text("utf-8"),
    js=(_HERE / "hits.js").read_text("utf-8"),
)


def hits(
    key: str,
    cards: Sequence[Mapping[str, Any]],
    *,
    title: str,
    number: int,
    chosen: str | None,
    on_choose: Callable[[str | None], None],
) -> None:
    """Show cards.

    Args:
        key: Of the widget.
        cards: ``id``, ``label``, ``rank`` and ``score`` (None in a selection without order) and
            ``picture``, a data URI or None where there is no picture any more.
        title: What the grid is, for those who cannot see it.
        number: Of the drawing that the cards answer.
        chosen: Id of the item that is meant.
        on_choose: Called with the id that was clicked, None when it is taken back.
    """

    def changed() -> None:
        answer = st.session_state[key].get("chosen")
        picked = answer.get("id") if isinstance(answer, Mapping) else None
        on_choose(picked if isinstance(picked, str) else None)

    _component(
        key=key,
        data={"hits": list(cards), "title": title, "number": number, "chosen": chosen},
        on_chosen_change=changed,
    )
