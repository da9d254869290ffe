"""What has to be true before a collection answers.

A store that its writer closed in order is compared as a file with the hash in the seal; vectors
and rows are then mapped from the files beside it, which are compared with their hashes meanwhile.
After a kill there is no such hash; then every row is compared with its checksum, their sum with
the digest, and the generation with the seal, which was written before the last acknowledgement.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from retrieval.errors import BusyError, DamagedDataError, StorageError
from retrieval.files import sha256_of_file

from .contents import ContentCache
from .manifest import CACHE, SEAL, STORE, Manifest, Seal, State
from .store import Content, Store, damaged

_ATTEMPTS = 20


@dataclass(frozen=True)
class Opened:
    """One whole generation.

    Attributes:
        notices: Sentences a person should see.
    """

    content: Content
    notices: list[str] = field(default_factory=list)


def read_for_search(folder: Path, manifest: Manifest) -> Opened:
    """One whole generation, checked, while a writer may be at work beside us.

    Raises:
        DamagedDataError: A file is not what was written; it is named.
    """

    def read(seal: Seal) -> tuple[State, Opened]:
        opened = _opened(folder, manifest, seal)
        return opened.content.state, opened

    return _while_it_holds_still(folder, manifest, read)


def check_for_writing(folder: Path, manifest: Manifest) -> Seal:
    """The same check for the holder of the lock, who is alone; nothing is kept in memory."""
    seal = Seal.read(folder, manifest)
    if seal.closed:
        _check_bytes(folder, seal)
    else:
        _check_progress(folder, _checked_rows(folder, manifest, seal), seal, seal)
    return seal


def check_whole(folder: Path, manifest: Manifest, on_progress: Callable[[int], None]) -> None:
    """Compare everything in the store with what was written, however well it was closed.

    Args:
        folder: Of the collection.
        manifest: Its own.
        on_progress: Called with the number of items compared since the last call; where a writer
            goes on meanwhile they may be compared anew.

    Raises:
        DamagedDataError: A file is not what was written; it is named.
    """

    def read(seal: Seal) -> tuple[State, None]:
        if seal.closed:
            _check_bytes(folder, seal)
        return _checked_rows(folder, manifest, seal, on_progress), None

    _while_it_holds_still(folder, manifest, read)


_Read = TypeVar("_Read")


def _while_it_holds_still(
    folder: Path, manifest: Manifest, read: Callable[[Seal], tuple[State, _Read]]
) -> _Read:
    """What ``read`` makes of one generation, which it says the state of."""
    for _ in range(_ATTEMPTS):
        seal = Seal.read(folder, manifest)
        try:
            state, done = read(seal)
        except (DamagedDataError, StorageError):
            if Seal.read(folder, manifest) == seal:
                raise
            continue  # the writer has gone on meanwhile: what was read may be half old, half new
        now = Seal.read(folder, manifest)
        if seal.closed and now != seal:
            continue
        _check_progress(folder, state, seal, now)
        return done
    raise BusyError(
        f"{folder} must hold still for a moment to be read; got a new change at each of "
        f"{_ATTEMPTS} attempts. Try again."
    )


def clear_leftovers(folder: Path) -> None:
    """Remove half-written files of a killed writer; only for the holder of the lock."""
    for leftover in (*folder.glob(".*.partial"), *(folder / CACHE).glob(".*.partial")):
        leftover.unlink(missing_ok=True)


def _opened(folder: Path, manifest: Manifest, seal: Seal) -> Opened:
    notices: list[str] = []
    kept = None
    if seal.closed:
        with ThreadPoolExecutor(1) as beside:  # hashing leaves the other threads alone
            reading = beside.submit(ContentCache(folder, manifest).read, seal.state, notices.append)
            _check_bytes(folder, seal)
            kept = reading.result()
    store = _for_reading(folder, manifest, seal)
    try:
        if kept is None:
            return Opened(store.content(), notices)
        return Opened(Content(store.state(), *kept, store.rejected()), notices)
    finally:
        store.close()


def _checked_rows(
    folder: Path,
    manifest: Manifest,
    seal: Seal,
    on_progress: Callable[[int], None] = lambda count: None,
) -> State:
    """The state, after the database's pages and indexes and every row were compared."""
    store = _for_reading(folder, manifest, seal)
    try:
        store.check_structure()
        return store.check_rows(on_progress)
    finally:
        store.close()


def _for_reading(folder: Path, manifest: Manifest, seal: Seal) -> Store:
    # In a folder that cannot be written SQLite has no place for its shared memory; without a log
    # there is nothing to share.
    unwritten = _log_bytes(folder) == 0 and not os.access(folder, os.W_OK)
    return Store.open_for_reading(folder / STORE, manifest, unchanging=seal.closed or unwritten)


def _check_bytes(folder: Path, seal: Seal) -> None:
    path = folder / STORE
    if _log_bytes(folder):
        raise damaged(path, f"a write-ahead log beside it although {SEAL} says it was closed")
    if not path.is_file():
        raise damaged(path, "no such file")
    if path.stat().st_size != seal.bytes or sha256_of_file(path) != seal.sha256:
        raise damaged(path, f"other bytes than {SEAL} has the SHA-256 of")


def _check_progress(folder: Path, state: State, before: Seal, after: Seal) -> None:
    """A change is acknowledged after its seal, so the store is at its seal or one change ahead."""
    generation = state.generation
    if generation < before.state.generation:
        raise damaged(
            folder / STORE,
            f"generation {generation} although {before.state.generation} was acknowledged "
            f"(an older copy, or {STORE}-wal is missing or cut)",
        )
    if generation > after.state.generation + 1:
        raise damaged(
            folder / SEAL,
            f"generation {after.state.generation} although the store is at {generation} "
            "(an older copy)",
        )
    for seal in (before, after):
        if generation == seal.state.generation and state != seal.state:
            raise damaged(folder / STORE, f"other items than {SEAL} counted")


def _log_bytes(folder: Path) -> int:
    try:
        return (folder / f"{STORE}-wal").stat().st_size
    except FileNotFoundError:
        return 0
