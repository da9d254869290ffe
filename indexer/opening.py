"""What has to be true before a collection answers.

A store that its writer closed in order is compared as a file with the hash in the seal. After a
kill there is no such hash; then every row is compared with its checksum, their sum with the digest,
and the generation with the seal, which was written before the last acknowledgement.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import BusyError, DamagedDataError, StorageError
from retrieval.files import sha256_of_file

from .manifest import CACHE, SEAL, STORE, Manifest, Seal
from .store import Content, Store, damaged

_ATTEMPTS = 20


@dataclass(frozen=True)
class Opened:
    """What was found.

    Attributes:
        seal: As it is on the disk.
        content: All rows; None where the hash of a closed store was enough.
    """

    seal: Seal
    content: Content | None


def read_for_search(folder: Path, manifest: Manifest, *, structure: bool = False) -> Content:
    """One whole generation, checked, while a writer may be at work beside us.

    ``structure`` also checks the database's pages and indexes, which only a writer depends on.

    Raises:
        DamagedDataError: A file is not what was written; it is named.
    """
    for _ in range(_ATTEMPTS):
        seal = Seal.read(folder, manifest)
        try:
            content = _content(folder, manifest, seal, structure=structure)
        except (DamagedDataError, StorageError):
            if Seal.read(folder, manifest) == seal:
                raise
            continue  # the writer has gone on meanwhile: what was read may be half old, half new
        now = Seal.read(folder, manifest)
        if seal.closed and now != seal:
            continue
        _check_progress(folder, content, seal, now)
        return content
    raise BusyError(
        f"{folder} must hold still for a moment to be read; got a new change at each of "
        f"{_ATTEMPTS} attempts. Try again."
    )


def check_for_writing(folder: Path, manifest: Manifest) -> Opened:
    """The same check for the holder of the lock, who is alone; a closed store is only hashed."""
    seal = Seal.read(folder, manifest)
    if seal.closed:
        _check_bytes(folder, seal)
        return Opened(seal, None)
    content = _content(folder, manifest, seal, structure=True)
    _check_progress(folder, content, seal, seal)
    return Opened(seal, content)


def check_whole(folder: Path, manifest: Manifest) -> None:
    """Compare everything in the store with what was written, however well it was closed.

    Raises:
        DamagedDataError: A file is not what was written; it is named.
    """
    read_for_search(folder, manifest, structure=True)


def clear_leftovers(folder: Path) -> None:
    """Remove half-written files of a killed writer; only for the holder of the lock."""
    for leftover in (*folder.glob(".*.partial"), *(folder / CACHE).glob(".*.partial")):
        leftover.unlink(missing_ok=True)


def _content(folder: Path, manifest: Manifest, seal: Seal, *, structure: bool) -> Content:
    if seal.closed:
        _check_bytes(folder, seal)
    # In a folder that cannot be written SQLite has no place for its shared memory; without a log
    # there is nothing to share.
    unwritten = _log_bytes(folder) == 0 and not os.access(folder, os.W_OK)
    store = Store.open_for_reading(folder / STORE, manifest, unchanging=seal.closed or unwritten)
    try:
        if structure:
            store.check_structure()
        return store.content()
    finally:
        store.close()


def _check_bytes(folder: Path, seal: Seal) -> None:
    path = folder / STORE
    if _log_bytes(folder):
        raise damaged(path, f"a write-ahead log beside it although {SEAL} says it was closed")
    if not path.is_file():
        raise damaged(path, "no such file")
    if path.stat().st_size != seal.bytes or sha256_of_file(path) != seal.sha256:
        raise damaged(path, f"other bytes than {SEAL} has the SHA-256 of")


def _check_progress(folder: Path, content: Content, before: Seal, after: Seal) -> None:
    """A change is acknowledged after its seal, so the store is at its seal or one change ahead."""
    generation = content.state.generation
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
        if generation == seal.state.generation and content.state != seal.state:
            raise damaged(folder / STORE, f"other items than {SEAL} counted")


def _log_bytes(folder: Path) -> int:
    try:
        return (folder / f"{STORE}-wal").stat().st_size
    except FileNotFoundError:
        return 0
