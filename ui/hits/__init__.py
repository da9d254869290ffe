"""Pictures in a grid, best first: a component of our own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import streamlit as st

_HERE = files(__name__)
_component = st.components.v2.component(
    "fgir_hits",
    css=(_HERE / "hits.css").read_text("utf-8"),
    js=(_HERE / "hits.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Click:
    """What a click on a picture means.

    Attributes:
        mark: On the one that was clicked.
        says: To those who cannot see the picture, after its rank and label.
        hint: Shown when the pointer rests on it.
    """

    mark: str
    says: str
    hint: str


@dataclass(frozen=True)
class Action:
    """A button below each picture.

    Attributes:
        name: Told when it is pressed.
        sign: What is written on it.
        says: What it does.
    """

    name: str
    sign: str
    says: str


MEANT = Click(
    "this one",
    "This is the one I mean",
    "Click if this is the one you mean: its rank is followed.",
)


def hits(
    key: str,
    cards: Sequence[Mapping[str, Any]],
    *,
    title: str,
    number: int,
    chosen: str | None,
    on_choose: Callable[[str | None], None],
    click: Click = MEANT,
    actions: Sequence[Action] = (),
    on_act: Callable[[str, str], None] | None = None,
) -> None:
    """Show cards.

    Args:
        key: Of the widget.
        cards: ``id``, ``label``, ``rank`` and ``score`` (None in a selection without order) and
            ``picture``, a data URI or None where there is no picture any more. Optional: ``facts``,
            lines below the label, and ``pressed``, names of the actions that hold for it.
        title: What the grid is, for those who cannot see it.
        number: Of the drawing that the cards answer.
        chosen: Id of the item that is meant.
        on_choose: Called with the id that was clicked, None when it is taken back.
        click: What a click on a picture means.
        actions: Buttons below each picture.
        on_act: Called with the name of an action and the id of the item.
    """

    def changed() -> None:
        answer = st.session_state[key].get("chosen")
        picked = answer.get("id") if isinstance(answer, Mapping) else None
        on_choose(picked if isinstance(picked, str) else None)

    def acted() -> None:
        answer = st.session_state[key].get("act")
        told = answer if isinstance(answer, Mapping) else {}
        name, id_ = told.get("name"), told.get("id")
        if on_act is not None and isinstance(name, str) and isinstance(id_, str):
            on_act(name, id_)

    _component(
        key=key,
        data={
            "hits": list(cards),
            "title": title,
            "number": number,
            "chosen": chosen,
            "click": asdict(click),
            "actions": [asdict(action) for action in actions],
        },
        on_chosen_change=changed,
        on_act_change=acted,
    )
