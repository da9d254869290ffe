"""Pictures into a collection: batch by batch, each durable, to be interrupted and gone on with.

One bad picture never stops the others: it is named with its reason, in the result and in the
collection. A picture that is there already with the same bytes is not encoded again, so running
the same command after an interruption goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

import numpy as np

from retrieval.checks import UNIT_TOLERANCE
from retrieval.data import Modality
from retrieval.errors import BadInputError, StorageError
from retrieval.files import sha256_of_file
from retrieval.photo_root import PhotoRoot

from .collection import Collection, Vectors
from .interruption import Interruption
from .rows import MAX_TEXT_BYTES, Row, as_stored, check_fingerprint, row_of
from .sources import Entry, check_different_ids, entries_of
from .store import Change

if TYPE_CHECKING:
    from retrieval.encoder import Encoder
    from retrieval.encoder_pair import EncoderPair
    from retrieval.encoding import Encoded

__all__ = ["BuildResult", "Entry", "build_collection", "entries_of"]


Encode = Callable[[Sequence[Path]], "Iterator[Encoded]"]
"""Paths relative to the folder of the pictures to batches of vectors, in order."""


class Buildable(Collection, Protocol):
    """A collection that pictures can be indexed into."""

    def path_of(self, folder: Path) -> str:
        """A folder of pictures as the paths of its items begin."""
        ...

    def stored(self, id: str) -> tuple[Row, Vectors] | None:
        """An item as it is stored and its vector (1, dim); None when it is not there."""
        ...

    def write(self, change: Change) -> None:
        """Make a change durable."""
        ...

    def rejected(self) -> dict[str, str]:
        """Pictures that could not be taken, by path, and the reason, where that is kept."""
        ...


@dataclass
class BuildResult:
    """What became of the entries.

    Attributes:
        added: Items that are new.
        unchanged: Items that were there already, same picture and same facts.
        replaced: Items that were there with another picture, label or payload.
        rejected: Reason by path for each entry that was not taken.
        interrupted: Whether a signal ended the run before its end.
    """

    added: int = 0
    unchanged: int = 0
    replaced: int = 0
    rejected: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    def __str__(self) -> str:
        parts = [f"indexed {self.added:,}"]
        parts += [f"replaced {self.replaced:,}"] if self.replaced else []
        parts += [f"unchanged {self.unchanged:,}"] if self.unchanged else []
        parts += [f"rejected {len(self.rejected):,}"] if self.rejected else []
        end = "; interrupted, run the same command again to go on" if self.interrupted else ""
        return ", ".join(parts) + end


def build_collection(
    collection: Buildable,
    entries: Sequence[Entry],
    root: Path,
    encoder: Encoder | EncoderPair,
    *,
    replace: bool = False,
    batch_size: int = 32,
    runtime: str = "auto",
    on_progress: Callable[[int], None] | None = None,
    encode: Encode | None = None,
) -> BuildResult:
    """Add the pictures of ``entries`` to a collection that is open for writing.

    The first Ctrl-C or SIGTERM lets the batch in work finish and ends the run in order; a second
    one ends it at once, and the batch in work is as if it had never begun.

    Args:
        collection: Open for writing.
        entries: What to add; paths are relative to ``root`` and no file outside it is opened.
        root: Folder of the pictures.
        encoder: The encoder of the collection; of a pair, the door for photos is used.
        replace: Overwrite items that are there with another picture, label or payload; without it
            such entries are rejected.
        batch_size: Pictures encoded and made durable at once.
        runtime: See :func:`retrieval.encoding.encode_batches`.
        on_progress: Called with the number of entries that got done since the last call.
        encode: Takes the place of :func:`retrieval.encoding.encode_batches`.

    Raises:
        EncoderMismatchError: Another encoder made the collection.
        BadInputError: Two entries have one id.
        StorageError: The disk is full or failing. Batches that were done are kept.
        UnavailableError: The server of the collection does not answer. As above.
    """
    check_fingerprint("the encoder", encoder.fingerprint(), collection.fingerprint)
    check_different_ids(entries)
    with Interruption() as interruption:
        work = _Work(collection, root, replace, on_progress or (lambda count: None), interruption)
        pending = work.survey(entries)
        if pending and not interruption.wished:
            encode = encode or _encoding(encoder, root, batch_size, runtime)
            work.take(pending, encode([Path(one.entry.path) for one in pending]))
        work.result.interrupted = interruption.wished
    return work.result


@dataclass(frozen=True)
class _Pending:
    """A picture to encode.

    Attributes:
        known: Its item is there and shall be replaced.
        before: What the file was like when it was first looked at.
    """

    entry: Entry
    known: bool
    before: tuple[int, ...]


class _Work:
    def __init__(
        self,
        collection: Buildable,
        root: Path,
        replace: bool,
        on_progress: Callable[[int], None],
        interruption: Interruption,
    ) -> None:
        self.result = BuildResult()
        self._collection = collection
        self._photos = PhotoRoot(root)
        self._way = PurePosixPath(collection.path_of(root))
        self._replace = replace
        self._noted = collection.rejected()
        self._on_progress = on_progress
        self._interruption = interruption

    def survey(self, entries: Sequence[Entry]) -> list[_Pending]:
        """Entries that have to be encoded; the others are done when this returns."""
        pending, rejected = [], []
        for entry in entries:
            if self._interruption.wished:
                break
            try:
                one = self._judged(entry)
            except (BadInputError, StorageError) as error:
                rejected.append((entry, str(error)))
                one = None
            if one is None:
                self._on_progress(1)
            else:
                pending.append(one)
        self._write([], [], rejected)
        return pending

    def take(self, pending: Sequence[_Pending], batches: Iterator[Encoded]) -> None:
        """Make batch after batch durable until the end or until somebody wishes to stop."""
        start = 0
        for encoded in batches:
            end = start + len(encoded.kept) + len(encoded.rejected)
            self._take(pending[start:end], start, encoded)
            self._on_progress(end - start)
            start = end
            if self._interruption.wished:
                return

    def _judged(self, entry: Entry) -> _Pending | None:
        """What to encode of an entry; None when nothing is left to do."""
        wanted = self._row(entry)
        path, there = self._photos.locate(entry.path, f"path of {entry.id!r}")
        if not there:
            raise BadInputError(f"{entry.path} must be a file; got nothing that can be opened.")
        before = _identity(path)
        stored = self._collection.stored(entry.id)
        if stored is None:
            return _Pending(entry, False, before)
        row, vector = stored
        same = row.content == bytes.fromhex(sha256_of_file(path))
        if same and row.item() == wanted.item():  # a server orders the payload's keys its own way
            self.result.unchanged += 1
            return None
        if not self._replace:
            raise BadInputError(
                f"{entry.id!r} must be new, or what is in the collection already; got another "
                f"{'path, label or payload' if same else 'picture'}. Replace it with --replace."
            )
        if not same:
            return _Pending(entry, True, before)
        self._collection.write(Change(vector, [wanted._replace(content=row.content)], replace=True))
        self.result.replaced += 1
        return None

    def _row(self, entry: Entry) -> Row:
        return row_of(entry.item(self._kept_path(entry)))

    def _kept_path(self, entry: Entry) -> str:
        return str(self._way / entry.path)

    def _take(self, batch: Sequence[_Pending], start: int, encoded: Encoded) -> None:
        kept = set(encoded.kept.tolist())
        left_out = [one for place, one in enumerate(batch, start) if place not in kept]
        rejected = [
            (one.entry, rejection.reason)
            for one, rejection in zip(left_out, encoded.rejected, strict=True)
        ]
        rows, vectors, replaced = [], [], 0
        for place, vector in zip(encoded.kept.tolist(), encoded.vectors, strict=True):
            one = batch[place - start]
            try:
                content = self._content(one, vector)
            except (BadInputError, StorageError) as error:
                rejected.append((one.entry, str(error)))
                continue
            rows.append(self._row(one.entry)._replace(content=content))
            vectors.append(vector)
            replaced += one.known
        self._write(rows, vectors, rejected)
        self.result.added += len(rows) - replaced
        self.result.replaced += replaced

    def _content(self, one: _Pending, vector: Vectors) -> bytes:
        """SHA-256 of the file that was encoded."""
        name = one.entry.path
        path = self._photos.folder / name
        norm = float(np.linalg.norm(vector.astype(np.float64)))
        if not abs(norm - 1) <= UNIT_TOLERANCE:
            raise BadInputError(
                f"{name} must have a vector of norm 1; got {norm:.4g}. It has no usable features."
            )
        content = bytes.fromhex(sha256_of_file(path))
        if _identity(path) != one.before:
            raise BadInputError(f"{name} must stay as it is; got a change meanwhile. Run it again.")
        return content

    def _write(
        self,
        rows: Sequence[Row],
        vectors: Sequence[Vectors],
        rejected: Sequence[tuple[Entry, str]],
    ) -> None:
        self.result.rejected |= {entry.path: reason for entry, reason in rejected}
        notes = [
            (_storable(self._kept_path(entry)), _storable(reason)) for entry, reason in rejected
        ]
        notes = [note for note in notes if self._noted.get(note[0]) != note[1]]
        if not rows and not notes:
            return
        stacked = np.array(vectors, np.float32).reshape(len(rows), self._collection.dim)
        self._collection.write(Change(stacked, rows, self._replace, rejected=notes))


def _identity(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError as error:
        raise StorageError(f"{path} must be readable; got: {error.strerror}.") from error
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _storable(text: str) -> str:
    """The text, escaped where a store cannot hold it: a hostile name must not stop the run."""
    try:
        as_stored("text", text)
    except BadInputError:
        return ascii(text)[:MAX_TEXT_BYTES]
    return text


def _encoding(encoder: Encoder | EncoderPair, root: Path, batch_size: int, runtime: str) -> Encode:
    from retrieval.encoding import encode_batches  # torch: seconds that a search must not pay

    return lambda paths: encode_batches(
        encoder,
        paths,
        modality=Modality.PHOTO,
        root=root,
        batch_size=batch_size,
        runtime=runtime,
    )
