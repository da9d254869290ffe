"""Where the pictures of a collection lie, as points: a component of our own."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import streamlit as st

_HERE = files(__name__)
_component = st.components.v2.component(
    "fgir_embedding_map",
    css=(_HERE / "embedding_map.css").read_text("utf-8"),
    js=(_HERE / "embedding_map.js").read_text("utf-8"),
)


def asked(key: str) -> str | None:
    """Id of the point whose picture the browser asks for."""
    given = st.session_state.get(key)
    answer = given.get("asked") if isinstance(given, Mapping) else None
    id_ = answer.get("id") if isinstance(answer, Mapping) else None
    return id_ if isinstance(id_, str) else None


def embedding_map(
    key: str,
    points: Sequence[Mapping[str, Any]],
    *,
    keys: Sequence[tuple[str, str]],
    note: str,
    title: str,
    picture: tuple[str, str] | None,
) -> None:
    """Show the map.

    Args:
        key: Of the widget.
        points: ``id``, ``label``, ``group``, ``x`` and ``y`` of each.
        keys: Groups and their colours; a point of no such group has the page's own colour.
        note: Said below the keys.
        title: What it is, for those who cannot see it.
        picture: Id of a point and its picture as a data URI: the one that was asked for.
    """
    _component(
        key=key,
        data={
            "points": list(points),
            "keys": list(keys),
            "note": note,
            "title": title,
            "picture": picture,
        },
        on_asked_change=lambda: None,
    )
