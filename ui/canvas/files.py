"""Opening and saving what is on the drawing surface."""

from functools import partial

import streamlit as st

from retrieval.drawing_files import format_called
from retrieval.errors import BadInputError
from ui.canvas import MAX_BYTES, Loaded, Sent, loaded_from
from ui.widgets import plain

_FILE, _LOADED, _REFUSED = "canvas_file", "canvas.loaded", "canvas.refused"

_SAVED = {
    "canvas": ("json", "application/json"),
    "svg": ("svg", "image/svg+xml"),
    "png": ("png", "image/png"),
}


def waiting(given: Sent) -> Loaded | None:
    """The drawing from a file that the browser has not taken up yet."""
    loaded: Loaded | None = st.session_state.get(_LOADED)
    if loaded is not None and loaded.token == given.loaded:
        st.session_state[_LOADED] = None
        return None
    return loaded


def files(given: Sent) -> None:
    """Two buttons, to open a drawing and to save the one on the paper."""
    with st.popover("Open", icon=":material/folder_open:", width="stretch"):
        if refused := st.session_state.get(_REFUSED):
            st.error(plain(refused), icon=":material/error:")
        st.file_uploader(
            "A file of strokes",
            type=["json", "svg", "ndjson", "npy", "npz"],
            key=_FILE,
            on_change=_open,
            max_upload_size=MAX_BYTES // 1_000_000,
            help="JSON as saved here, SVG, Quick, Draw! or stroke-3/5. It takes the place of what "
            "is on the paper; undo brings that back.",
        )
    _save(given)


def _open() -> None:
    chosen = st.session_state[_FILE]
    st.session_state[_REFUSED] = None
    if chosen is None:
        return
    try:
        st.session_state[_LOADED] = loaded_from(chosen.getvalue(), chosen.name)
    except BadInputError as error:
        st.session_state[_REFUSED] = str(error)


def _save(given: Sent) -> None:
    try:
        drawing = given.drawing
    except BadInputError:  # said beside the drawing
        drawing = None
    popover = st.popover(
        "Save", icon=":material/download:", width="stretch", disabled=drawing is None
    )
    if drawing is None:
        return
    with popover:
        for name, (suffix, kind) in _SAVED.items():
            st.download_button(
                suffix.upper(),
                partial(format_called(name).write, drawing),
                f"drawing.{suffix}",
                kind,
                key=f"canvas_save_{suffix}",
                on_click="ignore",
                width="stretch",
            )
        st.caption("JSON keeps times and pressures, too; SVG the lines; PNG a picture.")
