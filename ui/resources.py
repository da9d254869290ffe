"""What all sessions of the page share: the collection and its encoder, opened once.

PyTorch is loaded by what opens them, not by this file: the page shows itself before.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from indexer.disk import DiskCollection
from indexer.recognition import Recogniser
from ui.readiness import loading

if TYPE_CHECKING:
    from ui.opened import Opened
    from ui.picture_readers import PictureReaders

DECODERS = 2
"""Processes that decode: one picture that takes long does not stop everybody."""

SECONDS = 10
"""Of processor time that a picture may take."""

PATIENCE = 6
"""How many times that may pass by the clock."""

MEMORY = 1_500_000_000
"""Most bytes of such a process: 100 MP of a JPEG that is decoded smaller, and the interpreter."""


def opened(folder: Path) -> "Opened":
    """The collection as it is now: changes that a writer has made since are seen.

    Raises:
        FgirError: It is missing, damaged, or carries no encoder.
    """
    one = _opened(folder, _stamp(folder))
    one.collection.refresh()
    return one


def recogniser(folder: Path, this: "Opened") -> Recogniser:
    """The scales of the collection as it is now.

    Raises:
        BadInputError: It has fewer than two labels.
    """
    return _recogniser(folder, _stamp(folder), this.collection.generation, this.collection)


@st.cache_resource(max_entries=1, show_spinner="Comparing the collection with itself …")
def _recogniser(
    folder: Path, made: tuple[int, int, int], generation: int, _collection: DiskCollection
) -> Recogniser:
    return Recogniser.fit(_collection)


@st.cache_resource
def readers() -> "PictureReaders":
    """Make pixels of what visitors send, in processes that all of them share."""
    from ui.picture_readers import PictureReaders

    return PictureReaders(DECODERS, SECONDS, MEMORY, patience=PATIENCE)


@st.cache_resource(max_entries=1, show_spinner="Opening the collection …")
def _opened(folder: Path, made: tuple[int, int, int]) -> "Opened":
    with loading():
        from ui.building import encoder_of
        from ui.opened import Opened

        collection = DiskCollection.open(folder)
        return Opened(collection, encoder_of(collection))


def _stamp(folder: Path) -> tuple[int, int, int]:
    """Tells a collection from another one that takes its place."""
    try:
        status = (folder / "collection.json").stat()
    except OSError:  # opening says what is wrong
        return 0, 0, 0
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns  # a copy may have the other two
