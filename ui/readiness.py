"""What is done while the first visitor of the page is on the way."""

import gc
import importlib
from contextlib import suppress
from pathlib import Path

import streamlit as st

from retrieval.errors import FgirError


def make_ready(folder: Path) -> None:
    """Load what every visit needs: PyTorch, the collection with its encoder, and pandas.

    What is in memory then stays as long as the page, so it is taken out of Python's search for
    garbage: Streamlit has one after every answer, which would go through all of PyTorch each time.

    Args:
        folder: Of the collection. If it cannot be opened, the page says so to those who come.
    """
    gc.disable()  # nothing that is being loaded is garbage
    try:
        with suppress(FgirError):
            _open(folder)
        importlib.import_module("pandas")  # by which Streamlit shows its first component
    finally:
        gc.freeze()
        gc.enable()


@st.cache_resource(show_spinner=False)  # within it no other one is shown: there is no page yet
def _open(folder: Path) -> None:
    from ui.resources import opened

    opened(folder)
