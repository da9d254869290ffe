"""A picture from the clipboard, handed to the page's file uploader: a component of our own."""

from importlib.resources import files

import streamlit as st

_HERE = files(__name__)
_component = st.components.v2.component(
    "fgir_clipboard",
    css=(_HERE / "clipboard.css").read_text("utf-8"),
    js=(_HERE / "clipboard.js").read_text("utf-8"),
)


def clipboard(key: str, uploader: str) -> None:
    """Show the button; Ctrl+V anywhere on the page does the same.

    The picture goes the way of a chosen file, with all its limits.

    Args:
        key: Of the component.
        uploader: Key of the ``st.file_uploader`` that takes the picture.
    """
    _component(key=key, data={"uploader": uploader})
