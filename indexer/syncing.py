"""A folder (or a table) of pictures and a collection, brought in step.

New pictures are added, gone ones removed, changed ones encoded again; unchanged ones are not
touched. Each batch is durable, removals come last, so a run that was killed is gone on with by
running it again.

Which items count as those of the folder:

- of a folder: their path lies below it and their id is that path, as indexing it makes them;
- of a table: their path lies below the table's folder, whatever their id. Keep to one table a
  folder, because the items of a second one there would count as gone.

All others stay: those of other folders and those that were added by hand. Whether a picture has
changed is told by the SHA-256 of its file, each time: size and time can stay the same while the
bytes change, such as on file systems that count in seconds or after a restored backup.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from retrieval.errors import BadInputError, StorageError
from retrieval.files import sha256_of_file
from retrieval.photo_root import PhotoRoot

from .build import BuildResult, Encode, build_collection
from .disk import DiskCollection
from .interruption import Interruption
from .rows import Row, as_text, row_of
from .sources import Entry

if TYPE_CHECKING:
    from retrieval.encoder import Encoder
    from retrieval.encoder_pair import EncoderPair

_REMOVED_AT_ONCE = 1000


@dataclass
class SyncPlan:
    """What has to be done.

    Attributes:
        added: Entries of pictures that are new.
        changed: Entries whose picture, label or payload is another one than that of their item.
        removed: Ids of items whose picture is gone.
        unchanged: Items that are as their entry says.
        considered: Items of the collection that came from this source.
        rejected: Reason by path for entries that cannot be taken.
    """

    added: list[Entry] = field(default_factory=list)
    changed: list[Entry] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    considered: int = 0
    rejected: dict[str, str] = field(default_factory=dict)

    def note(self, entry: Entry, reason: str) -> None:
        """Count an entry that was dealt with before."""
        if reason:
            self.rejected[entry.path] = reason
        else:
            self.unchanged += 1

    @property
    def removes_most(self) -> bool:
        """Whether more than half of the items that came from this source would go."""
        return 2 * len(self.removed) > self.considered


@dataclass
class SyncResult:
    """What was done; ``built`` is what became of the entries that were added or changed."""

    built: BuildResult
    removed: int
    unchanged: int
    rejected: dict[str, str]
    interrupted: bool

    def __str__(self) -> str:
        end = "; interrupted, run the same command again to go on" if self.interrupted else ""
        return (
            f"added {self.built.added:,}, changed {self.built.replaced:,}, "
            f"removed {self.removed:,}, unchanged {self.unchanged:,}, "
            f"rejected {len(self.rejected):,}{end}"
        )


def plan_sync(
    rows: Mapping[str, Row],
    folder: Path,
    entries: Sequence[Entry],
    root: Path,
    *,
    by_path: bool,
    settled: Mapping[str, str] = MappingProxyType({}),
    waiting: Collection[str] = (),
    on_progress: Callable[[int], None] = lambda count: None,
) -> SyncPlan:
    """Compare entries with items; nothing is written.

    Args:
        rows: What the collection holds, by id; see :func:`rows_by_id`.
        folder: The collection's, which need not exist yet.
        entries: What is in the folder or table; paths are relative to ``root``.
        root: Folder of the pictures.
        by_path: Entries are those of a folder, whose ids are their paths.
        settled: Ids of entries that were dealt with and have not changed since, each with the
            reason why it was rejected, or "" where it is in step.
        waiting: Ids to be left alone this time, whatever became of their picture.
        on_progress: Called with the number of entries compared since the last call.
    """
    survey = _Survey(rows, folder, root, by_path)
    plan = SyncPlan()
    for entry in entries:
        if entry.id in settled:
            plan.note(entry, settled[entry.id])
        elif entry.id not in waiting:
            survey.judge(entry, plan)
        on_progress(1)
    ours = [id_ for id_, row in rows.items() if survey.is_ours(id_, row)]
    plan.considered = len(ours)
    there = {entry.id for entry in entries} | set(waiting)
    # Folders that cannot be opened are entries too: what lies below them is not gone.
    paths = {entry.path for entry in entries}
    for id_ in ours:
        if id_ not in there and not survey.lies_below(rows[id_], paths):
            plan.removed.append(id_)
    return plan


def rows_by_id(collection: DiskCollection) -> dict[str, Row]:
    """Every item of a collection as it is stored."""
    return {as_text(row.id): row for rows, _ in collection.blocks() for row in rows}


def apply_sync(
    collection: DiskCollection,
    plan: SyncPlan,
    root: Path,
    encoder: "Encoder | EncoderPair",
    *,
    batch_size: int = 32,
    runtime: str = "auto",
    on_progress: Callable[[int], None] | None = None,
    encode: Encode | None = None,
) -> SyncResult:
    """Do what a plan says; the collection is open for writing.

    The first Ctrl-C or SIGTERM lets the batch in work finish. Items that somebody else has removed
    since the plan was made are passed over.

    Raises:
        EncoderMismatchError: Another encoder made the collection.
        StorageError: The disk is full or failing. What was done is kept.
    """
    with Interruption() as interruption:
        built = build_collection(
            collection,
            [*plan.added, *plan.changed],
            root,
            encoder,
            replace=True,
            batch_size=batch_size,
            runtime=runtime,
            on_progress=on_progress,
            encode=encode,
        )
        removed = 0
        for ids in _batches([id_ for id_ in plan.removed if collection.stored(id_) is not None]):
            if built.interrupted or interruption.wished:
                break
            collection.remove(ids)
            removed += len(ids)
        interrupted = built.interrupted or interruption.wished
    unchanged = plan.unchanged + built.unchanged
    return SyncResult(built, removed, unchanged, plan.rejected | built.rejected, interrupted)


class _Survey:
    """Looks at entries and items of one source."""

    def __init__(self, rows: Mapping[str, Row], folder: Path, root: Path, by_path: bool) -> None:
        self._rows = rows
        self._photos = PhotoRoot(root)
        self._by_path = by_path
        self._root = root
        self._way = PurePosixPath(os.path.relpath(os.path.realpath(root), os.path.realpath(folder)))

    def lies_below(self, row: Row, paths: Collection[str]) -> bool:
        """Whether an item's picture lies in one of these folders."""
        parents = PurePosixPath(self.below(row) or "").parents
        return any(str(parent) in paths for parent in parents)

    def below(self, row: Row) -> str | None:
        """Path of an item's picture relative to the root; None when it lies elsewhere."""
        path = PurePosixPath(as_text(row.path))
        if not path.is_relative_to(self._way):
            return None
        relative = path.relative_to(self._way)
        return None if relative.parts[:1] in ((), ("..",), ("/",)) else str(relative)

    def is_ours(self, id_: str, row: Row) -> bool:
        """Whether an item came from this source."""
        below = self.below(row)
        return below is not None and (not self._by_path or below == id_)

    def judge(self, entry: Entry, plan: SyncPlan) -> None:
        """Put an entry where it belongs in the plan."""
        row = self._rows.get(entry.id)
        if row is None:
            plan.added.append(entry)
        elif not self.is_ours(entry.id, row):
            plan.rejected[entry.path] = (
                f"{entry.id!r} must be new, or an item of {self._root}; got an item with the path "
                f"{as_text(row.path)!r}. Remove that item, or replace it with `fgir add --replace`."
            )
        elif self._same(entry, row):
            plan.unchanged += 1
        else:
            plan.changed.append(entry)

    def _same(self, entry: Entry, row: Row) -> bool:
        try:
            wanted = row_of(entry.item(str(self._way / entry.path)))
            path, there = self._photos.locate(entry.path, f"path of {entry.id!r}")
            content = bytes.fromhex(sha256_of_file(path)) if there else b""
        except (BadInputError, StorageError):
            return False  # building says what is wrong with it
        return row == wanted._replace(content=content)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _REMOVED_AT_ONCE):
        yield ids[start : start + _REMOVED_AT_ONCE]
