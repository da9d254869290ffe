"""Pictures in a grid or a strip, to look at or to choose from: a component of our own."""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import streamlit as st

_HERE = files(__name__)
_component = st.components.v2.component(
    "fgir_pictures",
    css=(_HERE / "pictures.css").read_text("utf-8"),
    js=(_HERE / "pictures.js").read_text("utf-8"),
)


def pictures(
    key: str,
    cards: Sequence[Mapping[str, Any]],
    *,
    title: str,
    strip: bool = False,
    chosen: Sequence[str] = (),
    on_choose: Callable[[list[str]], None] | None = None,
) -> None:
    """Show cards.

    Args:
        key: Of the widget.
        cards: ``id``, ``label``, ``note`` (a second line, may be empty) and ``picture``, a data
            URI or None where there is no picture any more.
        title: What the pictures are, for those who cannot see them.
        strip: In one line that can be moved, in place of a grid.
        chosen: Ids that are marked; they need not be among the cards.
        on_choose: Called with all ids that are chosen after a click on a card, in the order in
            which they were chosen; without it pictures can be looked at only.
    """
    given = st.session_state.get(key)
    answer = given.get("chosen") if isinstance(given, Mapping) else None
    seen = answer.get("at", 0) if isinstance(answer, Mapping) else 0

    def changed() -> None:
        answer = st.session_state[key].get("chosen")
        ids = answer.get("ids") if isinstance(answer, Mapping) else None
        if on_choose is not None and isinstance(ids, list):
            on_choose([one for one in ids if isinstance(one, str)])

    _component(
        key=key,
        data={
            "cards": list(cards),
            "title": title,
            "strip": strip,
            "chosen": list(chosen),
            "choosable": on_choose is not None,
            "seen": seen,
        },
        on_chosen_change=changed,
    )
