"""The photo that a visitor asks with: a file, what was pasted, or one of the collection."""

import base64
import hashlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from retrieval.errors import BadInputError, FgirError
from retrieval.images import ImageError
from ui.clipboard import clipboard
from ui.resources import readers
from ui.text import shown
from ui.uploads import uploaded
from ui.widgets import plain

if TYPE_CHECKING:
    from ui.opened import Opened

MAX_BYTES = 20_000_000
"""Most bytes of a photo; what the server of the page takes at most is a little more."""

SIDE = 900
"""Longer side of the photo on the page, in pixels."""

LEAST = 400
"""Least longer side: a smaller photo is shown larger, so that a hand can point at its parts."""

_FILE, _ASKED, _REFUSED = "photo_file", "photo.asked", "photo.refused"
_QUALITY = 85


@dataclass(frozen=True)
class Asked:
    """A photo to search with.

    Attributes:
        name: What it is called in messages: never a path.
        data: Bytes of the file, which :func:`ui.resources.readers` reads.
        picture: It, made anew and small, as a data URI.
        mark: Tells it from every other photo.
        example: Id of the item whose picture it is; None of a visitor's own.
    """

    name: str
    data: bytes = field(repr=False)
    picture: str = field(repr=False)
    mark: str
    example: str | None = None


def taken(data: bytes, name: str, example: str | None = None) -> Asked:
    """A photo from the bytes of a file, whatever its name ends with.

    Raises:
        ImageError: It is none that is read, or beyond a limit.
    """
    called = shown(name) if len(name) <= 60 else "the photo"
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"{called} must have at most {MAX_BYTES:,} bytes; got {len(data):,}. "
            "Scale it down or save it as JPEG."
        )
    image = readers().pixels(data, called, SIDE)
    scale = min(max(1.0, LEAST / max(image.size)), SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.LANCZOS)
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=_QUALITY)
    picture = "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode("ascii")
    return Asked(called, data, picture, hashlib.sha256(data).hexdigest()[:16], example)


def asked() -> Asked | None:
    """The photo that is asked with now."""
    found: Asked | None = st.session_state.get(_ASKED)
    return found


def uploader() -> None:
    """Where a photo is dropped, chosen or pasted."""
    st.file_uploader(
        "Photo to search with",
        key=_FILE,
        on_change=_take,
        max_upload_size=MAX_BYTES // 1_000_000,
        help="JPEG, PNG, WebP, BMP or GIF. It stays in the memory of this page and is forgotten "
        "with it.",
    )
    clipboard("photo_paste", _FILE)
    if refused := st.session_state.get(_REFUSED):
        st.error(plain(refused), icon=":material/error:")


def ask_with(this: "Opened", id_: str) -> None:
    """Take an item's picture for the photo."""
    try:
        item = this.collection.get(id_)
        _ask(taken(this.picture_of(item), item.id, example=item.id))
    except FgirError as error:
        _ask(None, str(error))


def forget() -> None:
    """Ask with nothing."""
    _ask(None)


def _take() -> None:
    chosen = uploaded(_FILE)
    if chosen is None:
        now = asked()
        if now is None or now.example is None:
            _ask(None)
        return
    try:
        _ask(taken(chosen.getvalue(), chosen.name))
    except BadInputError as error:
        _ask(None, str(error))


def _ask(photo: Asked | None, refused: str = "") -> None:
    st.session_state[_ASKED] = photo
    st.session_state[_REFUSED] = refused
