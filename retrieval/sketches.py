"""One way in for every sketch: a picture or a file of strokes becomes black lines on white.

A drawing inside a file of many is addressed as if the file were a folder: ``strokes.json/KEY``,
``cat.ndjson/KEY_ID``. Strokes are drawn by :meth:`retrieval.strokes.Drawing.raster` only, so that
what is searched with is drawn as what was trained on.
"""

import difflib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from .drawing_files import Content, DrawingFormat, format_called, format_of, is_drawing_name
from .errors import BadInputError, StorageError
from .files import sha256_of_file
from .image_headers import Refusal
from .images import MAX_BYTES, ImageError, decode, is_blank
from .strokes import CANVAS, PEN, Drawing

MAX_CONTAINER_BYTES = 300_000_000
"""Most bytes of a file of strokes."""

KEPT_CONTAINERS = 4
"""Files whose parse is kept for the next drawing that is asked of them."""


def read_drawing(path: Path, *, name: str | None = None) -> Drawing:
    """The drawing in a file of strokes.

    Args:
        path: A file, or a file of many drawings followed by ``/`` and the key of one.
        name: What to call it in messages; by default its path.

    Raises:
        ImageError: It cannot be read, is no file of strokes, holds other drawings but not this one,
            is blank, or is beyond a limit. The sentence begins with the name.
    """
    try:
        file, key = _address(path)
        container = _opened(file)
        return container.form.drawing(_entry(container.entries, file, key))
    except Refusal as refusal:
        raise ImageError(f"{_shown(path, name)} {refusal}") from None
    except BadInputError as error:
        raise ImageError(f"{_shown(path, name)} must be a drawing; {error}") from None
    except RecursionError:
        raise ImageError(f"{_shown(path, name)} must be a drawing; got lists in lists.") from None


def read_sketch(
    path: Path,
    *,
    name: str | None = None,
    draft_size: int | None = None,
    size: int = CANVAS,
    pen: float = PEN,
) -> Image.Image:
    """A sketch as an RGB picture, black on white.

    Args:
        path: A picture, a file of strokes, or one drawing of a file of many.
        name: What to call it in messages; by default its path.
        draft_size: See :func:`retrieval.images.decode`; for pictures.
        size: Side of the picture that strokes become; a picture keeps its own.
        pen: Width of the line that strokes are drawn with, on a canvas of 256.

    Raises:
        ImageError: It cannot be read, is no sketch, is blank or is beyond a limit.
        BadInputError: Size or pen is out of its range.
    """
    if holds_strokes(path):
        image = read_drawing(path, name=name).raster(size, pen)
    else:
        image = decode(path, name=name, draft_size=draft_size)
    if is_blank(image):
        raise ImageError(
            f"{_shown(path, name)} must be a sketch; got a blank picture. Draw something."
        )
    return image


def sketch_bytes(path: Path, *, name: str | None = None) -> bytes:
    """What identifies a sketch: two with the same bytes are the same.

    The bytes of the file; of one drawing among many, the drawing as JSON of a canvas, so that a
    change to another drawing of the file changes nothing.

    Raises:
        ImageError: As :func:`read_drawing`, or :func:`retrieval.images.decode` for a file.
    """
    try:
        file, key = _address(path)
        if key is None:
            return _bytes(file, MAX_CONTAINER_BYTES if is_drawing_name(file) else MAX_BYTES)
    except Refusal as refusal:
        raise ImageError(f"{_shown(path, name)} {refusal}") from None
    return format_called("canvas").write(read_drawing(path, name=name))


def sha256_of_picture(path: Path) -> str:
    """SHA-256 of a photo's or a sketch's bytes, as 64 hexadecimal digits.

    Of one drawing among many, of its :func:`sketch_bytes`.

    Raises:
        StorageError: It is missing or cannot be read.
    """
    if _address_or_itself(path)[1] is None:
        return sha256_of_file(path)
    try:
        return hashlib.sha256(sketch_bytes(path)).hexdigest()
    except ImageError as error:
        raise StorageError(str(error)) from error


