"""What is loaded beside the page, before and while its first visitor is on the way."""

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import streamlit as st

from retrieval import plugins
from retrieval.errors import FgirError
from ui import views

HEAD_START = 5.0
"""Seconds in which the first visitor may come and is shown the page before PyTorch is loaded."""


def make_ready(folder: Path, ended: Event) -> None:
    """Load the views, which is quick; then what answers need: the collection with its encoder.

    Whoever comes before that is loaded makes it begin, when the view is shown as far as it can be
    without. Python runs one thread at a time, so to begin at once would take half of the time from
    what the visitor waits for.

    Args:
        folder: Of the collection. If it cannot be opened, the page says so to those who come.
        ended: Set when nobody can come any more.
    """
    for name in plugins.names(views):
        plugins.module(views, name)
    if ended.wait(HEAD_START):
        return
    with suppress(FgirError):
        _open(folder)


@contextmanager
def loading() -> Iterator[None]:
    """What is loaded within stays as long as the page: it is taken out of the search for garbage.

    Else every whole search would go through all of PyTorch, while nobody is answered.
    """
    gc.disable()  # nothing that is being loaded is garbage
    try:
        yield
        importlib.import_module("pandas")  # by which Streamlit shows pictures of ours
    finally:
        gc.freeze()
        gc.enable()


@st.cache_resource(show_spinner=False)  # within it no other one is shown: there is no page yet
def _open(folder: Path) -> None:
    from ui.resources import opened

    opened(folder)
