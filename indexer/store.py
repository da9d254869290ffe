"""``collection.sqlite``: the truth, from which the rest is made or against which it is checked.

Each change is one transaction in write-ahead-log mode with full synchronisation: it is on the disk
as a whole or not at all when the process is killed or the power fails. Each row carries a checksum,
and the one row of ``state`` carries the generation, the count and the sum of all checksums, because
SQLite itself notices a damaged page structure but not a damaged value.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from retrieval.errors import BadInputError, BusyError, DamagedDataError, FgirError, StorageError

from .collection import Vectors
from .manifest import Manifest, State
from .rows import EMPTY_DIGEST, Row, as_stored, as_text, changed_digest, check_vectors, checksum

_SCHEMA = """
CREATE TABLE state (
    only INTEGER PRIMARY KEY CHECK (only = 0), collection TEXT NOT NULL,
    generation INTEGER NOT NULL, count INTEGER NOT NULL, digest TEXT NOT NULL,
    checksum BLOB NOT NULL
);
CREATE TABLE items (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, path TEXT NOT NULL, label TEXT NOT NULL,
    payload TEXT NOT NULL, content BLOB NOT NULL, checksum BLOB NOT NULL, vector BLOB NOT NULL
);
CREATE TABLE rejected (path TEXT NOT NULL PRIMARY KEY, reason TEXT NOT NULL, checksum BLOB NOT NULL);
"""  # noqa: E501
_PAGE_BYTES = 16_384  # a 512-float row fills half of SQLite's usual 4,096 and wastes the rest
_WAIT_SECONDS = 5.0
_MANY = 512  # rows per fetch
_COLUMNS = "id, path, label, payload, content, checksum, vector"


@dataclass(frozen=True)
class Change:
    """What one transaction does: removals first, then additions.

    Attributes:
        vectors: (N, D), checked.
        rows: N rows, no id twice.
        replace: Whether a row may take the place of one with its id.
        removed: Ids that must be there.
        rejected: (path, reason) of pictures that could not be taken. An item that is added with
            one of these paths later takes the note away.
    """

    vectors: Vectors
    rows: Sequence[Row]
    replace: bool = False
    removed: Sequence[bytes] = ()
    rejected: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Content:
    """Everything in the store at one moment, each row checked.

    Attributes:
        rows: N rows.
        vectors: (N, D), read-only.
        rejected: (path, reason) of pictures that could not be taken, by path.
    """

    state: State
    rows: Sequence[Row]
    vectors: Vectors
    rejected: list[tuple[str, str]]


class Store:
    """An open ``collection.sqlite``. Not for two threads at once."""

    def __init__(self, path: Path, manifest: Manifest, connection: sqlite3.Connection) -> None:
        self.path = path
        self._manifest = manifest
        self._connection = connection
        connection.text_factory = bytes

    @classmethod
    def create(cls, path: Path, manifest: Manifest) -> Self:
        """A new store without items, open for writing."""
        with _in_words(path):
            connection = _connected(path, "rwc")
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            store = cls(path, manifest, _for_writing(connection))
            state = State(0, 0, EMPTY_DIGEST)
            with store._transaction():
                for statement in _SCHEMA.strip().split(";\n"):
                    connection.execute(statement)
                values = (manifest.collection, 0, 0, EMPTY_DIGEST, store._state_checksum(state))
                connection.execute("INSERT INTO state VALUES (0, ?, ?, ?, ?, ?)", values)
        return store

    @classmethod
    def open_for_writing(cls, path: Path, manifest: Manifest) -> Self:
        """An existing store; whoever calls this holds the collection's lock."""
        with _in_words(path):
            return cls(path, manifest, _for_writing(_connected(path, "rw")))

    @classmethod
    def open_for_reading(cls, path: Path, manifest: Manifest, *, unchanging: bool) -> Self:
        """An existing store. ``unchanging`` promises that nobody writes: then no lock is taken and
        no file is made, and a read-only folder will do.
        """  # noqa: D205
        with _in_words(path):
            return cls(path, manifest, _connected(path, "ro&immutable=1" if unchanging else "ro"))

    def close(self) -> None:
        """Let go of the file."""
        with _in_words(self.path):
            self._connection.close()

    def empty_log(self) -> bool:
        """Move the write-ahead log into the main file; False when a reader is in the way."""
        with _in_words(self.path):
            busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def compact(self) -> None:
        """Give free pages back, in one transaction: after a kill or an error nothing has changed.

        SQLite needs room for two more copies of what is stored while it works.
        """
        with _in_words(self.path):
            self._connection.execute("VACUUM")

    def copy_to(self, path: Path) -> None:
        """Copy the store as it is at one moment to a new file; on the disk when this returns."""
        with _in_words(self.path), closing(sqlite3.connect(path)) as copy:
            copy.execute("PRAGMA synchronous = FULL")
            self._connection.backup(copy)

    def check_structure(self) -> None:
        """Raise unless pages, rows and indexes of the database fit together."""
        with _in_words(self.path):
            found = self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != b"ok":
            raise damaged(self.path, as_text(found))

    def state(self) -> State:
        """Generation, count and digest as the last transaction left them."""
        with _in_words(self.path):
            row = self._connection.execute(
                "SELECT collection, generation, count, digest, checksum FROM state"
            ).fetchone()
            if row is None:
                raise damaged(self.path, "no state")
            state = State(row[1], row[2], as_text(row[3]))
            if row[4] != self._state_checksum(state):
                raise damaged(self.path, "a state whose checksum does not fit")
        if as_text(row[0]) != self._manifest.collection:
            raise damaged(self.path, "the store of another collection")
        return state

    @contextmanager
    def moment(self) -> Iterator[State]:
        """While this context is open, what is read is of one moment, whose state this is."""
        with _in_words(self.path), self._transaction("DEFERRED"):
            yield self.state()

    def blocks(self, state: State) -> Iterator[tuple[list[Row], Vectors]]:
        """All rows of a :meth:`moment`, some hundreds at a time, each compared with its checksum.

        At the end their sum is compared with ``state``: only who has read all may use any.

        Raises:
            DamagedDataError: A row was changed, lost or added; it is named where it can be.
        """
        count, digest = 0, EMPTY_DIGEST
        found = self._connection.execute(f"SELECT {_COLUMNS} FROM items ORDER BY number")
        while block := found.fetchmany(_MANY):
            count += len(block)
            if count > state.count:
                raise damaged(self.path, f"more than the {state.count:,} items it counted")
            sums: list[bytes] = []
            rows, vectors = self._checked(block, sums)
            digest = changed_digest(digest, sums, ())
            yield rows, vectors
        sums = []
        self._rejected_rows(sums)
        if count != state.count:
            raise damaged(self.path, f"{count:,} items where it counted {state.count:,}")
        if changed_digest(digest, sums, ()) != state.digest:
            raise damaged(self.path, "rows that do not add up to its digest")

    def content(self) -> Content:
        """All rows at one moment, checked, in memory.

        Raises:
            DamagedDataError: A row was changed, lost or added; it is named where it can be.
        """
        with self.moment() as state:
            vectors = np.empty((state.count, self._manifest.dim), "<f4")
            rows: list[Row] = []
            for more, block in self.blocks(state):
                vectors[len(rows) : len(rows) + len(block)] = block
                rows += more
            rejected = self.rejected()
        vectors.flags.writeable = False
        return Content(state, rows, vectors, rejected)

    def check_rows(self, on_progress: Callable[[int], None] = lambda count: None) -> State:
        """The state, after every row was compared as :meth:`blocks` does; nothing is kept.

        Args:
            on_progress: Called with the number of rows compared since the last call.
        """
        with self.moment() as state:
            for rows, _ in self.blocks(state):
                on_progress(len(rows))
        return state

    def stored(self, id_: bytes) -> tuple[Row, Vectors] | None:
        """The row of an item and its vector (1, D), checked; None when it is not there."""
        with _in_words(self.path):
            select = f"SELECT {_COLUMNS} FROM items WHERE id = CAST(? AS TEXT)"
            found = self._connection.execute(select, (id_,)).fetchall()
            if not found:
                return None
            rows, vectors = self._checked(found, [])
            return rows[0], vectors

    def rejected(self) -> list[tuple[str, str]]:
        """(path, reason) of pictures that could not be taken, by path."""
        with _in_words(self.path):
            return self._rejected_rows([])

    def write(self, change: Change, expected: State) -> State:
        """Do the change in one transaction; it is on the disk when this returns.

        Args:
            change: What to do.
            expected: The state the caller knows; another one in the store means that somebody
                else has written, and is refused.

        Raises:
            BadInputError: An id to remove is missing, or an id to add is there. Nothing is written.
            StorageError: Disk full, read-only or failing. Nothing is written.
        """
        with _in_words(self.path), self._transaction("IMMEDIATE"):
            if self.state() != expected:
                raise StorageError(
                    f"{self.path} must be written by one process; got a change by another one. "
                    "Close the collection and open it again."
                )
            gone = self._delete(change.removed, missing_is_error=True)
            if change.replace:
                gone += self._delete([row.id for row in change.rows], missing_is_error=False)
            count = expected.count - len(gone) + len(change.rows)
            come = self._insert(change)
            gone += self._forget([row.path for row in change.rows])
            gone += self._forget([as_stored("path", path) for path, _ in change.rejected])
            come += self._note(change.rejected)
            digest = changed_digest(expected.digest, come, gone)
            state = State(expected.generation + 1, count, digest)
            self._connection.execute(
                "UPDATE state SET generation = ?, count = ?, digest = ?, checksum = ?",
                (state.generation, count, digest, self._state_checksum(state)),
            )
        return state

    def _checked(
        self, block: Sequence[tuple[bytes, ...]], sums: list[bytes]
    ) -> tuple[list[Row], Vectors]:
        """The rows of a block and their vectors (n, D); their checksums go to ``sums``."""
        rows = [Row._make(fields[:5]) for fields in block]
        blobs = [fields[6] for fields in block]
        for row, vector, fields in zip(rows, blobs, block, strict=True):
            if row.checksum(vector) != fields[5]:
                raise damaged(self.path, f"another row than was written for {as_text(row.id)!r}")
        sums += [fields[5] for fields in block]
        dim = self._manifest.dim
        if any(len(blob) != 4 * dim for blob in blobs):
            raise damaged(self.path, f"vectors of another length than {dim}")
        vectors = np.frombuffer(b"".join(blobs), "<f4").reshape(-1, dim)
        names = [as_text(row.id) for row in rows]
        try:
            return rows, check_vectors("stored vectors", vectors, dim, names)
        except BadInputError as error:
            raise damaged(self.path, str(error)) from error

    def _rejected_rows(self, sums: list[bytes]) -> list[tuple[str, str]]:
        rows = []
        for path, reason, kept in self._connection.execute("SELECT * FROM rejected ORDER BY path"):
            if checksum(b"rejected", path, reason) != kept:
                raise damaged(self.path, f"another note than was written for {as_text(path)!r}")
            sums.append(kept)
            rows.append((as_text(path), as_text(reason)))
        return rows

    def _delete(self, ids: Sequence[bytes], *, missing_is_error: bool) -> list[bytes]:
        select = "SELECT checksum FROM items WHERE id = CAST(? AS TEXT)"
        gone = []
        for id_ in ids:
            row = self._connection.execute(select, (id_,)).fetchone()
            if row is not None:
                self._connection.execute("DELETE FROM items WHERE id = CAST(? AS TEXT)", (id_,))
                gone.append(row[0])
            elif missing_is_error:
                raise BadInputError(
                    f"ids must be in the collection; got {as_text(id_)!r}, which is not. "
                    "Nothing was removed."
                )
        return gone

    def _insert(self, change: Change) -> list[bytes]:
        select = "SELECT 1 FROM items WHERE id = CAST(? AS TEXT)"
        for row in change.rows:
            if self._connection.execute(select, (row.id,)).fetchone():
                raise BadInputError(
                    f"items must be new; got {as_text(row.id)!r}, which is in the collection. "
                    "Add with replace to overwrite it; nothing was written."
                )
        vectors = [vector.tobytes() for vector in change.vectors]
        sums = [row.checksum(one) for row, one in zip(change.rows, vectors, strict=True)]
        self._connection.executemany(
            "INSERT INTO items (id, path, label, payload, content, checksum, vector) VALUES "
            "(CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?, ?, ?)",
            [(*row, *both) for row, *both in zip(change.rows, sums, vectors, strict=True)],
        )
        return sums

    def _forget(self, paths: Sequence[bytes]) -> list[bytes]:
        delete = "DELETE FROM rejected WHERE path = CAST(? AS TEXT) RETURNING checksum"
        found = [self._connection.execute(delete, (path,)).fetchall() for path in paths]
        return [row[0] for rows in found for row in rows]

    def _note(self, rejected: Sequence[tuple[str, str]]) -> list[bytes]:
        notes = {as_stored("path", path): as_stored("reason", reason) for path, reason in rejected}
        sums = [checksum(b"rejected", path, reason) for path, reason in notes.items()]
        self._connection.executemany(
            "INSERT INTO rejected VALUES (CAST(? AS TEXT), CAST(? AS TEXT), ?)",
            [(*note, one) for note, one in zip(notes.items(), sums, strict=True)],
        )
        return sums

    def _state_checksum(self, state: State) -> bytes:
        fields = (self._manifest.collection, state.generation, state.count, state.digest)
        return checksum(b"state", *(str(one).encode() for one in fields))

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        self._connection.execute(f"BEGIN {kind}")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def damaged(path: Path, got: str) -> DamagedDataError:
    """The error that names a file which is not what was written."""
    return DamagedDataError(
        f"{path} must be as it was written; got {got}. "
        "Put a copy of the whole collection folder back, or build it again."
    )


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=_WAIT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _for_writing(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into this program's sentences."""
    try:
        yield
    except FgirError:
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF in _BUSY:
            raise BusyError(
                f"{path} must be free for a moment; got another process that holds it. Try again."
            ) from error
        if code & 0xFF in _DAMAGED or code == sqlite3.SQLITE_IOERR_SHORT_READ:
            raise damaged(path, str(error)) from error
        raise StorageError(
            f"{path} must be readable and have room to grow; got: {error}. Check free space and "
            "permissions, then run the command again; what was stored before is still there."
        ) from error
    except (UnicodeError, OverflowError, TypeError) as error:
        raise damaged(path, f"values of the wrong kind ({error})") from error
