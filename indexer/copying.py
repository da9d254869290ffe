"""Items from one collection into another, whether folders or servers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from .build import Buildable
from .collection import Vectors
from .rows import Row, as_stored, as_text, check_fingerprint
from .store import Change


class Copyable(Buildable, Protocol):
    """A collection that can be read as a whole."""

    @property
    def folder(self) -> Path:
        """Where the paths of its items start."""
        ...

    def rows(self) -> Iterator[tuple[list[Row], Vectors]]:
        """All items as they are stored and their vectors (n, dim), page by page."""
        ...


def copy_items(
    source: Copyable, target: Copyable, on_progress: Callable[[int], None] | None = None
) -> int:
    """Write every item of ``source`` into ``target``, and count them.

    Vectors stay bit by bit as they are. Paths are written again from where the target's paths
    start. An item that is there already is replaced, so that an interrupted copy can be run again.

    Raises:
        EncoderMismatchError: The collections are of two encoders. Nothing is written.
    """
    check_fingerprint("the copied items", source.fingerprint, target.fingerprint)
    count = 0
    for rows, vectors in source.rows():
        moved = [_moved(row, source, target) for row in rows]
        if moved:
            target.write(Change(vectors, moved, replace=True))
        count += len(moved)
        if on_progress is not None:
            on_progress(len(moved))
    return count


def _moved(row: Row, source: Copyable, target: Copyable) -> Row:
    if not row.path:
        return row
    path = source.folder / as_text(row.path)
    return row._replace(path=as_stored("path", f"{target.path_of(path.parent)}/{path.name}"))
