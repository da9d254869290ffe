"""Items from one collection into another, whether folders or servers."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from .build import Buildable
from .collection import Vectors
from .paths import moved_row
from .rows import Row, check_fingerprint
from .store import Change


class Copyable(Buildable, Protocol):
    """A collection that can be read as a whole."""

    @property
    def folder(self) -> Path:
        """Where the paths of its items start."""
        ...

    def blocks(self) -> Iterator[tuple[Sequence[Row], Vectors]]:
        """All items as they are stored and their vectors (n, dim), block by block."""
        ...


def copy_items(
    source: Copyable, target: Buildable, on_progress: Callable[[int], None] = lambda count: None
) -> int:
    """Write every item of ``source`` into ``target``, and count them.

    Vectors stay bit by bit as they are. Paths are written again from where the target's paths
    start. An item that is there already is replaced, so that an interrupted copy can be run again.

    Raises:
        EncoderMismatchError: The collections are of two encoders. Nothing is written.
    """
    check_fingerprint("the copied items", source.fingerprint, target.fingerprint)
    count = 0
    moved = paths_into(target, source.folder)
    for rows, vectors in source.blocks():
        target.write(Change(vectors, [moved_row(row, moved) for row in rows], replace=True))
        count += len(rows)
        on_progress(len(rows))
    return count


def paths_into(target: Buildable, folder: Path) -> Callable[[str], str]:
    """What turns a path that starts from ``folder`` into the one that ``target`` keeps."""

    def moved(path: str) -> str:
        if not path:
            return path
        place = folder / path
        return f"{target.path_of(place.parent)}/{place.name}"

    return moved