def sha256_of_strokes(path: Path) -> str:
    """SHA-256 of what is drawn: the same for one drawing in files of two formats.

    Raises:
        ImageError: As :func:`read_drawing`.
    """
    drawing = read_drawing(path)
    same = replace(drawing, width=float(drawing.width), height=float(drawing.height))
    return hashlib.sha256(format_called("canvas").write(same)).hexdigest()


def drawing_keys(path: Path) -> list[str]:
    """The keys of the drawings in a file, in its order; none for a file with only one.

    Raises:
        ImageError: It is no file of strokes.
    """
    try:
        return [key for key in _opened(path).entries if key]
    except Refusal as refusal:
        raise ImageError(f"{_shown(path, None)} {refusal}") from None


def holds_strokes(path: Path) -> bool:
    """Whether a path leads to strokes and not to a picture.

    A file without the name of either is looked into: text holds strokes.
    """
    file, key = _address_or_itself(path)
    if key is not None:
        return True
    try:
        with file.open("rb") as stream:
            head = stream.read(16)
    except OSError:
        return is_drawing_name(file)
    if format_called("png").recognises(Content(head)):
        return False
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[", b"<")
    return is_drawing_name(file) or text


@dataclass(frozen=True)
class _Container:
    """A file of strokes, parsed as far as its drawings can be told apart."""

    form: DrawingFormat
    entries: Mapping[str, Any]


_Stamp = tuple[str, int, int]
_kept: OrderedDict[_Stamp, _Container] = OrderedDict()
_lock = threading.Lock()


def _opened(file: Path) -> _Container:
    try:
        status = file.stat()
    except OSError as error:
        raise _unreadable(error) from None
    stamp = (str(file.absolute()), status.st_size, status.st_mtime_ns)
    with _lock:  # also while parsing: another thread most likely wants the same file
        if stamp in _kept:
            _kept.move_to_end(stamp)
            return _kept[stamp]
        content = Content(_bytes(file, MAX_CONTAINER_BYTES))
        form = format_of(content, file.name)
        container = _Container(form, form.entries(content))
        if len(container.entries) > 1:
            _kept[stamp] = container
            while len(_kept) > KEPT_CONTAINERS:
                _kept.popitem(last=False)
        return container


def _address(path: Path) -> tuple[Path, str | None]:
    """The file that a path leads to, and the key of the drawing in it, if one is named."""
    if path.exists():
        return path, None
    for parent in path.parents:
        if parent.is_file():
            return parent, path.relative_to(parent).as_posix()
        if parent.is_dir():
            break
    return path, None


def _address_or_itself(path: Path) -> tuple[Path, str | None]:
    try:
        return _address(path)
    except OSError:  # a name that is too long, say; reading it will say so
        return path, None


def _entry(entries: Mapping[str, Any], file: Path, key: str | None) -> Any:  # noqa: ANN401
    if key is None and len(entries) == 1:
        return next(iter(entries.values()))
    if key is not None and key in entries:
        return entries[key]
    known = [one for one in entries if one]
    if key is None:
        example = f" such as {file.name}/{known[0]}" if known else ""
        raise Refusal(
            "one drawing", f"a file of {len(entries):,}", f"Add the key of one,{example}."
        )
    if not known:
        raise Refusal(f"a drawing of {file.name}", "a key into a file of one", "Leave the key out.")
    close = difflib.get_close_matches(key, known[:10_000], n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"Its first key is {known[0]!r}."
    raise Refusal(f"a drawing of {file.name}", f"no such key among {len(known):,}", hint)


def _bytes(file: Path, most: int) -> bytes:
    if not file.is_file():
        got = "a folder" if file.is_dir() else "no file"
        raise Refusal("a file that can be read", got, "Check the path.")
    try:
        with file.open("rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        raise _unreadable(error) from None
    if len(data) > most:
        raise Refusal(f"at most {most:,} bytes", "more", "Split it.")
    return data


def _unreadable(error: OSError) -> Refusal:
    got = (error.strerror or str(error)).lower()
    return Refusal("a file that can be read", got, "Check the path.")


def _shown(path: Path, name: str | None) -> str:
    text = name or str(path)
    return text if text.isprintable() else ascii(text)
