"""Looks at a folder again and again: what has come to rest, and what has changed since."""

from dataclasses import dataclass, field
from pathlib import Path

from .manifest import MANIFEST, Manifest, Seal, State
from .sources import Entry, entries_of
from .syncing import SyncResult

_Look = tuple[Entry, tuple[int, ...] | None]


@dataclass(frozen=True)
class Round:
    """What one look has found.

    Attributes:
        entries: All entries.
        root: Folder their paths start from.
        settled: Ids that were dealt with and whose files were not touched since, each with the
            reason why it was rejected, or "".
        waiting: Ids that came, went or changed since the look before: somebody may be writing.
        idle: Whether nothing can be done this time.
    """

    entries: list[Entry]
    root: Path
    settled: dict[str, str]
    waiting: frozenset[str]
    idle: bool


@dataclass
class Watch:
    """Remembers the last look at a source, and what was dealt with then.

    A picture counts as at rest when two looks in a row find the same file: device, inode, size, and
    times of change of content and of status. The first look finds nothing at rest. What was dealt
    with is only remembered while nobody else changes the collection.

    Attributes:
        photos: Folder or table.
        folder: Of the collection.
    """

    photos: Path
    folder: Path
    _last: dict[str, _Look] = field(default_factory=dict)
    _done: dict[str, _Look | None] = field(default_factory=dict)
    _rejected: dict[str, str] = field(default_factory=dict)
    _state: State | None = None

    def look(self) -> Round:
        """Look once.

        Raises:
            BadInputError: No such folder or table, or nothing in it.
        """
        entries, root = entries_of(self.photos)
        looks = {entry.id: (entry, _identity(root / entry.path)) for entry in entries}
        either = looks.keys() | self._last.keys()
        waiting = frozenset(id_ for id_ in either if looks.get(id_) != self._last.get(id_))
        self._last = looks
        if self._state != self._now():
            self._done = {}
        settled = {
            id_: self._rejected.get(entry.path, "")
            for id_, (entry, identity) in looks.items()
            if self._done.get(id_) == (entry, identity)
        }
        gone = self._done.keys() - looks.keys() - waiting
        idle = not gone and looks.keys() <= waiting | settled.keys()
        return Round(entries, root, settled, waiting, idle)

    def done(self, found: Round, result: SyncResult) -> None:
        """Note that what was found at rest is dealt with; after an interruption nothing is."""
        self._state = self._now()
        self._rejected = result.rejected
        self._done = {}
        if not result.interrupted:
            self._done |= dict.fromkeys(found.waiting)
            self._done |= {id_: self._last[id_] for id_ in self._last.keys() - found.waiting}

    def _now(self) -> State | None:
        if not (self.folder / MANIFEST).exists():
            return None
        return Seal.read(self.folder, Manifest.read(self.folder)).state


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
