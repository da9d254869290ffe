"""The drawing surface: a component of our own, and what the server takes from it.

The strokes live in the browser, which keeps them over a reload. After each change the browser sends
the whole drawing with a number that only rises, and sends the next one when the page says that it
shows the answer to this one: there is no queue of old drawings, and the newest is never missed.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import streamlit as st

from retrieval.drawing_files import Content, NoStrokes, format_called, format_of
from retrieval.errors import BadInputError
from retrieval.image_headers import Refusal
from retrieval.strokes import CANVAS, Drawing

MAX_STROKES = 500
"""Most strokes of a drawing on the page."""

MAX_POINTS = 20_000
"""Most points of all strokes."""

MAX_BYTES = 2_000_000
"""Most bytes of a drawing as the browser sends it, and of a file that is opened, also unpacked."""

_HERE = files(__name__)
_component = st.components.v2.component(
    "fgir_canvas",
    html=(_HERE / "canvas.html").read_text("utf-8"),
    css=(_HERE / "canvas.css").read_text("utf-8"),
    js=(_HERE / "canvas.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Sent:
    """What the browser sent last.

    Attributes:
        number: Of the drawing, rising with every change; 0 before there is one.
        text: JSON of the canvas.
        loaded: Token of the drawing that the browser was last given; "" where it was given none.
    """

    number: int = 0
    text: str = ""
    loaded: str = ""

    @property
    def drawing(self) -> Drawing | None:
        """The drawing; None while nothing is on the paper.

        Raises:
            BadInputError: It is none, or beyond a limit.
        """
        if not self.number:
            return None
        _check_bytes("the drawing", len(self.text.encode("utf-8", "surrogatepass")))
        content = Content(self.text.encode("utf-8", "replace"))
        value = content.json
        if isinstance(value, dict) and value.get("strokes") == []:
            return None
        form = format_called("canvas")
        try:
            if not form.recognises(content):
                raise Refusal(form.shape, content.shown(), "Reload the page.")
            drawing = form.drawing(value)
        except Refusal as refusal:
            raise BadInputError(f"the drawing {refusal}") from None
        return _checked("the drawing", drawing)


@dataclass(frozen=True)
class Loaded:
    """A drawing for the browser to take up.

    Attributes:
        token: Another one for each loading, so that the browser does it once.
        strokes: As the canvas format has them.
    """

    token: str
    strokes: list[Mapping[str, Any]]


def canvas(key: str, *, shown: int, loaded: Loaded | None = None) -> None:
    """Show the drawing surface.

    Args:
        key: Of the widget; :func:`sent` of the same key gives what is drawn.
        shown: Number of the drawing whose answer the page shows. The browser sends nothing else
            until it hears of the one it sent, so call this when the answer stands on the page.
        loaded: A drawing that replaces what is there; the browser can undo it.
    """
    _component(
        key=key,
        data={  # plain values: for a list or an object Streamlit loads pandas
            "shown": shown,
            "loaded": None if loaded is None else vars(loaded),
            "most_strokes": MAX_STROKES,
            "most_points": MAX_POINTS,
        },
        on_drawing_change=lambda: None,
    )


def sent(key: str) -> Sent:
    """What the browser has sent, checked as far as its kind goes: anybody can send anything."""
    state = st.session_state.get(key)
    drawing = state.get("drawing") if isinstance(state, Mapping) else None
    if not isinstance(drawing, Mapping):
        return Sent()
    number, text, loaded = (drawing.get(name) for name in ("number", "canvas", "loaded"))
    if type(number) is not int or not (isinstance(text, str) and isinstance(loaded, str)):
        return Sent()
    return Sent(number, text, loaded) if number > 0 else Sent()


def loaded_from(data: bytes, name: str) -> Loaded:
    """The drawing in a file of strokes, or in a picture that carries them, scaled to the canvas.

    Args:
        data: Bytes of the file.
        name: Of the file, as it was given; for messages.

    Raises:
        BadInputError: It holds no drawing, more than one, or one beyond a limit.
    """
    shown = name if len(name) <= 60 and name.isprintable() else "the file"
    _check_bytes(shown, len(data))
    content = Content(data, most_unpacked=MAX_BYTES)
    try:
        form = format_of(content, name)
        entries = form.entries(content)
        if len(entries) != 1:
            raise Refusal("one drawing", f"{len(entries):,}", "Save one of them by itself.")
        drawing = form.drawing(next(iter(entries.values())))
    except NoStrokes:
        raise BadInputError(
            f"{shown} must carry the strokes of a drawing; got {content.shown()} without any. "
            "It may be laid under the drawing: press Picture to trace."
        ) from None
    except Refusal as refusal:
        raise BadInputError(f"{shown} {refusal}") from None
    except RecursionError:
        raise BadInputError(f"{shown} must be a drawing; got lists in lists.") from None
    fitted = _checked(shown, drawing).fitted(CANVAS)
    strokes = Content(format_called("canvas").write(fitted)).json["strokes"]
    return Loaded(secrets.token_hex(8), strokes)


def _checked(name: str, drawing: Drawing) -> Drawing:
    points = sum(len(stroke.points) for stroke in drawing.strokes)
    for count, most, what in (
        (len(drawing.strokes), MAX_STROKES, "strokes"),
        (points, MAX_POINTS, "points"),
    ):
        if count > most:
            raise BadInputError(
                f"{name} must have at most {most:,} {what}; got {count:,}. Draw it simpler."
            )
    return drawing


def _check_bytes(name: str, count: int) -> None:
    if count > MAX_BYTES:
        raise BadInputError(
            f"{name} must have at most {MAX_BYTES:,} bytes; got {count:,}. Draw it simpler."
        )
