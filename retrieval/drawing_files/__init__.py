"""Files that hold drawings as strokes. One format a file; see docs/sketches.md.

A file of this folder without a leading underscore is a format and its name is the file's. What a
file holds is told by its content; its name only says how to complain about it, and what to write.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from .. import plugins
from ..errors import BadInputError
from ..files import write_atomically
from ..image_headers import Refusal
from ..strokes import Drawing
from ._content import Content
from ._format import DrawingFormat, NoStrokes

__all__ = [
    "Content",
    "DrawingFormat",
    "NoStrokes",
    "format_called",
    "format_of",
    "is_drawing_name",
    "write_drawing",
]


def format_called(name: str) -> DrawingFormat:
    """The format of that name, such as "svg".

    Raises:
        BadInputError: There is none.
    """
    form: DrawingFormat = plugins.find(sys.modules[__name__], name)()
    return form


def format_of(content: Content, name: str) -> DrawingFormat:
    """The format that recognises the content.

    Args:
        content: Of the file.
        name: Of the file: what nobody recognises is refused by a format with this name's suffix.

    Raises:
        Refusal: Nobody recognises it.
    """
    formats = list(_formats())
    for form in formats:
        if form.recognises(content):
            return form
    content.check_json(name)
    wanted = [form.shape for form in formats if Path(name).suffix.lower() in form.suffixes]
    shapes = ", or ".join(wanted or ["a file of strokes"])
    raise Refusal(shapes, content.shown(), "See docs/sketches.md for what is read.")


def is_drawing_name(path: Path) -> bool:
    """Whether the name is that of a file of strokes. Pictures are none.

    Example:
        >>> is_drawing_name(Path("cat.svg")), is_drawing_name(Path("cat.png"))
        (True, False)
    """
    return any(path.suffix.lower() in form.suffixes for form in _formats() if not form.is_picture)


def write_drawing(drawing: Drawing, path: Path, form: str | None = None) -> None:
    """Write one drawing; the suffix chooses the format unless it is named.

    Args:
        drawing: With a stroke or more.
        path: Is replaced when it exists.
        form: Name of a format. ``.json`` means ``canvas``, the one that keeps everything;
            ``.npy`` means ``stroke3``.

    Raises:
        BadInputError: No such format, or nothing is drawn.
        StorageError: The disk is full or read-only.
    """
    if not drawing.strokes:
        raise BadInputError(f"{path} must get a drawing; got a blank one. Draw something.")
    if form is None:
        form = _format_for(path)
    write_atomically(path, format_called(form).write(drawing))


def _format_for(path: Path) -> str:
    suffix = path.suffix.lower()
    for form in _formats():
        if form.written_as == suffix != "":
            return form.name
    known = sorted(form.written_as for form in _formats() if form.written_as)
    raise BadInputError(plugins.unknown("kind of drawing file", suffix, known))


def _formats() -> Iterator[DrawingFormat]:
    for name in plugins.names(sys.modules[__name__]):
        yield format_called(name)
