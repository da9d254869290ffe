"""Paths of pictures, which start from a collection's folder, when items move to another folder."""

import os
from collections.abc import Callable
from pathlib import Path

from .rows import Row, as_stored, as_text


def moved_paths(old: Path, new: Path) -> Callable[[str], str]:
    """What turns a path that starts from ``old`` into the path of the same file from ``new``.

    Example:
        >>> moved = moved_paths(Path("/a/birds"), Path("/b/c/birds"))
        >>> moved("../photos/1.jpg"), moved("/photos/1.jpg"), moved("")
        ('../../../a/photos/1.jpg', '/photos/1.jpg', '')
    """
    start, end = os.path.realpath(old), os.path.realpath(new)

    def moved(path: str) -> str:
        if not path or start == end or path.startswith("/"):
            return path
        return os.path.relpath(os.path.join(start, path), end)  # noqa: PTH118 - text, not a file

    return moved


def moved_row(row: Row, moved: Callable[[str], str]) -> Row:
    """A row whose picture's path starts from another folder.

    Raises:
        BadInputError: The path has become too long to be stored.
    """
    path = moved(as_text(row.path))
    return row._replace(path=as_stored(f"path of {as_text(row.id)!r}", path))
