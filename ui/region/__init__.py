"""Where on the photo to look: a box, or what is clicked on. A component of our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import streamlit as st

from retrieval.placement import WHOLE, Box

if TYPE_CHECKING:
    from retrieval.regions import ObjectRegions

_HERE = files(__name__)
_component = st.components.v2.component(
    "fgir_region",
    html=(_HERE / "region.html").read_text("utf-8"),
    css=(_HERE / "region.css").read_text("utf-8"),
    js=(_HERE / "region.js").read_text("utf-8"),
)

MODES = ("whole", "box", "object")


@dataclass(frozen=True)
class Region:
    """What of a photo is searched with.

    Attributes:
        mode: "whole", "box" or "object".
        box: Of the mode "box".
        number: Of the region in the mode "object".
    """

    mode: str = "whole"
    box: Box = WHOLE
    number: int = 1


def region(
    key: str,
    *,
    photo: str,
    picture: str,
    given: Region,
    found: "ObjectRegions | None",
) -> None:
    """Show the photo.

    Args:
        key: Of the widget; :func:`chosen_region` of the same key gives what is chosen.
        photo: Names the photo, so that nothing chosen on one is taken for the next.
        picture: It, as a data URI.
        given: What is searched with now.
        found: What one can click on, in the mode "object".
    """
    seen = _sent(key).get("at")
    regions = None
    if found is not None:
        place = found.placement
        regions = {
            "labels": found.labels.tolist(),
            "shown": place.shown,
            "filled": place.filled,
            "count": len(found),
        }
    _component(
        key=key,
        data={
            "photo": photo,
            "picture": picture,
            "mode": given.mode,
            "box": given.box,
            "number": given.number,
            "regions": regions,
            "seen": seen if type(seen) is int else 0,
        },
        on_region_change=lambda: None,
    )


def chosen_region(key: str, photo: str) -> Region:
    """What was chosen on a photo, checked as far as its kind goes: anybody can send anything."""
    sent = _sent(key)
    if sent.get("photo") != photo:
        return Region()
    mode, box, number = (sent.get(name) for name in ("mode", "box", "number"))
    if mode == "box" and box is not None and _is_box(box):
        left, top, right, bottom = map(float, box)
        return Region("box", (left, top, right, bottom))
    if mode == "object" and type(number) is int:
        return Region("object", number=number)
    return Region()


def _sent(key: str) -> Mapping[str, Any]:
    state = st.session_state.get(key)
    sent = state.get("region") if isinstance(state, Mapping) else None
    return sent if isinstance(sent, Mapping) else {}


def _is_box(box: Any) -> bool:  # noqa: ANN401
    return (
        isinstance(box, list) and len(box) == 4 and all(type(edge) in (int, float) for edge in box)
    )
