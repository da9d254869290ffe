"""A collection in a folder: nothing acknowledged is lost, nothing damaged is answered from.

::

    COLLECTION/
      collection.json      what it is; written once, knows its own hash
      collection.sqlite    the truth: items, payloads, vectors, checksums
      SEAL                 how far it has come; written before each acknowledgement
      LOCK                 held by the one writer
      engine.json          optional: with which engine and options it is searched
      cache/               vectors and rows to be mapped, and what an engine prepared; made again
                           from the truth when they do not fit
      encoder/             optional copy of the encoder's checkpoint
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import numpy as np

from retrieval import plugins
from retrieval.errors import BadInputError, DamagedDataError, StorageError
from retrieval.files import sha256_of_file

from . import backends
from .caches import EngineCache, damaged_engines, remove_unfit_caches
from .choice import EngineChoice
from .choosing import check_options, choose, due
from .collection import Item, SearchHit, Vectors
from .contents import ContentCache
from .creating import check_there, make_collection
from .engines import Engine, KeptEngine, TunableEngine
from .filters import Condition, check
from .grown import GrowingEngine
from .locks import WriteLock
from .manifest import ENCODER, LOCK, STORE, Manifest, Seal, State
from .mapped import rows_at
from .opening import check_for_writing, check_whole, clear_leftovers, read_for_search
from .rows import Row, as_stored, as_text, check_fingerprint, check_vectors, rows_of
from .snapshot import Snapshot
from .store import Change, Content, Store
from .view import View


class DiskCollection:
    """A :class:`indexer.collection.Collection` in a folder. Make one with ``create`` or ``open``.

    Any number of processes may search; one may write. A reader sees the generation it opened until
    it calls :meth:`refresh`. Threads may share one object.

    Attributes:
        folder: Where it is.
        notices: Sentences a person should see, such as that a cache was made again.
    """

    def __init__(self, folder: Path, manifest: Manifest, engine: str | None = None) -> None:
        self.folder = folder
        self.notices: list[str] = []
        self._manifest = manifest
        self._contents = ContentCache(folder, manifest)
        self._growing: GrowingEngine | None = None
        self._use(EngineChoice.read(folder, manifest, self.notices.append), engine)
        self._mutex = threading.RLock()
        self._view: View | None = None
        self._lock: WriteLock | None = None
        self._state: State
        self._store: Store | None = None
        self._failed = ""
        self._closed = False

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        dim: int,
        fingerprint: str,
        engine: str = "exact",
        choice: EngineChoice | None = None,
        encoder: Path | None = None,
    ) -> Self:
        """A new collection, open for writing.

        Args:
            folder: Must not exist, or be empty.
            dim: Length of a vector.
            fingerprint: Of the encoder whose vectors it will hold.
            engine: File in ``indexer/backends``.
            choice: In place of ``engine``: one with options, or chosen as the collection grows.
            encoder: The encoder's checkpoint folder, copied so that the collection can be searched
                without looking for it.

        Raises:
            BadInputError: The folder is in use or has an unfit name, or an option is not usable.
            StorageError: The disk is full or read-only. Nothing is left behind.
        """
        folder = folder.absolute()
        make_collection(
            folder,
            dim=dim,
            fingerprint=fingerprint,
            choice=choice or EngineChoice(engine),
            encoder=encoder,
        )
        return cls.open(folder, write=True)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        write: bool = False,
        engine: str | None = None,
        fingerprint: str | None = None,
    ) -> Self:
        """An existing collection, checked before it answers.

        Args:
            folder: Where it is.
            write: Open as the one writer; otherwise for search, which needs no write permission.
            engine: Search with another engine than the collection's own.
            fingerprint: Refuse unless the collection was made with this encoder.

        Raises:
            BadInputError: There is no collection, or a newer version of this program made it.
            DamagedDataError: A file is not what was written; it is named.
            EncoderMismatchError: Another encoder made it.
            BusyError: Another process writes to it. Raised at once.
        """
        folder = folder.absolute()
        check_there(folder)
        manifest = Manifest.read(folder)
        if fingerprint is not None:
            check_fingerprint(f"whoever opens {folder.name}", fingerprint, manifest.fingerprint)
        opened = cls(folder, manifest, engine)
        try:
            if write:
                opened._open_for_writing()
            else:
                opened._read()
        except BaseException:
            opened._failed = "it was never open"
            opened.close()
            raise
        return opened

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._manifest.dim

    @property
    def fingerprint(self) -> str:
        """Of the encoder that made every vector."""
        return self._manifest.fingerprint

    @property
    def generation(self) -> int:
        """Counts the changes since the collection was made."""
        return self._state.generation

    def __len__(self) -> int:
        """Count the items."""
        return self._state.count

    def add(
        self, vectors: Vectors, items: Sequence[Item], *, fingerprint: str, replace: bool = False
    ) -> None:
        """See :meth:`indexer.collection.Collection.add`."""
        rows = rows_of(items)
        check_fingerprint("vectors", fingerprint, self.fingerprint)
        vectors = check_vectors("vectors", vectors, self.dim, [item.id for item in items])
        if len(vectors) != len(rows):
            raise BadInputError(
                f"vectors must have one row for each of {len(rows)} items; got {len(vectors)}."
            )
        if rows:
            self.write(Change(vectors, rows, replace=replace))

    def remove(self, ids: Sequence[str]) -> None:
        """See :meth:`indexer.collection.Collection.remove`."""
        removed = [as_stored("an item's id", one) for one in dict.fromkeys(ids)]
        if removed:
            none = np.empty((0, self.dim), np.float32)
            self.write(Change(none, (), removed=removed))

    def write(self, change: Change) -> None:
        """Make one change durable, then visible; ``add`` and ``remove`` end here.

        Raises:
            BadInputError: Opened for search only, or an id does not fit. Nothing is written.
            StorageError: Nothing is acknowledged; open the collection again to go on.
        """
        with self._mutex:
            store = self._writable_store()
            try:
                if self._seal.closed:  # the store is about to differ from the sealed bytes
                    self._write_seal(Seal(self._manifest.collection, self._state))
                state = store.write(change, self._state)
                self._write_seal(Seal(self._manifest.collection, state))
            except BadInputError:
                raise
            except BaseException as error:
                # Whether the change reached the disk is not known here; opening again finds out.
                self._failed = f"{type(error).__name__}: {error}"
                raise
            self._state = state
            if self._view is not None:
                self._view = self._viewed(self._view.snapshot.changed(change, state))

    def compact(self) -> None:
        """Give back room that removed and replaced items have left, and caches that fit no more.

        The items, their order and the generation stay. A kill or a full disk leaves the store as it
        was. The engine's own cache is written when the collection is closed.

        Raises:
            BadInputError: Opened for search only.
            StorageError: There is no room to work in; open the collection again to go on.
        """
        with self._mutex:
            store = self._writable_store()
            try:
                if self._seal.closed:  # the store is about to differ from the sealed bytes
                    self._write_seal(Seal(self._manifest.collection, self._state))
                store.compact()
                remove_unfit_caches(self.folder, self._manifest)
            except BaseException as error:
                self._failed = f"{type(error).__name__}: {error}"
                raise

    def search(
        self, queries: Vectors, k: int, *, fingerprint: str, where: Condition | None = None
    ) -> list[list[SearchHit]]:
        """See :meth:`indexer.collection.Collection.search`."""
        if type(k) is not int or k < 1:
            raise BadInputError(f"k must be an integer of at least 1; got {k!r}.")
        check_fingerprint("queries", fingerprint, self.fingerprint)
        queries = check_vectors("queries", queries, self.dim)
        if where is not None:
            check(where)
        return self._current().search(queries, k, where)

    def get(self, id: str) -> Item:
        """See :meth:`indexer.collection.Collection.get`."""
        view = self._current()
        return view.snapshot.rows[view.position(id)].item()

    def vector(self, id: str) -> Vectors:
        """The vector of an item, (D,)."""
        view = self._current()
        return cast(Vectors, view.snapshot.vectors[view.position(id)])

    @property
    def place(self) -> str:
        """What a person calls it."""
        return str(self.folder)

    def path_of(self, folder: Path) -> str:
        """A folder of pictures as the paths of its items begin: from here."""
        return os.path.relpath(os.path.realpath(folder), os.path.realpath(self.folder))

    def stored(self, id: str) -> tuple[Row, Vectors] | None:
        """An item as it is stored and its vector (1, dim); None when it is not there.

        Asks the store, so that building needs nothing in memory; only while open for writing.
        """
        with self._mutex:
            return self._writable_store().stored(as_stored("an item's id", id))

    def __contains__(self, id: object) -> bool:
        """Whether an item of this id is there."""
        if not isinstance(id, str):
            return False
        return as_stored("an item's id", id) in self._current().snapshot.positions

    def ids(self) -> list[str]:
        """All ids, in the order of :attr:`vectors`."""
        return [as_text(one) for one in self._current().snapshot.ids]

    def items_where(self, condition: Condition) -> list[str]:
        """Ids of the items that the condition holds for, in the order of :attr:`vectors`."""
        check(condition)
        view = self._current()
        matching = view.matching(condition)
        return [as_text(view.snapshot.ids[row]) for row in np.flatnonzero(matching).tolist()]

    def each_item(self, where: Condition | None = None) -> Iterator[Item]:
        """One item after the other, in the order of :attr:`vectors`; those that match."""
        if where is not None:
            check(where)
        view = self._current()
        rows = view.snapshot.rows
        if where is None:
            return (row.item() for row in rows)
        return (rows[place].item() for place in np.flatnonzero(view.matching(where)).tolist())

    def some_items(self, count: int, where: Condition | None = None) -> list[Item]:
        """At most ``count`` items from all over those that match, the same ones at each asking.

        Only they are read. Their order is that of :attr:`vectors`.
        """
        if where is not None:
            check(where)
        view = self._current()
        rows = view.snapshot.rows
        matching = None if where is None else np.flatnonzero(view.matching(where))
        total = len(rows) if matching is None else len(matching)
        spread = np.unique(np.linspace(0, total - 1, min(count, total)).astype(np.int64))
        places = spread if matching is None else matching[spread]
        return [row.item() for row in rows_at(rows, places)]

    @property
    def items(self) -> list[Item]:
        """All items, in the order of :attr:`vectors`."""
        return [row.item() for row in self._current().snapshot.rows]

    @property
    def vectors(self) -> Vectors:
        """All vectors (N, dim), read-only."""
        return self._current().snapshot.vectors

    def blocks(self, size: int = 1024) -> Iterator[tuple[Sequence[Row], Vectors]]:
        """All items as they are stored and their vectors, at most ``size`` at a time.

        The order is that of :attr:`vectors`, and all blocks are of one generation.

        Shape:
            -> N' rows and (N', D), N' <= ``size``.
        """
        snapshot = self._current().snapshot
        for start in range(0, snapshot.state.count, size):
            part = slice(start, start + size)
            yield snapshot.rows[part], snapshot.vectors[part]

    def rejected(self) -> dict[str, str]:
        """Pictures that could not be taken, by path, and the reason."""
        with self._mutex:
            self._check_not_closed()
            return dict(self._rejected if self._store is None else self._store.rejected())

    def same_pictures(self) -> list[list[str]]:
        """Groups of ids whose pictures are the same file byte for byte, where that is known."""
        groups: dict[bytes, list[str]] = {}
        for row in self._current().snapshot.rows:
            if row.content:
                groups.setdefault(row.content, []).append(as_text(row.id))
        return sorted(sorted(group) for group in groups.values() if len(group) > 1)

    def encoder_folder(self) -> Path | None:
        """The copy of the encoder's checkpoint, each file compared with its hash; None without."""
        if not self._manifest.encoder:
            return None
        for name, want in self._manifest.encoder.items():
            path = self.folder / ENCODER / name
            strange = path.resolve().parent != (self.folder / ENCODER).resolve() / Path(name).parent
            if strange or not path.is_file() or sha256_of_file(path) != want:
                raise DamagedDataError(
                    f"{path} must be as it was copied; got another file, or none. "
                    "Copy the encoder's checkpoint there again."
                )
        return self.folder / ENCODER

    def info(self) -> dict[str, str | int]:
        """Facts for a person."""
        return {
            "folder": str(self.folder),
            "items": len(self),
            "rejected": len(self.rejected()),
            "dim": self.dim,
            "engine": self.engine,
            **self.choice.facts(len(self)),
            "encoder": self.fingerprint,
            "generation": self.generation,
            "bytes": _bytes_in(self.folder),
            "created": self._manifest.created,
            "created_by": self._manifest.created_by,
        }

    def refresh(self) -> bool:
        """See what a writer has done since; True when there was something new."""
        with self._mutex:
            if self._store is not None:
                return False
            self._check_not_closed()
            if Seal.read(self.folder, self._manifest).state == self._state:
                return False
            self._read()
            return True

    def frozen(self) -> Self:
        """What is there now, for search alone: no later change or refresh reaches it.

        It costs nothing, needs no closing and stays when this object is closed.
        """
        with self._mutex:
            self._check_not_closed()
            kept = type(self)(self.folder, self._manifest, self.engine)
            kept._view, kept._state = self._current_view(), self._state
            kept._rejected = list(self.rejected().items())
            return kept

    def verify(self, on_progress: Callable[[int], None] = lambda count: None) -> list[str]:
        """Read every stored byte again and compare; what is wrong but costs no answer is returned.

        Args:
            on_progress: Called with the number of items compared since the last call.

        Raises:
            DamagedDataError: A file is not what was written; it is named.
        """
        with self._mutex:
            self._check_not_closed()
            if Manifest.read(self.folder) != self._manifest:
                raise DamagedDataError(
                    f"{self.folder} must be the collection that was opened; got another one. "
                    "Open it again."
                )
            check_whole(self.folder, self._manifest, on_progress)
            self.encoder_folder()
            return self._contents.damaged() + damaged_engines(self.folder)

    def choose(self, choice: EngineChoice) -> None:
        """Search with this engine and these options from now on, whoever opens the collection.

        Raises:
            BadInputError: Opened for search only, or there is no such engine or option.
            StorageError: The disk is full or read-only.
        """
        with self._mutex:
            self._writable_store()
            check_options(choice.engine, choice.options, self.dim)
            self._change(choice)

    def prepared_engine(self) -> Engine | None:
        """What answers searches now, prepared; None while there is no item."""
        return self._current().engine() if len(self) else None

    def close(self) -> None:
        """Let go. A writer also brings the caches up to date and seals the store."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            try:
                if self._store is not None:
                    self._finish(self._store)
            finally:
                self._view = None  # and with it the mapped files, when no search is at work
                if self._lock is not None:
                    self._lock.release()

    def __enter__(self) -> Self:
        """The collection itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _read(self) -> None:
        opened = read_for_search(self.folder, self._manifest)
        content = opened.content
        self.notices += opened.notices
        self._state = content.state
        self._rejected = content.rejected
        self._view = self._viewed(Snapshot(content))

    def _open_for_writing(self) -> None:
        self._lock = WriteLock(self.folder / LOCK)
        clear_leftovers(self.folder)
        self._seal = check_for_writing(self.folder, self._manifest)
        self._store = Store.open_for_writing(self.folder / STORE, self._manifest)
        self._state = self._opened_state = self._store.state()
        if self._seal.state != self._state:  # killed between a commit and its seal
            self._write_seal(Seal(self._manifest.collection, self._state))

    def _finish(self, store: Store) -> None:
        if self._failed:
            store.close()
            return
        try:
            self._keep_contents(store)
            self._keep_engine()
            if self._seal.closed:
                store.close()
                return
            emptied = store.empty_log()
            store.close()
            if emptied:
                path = self.folder / STORE
                size, sha256 = path.stat().st_size, sha256_of_file(path)
                self._write_seal(Seal(self._manifest.collection, self._state, size, sha256))
        except OSError as error:
            # Nothing is lost by it: the next opening checks each row instead of one hash.
            self.notices.append(f"{self.folder} was left without its closing seal: {error}")

    def _use(self, choice: EngineChoice, engine: str | None = None) -> None:
        """Take the engine that was chosen, or another one without options."""
        other = engine is not None and engine != choice.engine
        self.choice = EngineChoice(cast(str, engine)) if other else choice
        self.engine = self.choice.engine
        self._part = cast(type[Engine], plugins.find(backends, self.engine))
        self._cache = EngineCache(self.folder, self._manifest, self.engine)
        before, self._growing = self._growing, None
        if issubclass(self._part, TunableEngine):
            self._growing = GrowingEngine(
                self.folder,
                self._manifest,
                self.engine,
                self.choice.options,
                self.notices.append,
                before=before,
            )

    def _change(self, choice: EngineChoice) -> None:
        choice.write(self.folder, self._manifest)
        if choice.engine != self.engine:
            self._cache.forget()
        self._use(choice)
        if self._view is not None:
            self._view = self._viewed(self._view.snapshot)

    def _keep_contents(self, store: Store) -> None:
        if self._state.count and not self._contents.is_current(self._state):
            with store.moment() as state:
                self._contents.write(state, store.blocks(state))

    def _keep_engine(self) -> None:
        if due(self.choice, self._state.count):
            self._change(choose(self.choice, self._state.count, self.dim))
            self.notices.append(f"the engine is {self.choice.why}")
        if not self._state.count:
            return
        if self._growing is not None:
            self._growing.keep(self._state, lambda: self._current_view().engine())
        elif issubclass(self._part, KeptEngine) and not (
            self._cache.is_current(self._state) and self._cache.is_whole()
        ):
            self._cache.write(cast(KeptEngine, self._current_view().engine()), self._state)

    def _write_seal(self, seal: Seal) -> None:
        seal.write(self.folder)
        self._seal = seal

    def _writable_store(self) -> Store:
        self._check_not_closed()
        if self._store is None or self._lock is None:
            raise BadInputError(
                f"{self.folder} must be open for writing to be changed; got it open for search. "
                "Open it with write=True."
            )
        self._check_not_failed()
        self._lock.check()
        return self._store

    def _check_not_closed(self) -> None:
        if self._closed:
            raise BadInputError(f"{self.folder} must be open; got it closed. Open it again.")

    def _check_not_failed(self) -> None:
        if self._failed:
            raise StorageError(
                f"{self.folder} must be opened again after a failed change; got: {self._failed}"
            )

    def _current(self) -> View:
        view = self._view  # before the check: closing lets go of it after it has said so
        self._check_not_closed()
        return view or self._current_view()

    def _current_view(self) -> View:
        with self._mutex:
            if self._view is None and self._store is not None:
                self._check_not_failed()
                self._view = self._viewed(Snapshot(self._content(self._store)))
            return cast(View, self._view)

    def _content(self, store: Store) -> Content:
        kept = None
        if self._seal.closed or self._contents.is_current(self._state):
            kept = self._contents.read(self._state, self.notices.append)
        return store.content() if kept is None else Content(self._state, *kept, store.rejected())

    def _viewed(self, snapshot: Snapshot) -> View:
        return View(snapshot, self._prepared)

    def _prepared(self, snapshot: Snapshot) -> Engine:
        if self._growing is not None:
            return self._growing.prepared(snapshot)
        if self._store is not None and snapshot.state != self._opened_state:
            return self._part(snapshot.vectors)  # made just now: no cache can be of this state
        return self._cache.read(self._part, snapshot.vectors, snapshot.state, self.notices.append)


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a writer beside us replaces files
            total += path.stat().st_size if path.is_file() else 0
    return total
