"""Each safeguard is switched off once; the test that relies on it must notice.

A test of a safeguard that stays green without it is worth nothing.
"""

import fcntl
import shutil
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer import caches, contents, disk, opening, records, rows, store
from indexer.backends.faiss_flat import FaissFlat
from indexer.contents import BOUNDS, VECTORS
from indexer.disk import DiskCollection
from indexer.manifest import CONTENTS, SEAL, STORE, Manifest, State
from indexer.records import read_record, write_record
from indexer.snapshot import Snapshot
from indexer.store import Change
from retrieval.errors import BadInputError, BusyError, DamagedDataError, EncoderMismatchError
from retrieval.files import sha256_of_file
from tests.indexer.crash.crasher import Crashes
from tests.indexer.crash.forks import Forks
from tests.indexer.crash.workload import NotKeptError
from tests.indexer.damages import (
    CACHES,
    CONTENT_FILES,
    MANIFEST,
    Copies,
    append,
    in_the_store,
    refused,
    right,
)
from tests.indexer.gallery import DIM, FINGERPRINT, items_of, vector_of, vectors_of

NOTICED = (AssertionError, pytest.fail.Exception)


class Probe:
    """What the tests of this room ask, in short; each method fails when it is not so."""

    def __init__(self, copies: Copies, root: Path) -> None:
        self.copies = copies
        self.root = root

    def copy(self, source: Path) -> Path:
        return Path(shutil.copytree(source, self.root / "birds"))

    def file_hash(self) -> None:
        folder = self.copy(self.copies.closed)
        append(folder / STORE)
        refused(folder, STORE)

    def row_checksum(self) -> None:
        folder = self.copy(self.copies.killed)
        in_the_store(folder, "UPDATE items SET label = 'x' WHERE number = 9")
        refused(folder, STORE)

    def digest(self) -> None:
        folder = self.copy(self.copies.killed)
        row = rows.Row(b"bird 9", b"p", b"", b"{}", b"")
        vector = vector_of("x").tobytes()
        in_the_store(
            folder,
            "UPDATE items SET path = 'p', label = '', payload = '{}', content = x'', "
            "checksum = ?, vector = ? WHERE id = 'bird 9'",
            row.checksum(vector),
            vector,
        )
        refused(folder, STORE)

    def generation(self) -> None:
        folder = self.copy(self.copies.killed)
        for file in (STORE, f"{STORE}-wal"):
            shutil.copy(self.copies.older_killed / file, folder / file)
        refused(folder, STORE)

    def record_hash(self) -> None:
        folder = self.copy(self.copies.closed)
        text = (folder / MANIFEST).read_text()
        (folder / MANIFEST).write_text(text.replace('"faiss_flat"', '"exact"'))
        refused(folder, MANIFEST)

    def belonging(self) -> None:
        folder = self.copy(self.copies.closed)
        for file in (SEAL, STORE):
            shutil.copy(self.copies.other / file, folder / file)
        with pytest.raises(DamagedDataError):
            DiskCollection.open(folder)

    def cache_source(self) -> None:
        self.strange_files(CACHES)

    def contents_source(self) -> None:
        self.strange_files(CONTENT_FILES)

    def strange_files(self, files: Sequence[str]) -> None:
        """Files of another collection with as many items."""
        for name in "ab":
            folder = self.root / name
            with DiskCollection.create(
                folder, dim=DIM, fingerprint=FINGERPRINT, engine="faiss_flat"
            ) as collection:
                names = [f"{name} {number}" for number in range(30)]
                collection.add(vectors_of(names), items_of(names), fingerprint=FINGERPRINT)
        for file in files:
            shutil.copy(self.root / "a" / file, self.root / "b" / file)
        with DiskCollection.open(self.root / "b") as collection:
            (hits,) = collection.search(vectors_of(["b 3"]), 1, fingerprint=FINGERPRINT)
            assert hits[0].item.id == "b 3"

    def cache_hash(self) -> None:
        folder = self.copy(self.copies.closed)
        data = bytearray((folder / CACHES[0]).read_bytes())
        vectors = np.frombuffer(data[-37 * DIM * 4 :], np.float32).copy()
        data[-len(vectors) * 4 :] = vectors[::-1].tobytes()
        (folder / CACHES[0]).write_bytes(data)
        right(folder, self.copies)

    def lock(self) -> None:
        folder = self.copy(self.copies.closed)
        with DiskCollection.open(folder, write=True), pytest.raises(BusyError):
            DiskCollection.open(folder, write=True)

    def fingerprint(self) -> None:
        with (
            DiskCollection.open(self.copies.closed) as collection,
            pytest.raises(EncoderMismatchError),
        ):
            collection.search(vectors_of(["a"]), 1, fingerprint="another")

    def gate(self) -> None:
        collection = DiskCollection.create(self.root / "c", dim=DIM, fingerprint=FINGERPRINT)
        with collection, pytest.raises(BadInputError):
            collection.add(
                np.full((1, DIM), np.nan, np.float32), items_of(["a"]), fingerprint=FINGERPRINT
            )

    def ties(self) -> None:
        with DiskCollection.create(
            self.root / "c", dim=DIM, fingerprint=FINGERPRINT, engine="faiss_flat"
        ) as collection:
            names = [f"{number:03}" for number in range(300)][::-1]
            same = np.repeat(vector_of("same")[None], 300, axis=0)
            collection.add(same, items_of(names), fingerprint=FINGERPRINT)
            (hits,) = collection.search(vector_of("same")[None], 3, fingerprint=FINGERPRINT)
            assert [hit.item.id for hit in hits] == ["000", "001", "002"]

    def seal_before_acknowledging(self) -> None:
        """A log that is lost after a change was acknowledged must be missed."""
        with DiskCollection.create(self.root / "c", dim=DIM, fingerprint=FINGERPRINT) as collection:
            collection.add(vectors_of(["a"]), items_of(["a"]), fingerprint=FINGERPRINT)
            folder = self.copy(collection.folder)
        (folder / f"{STORE}-wal").unlink()
        refused(folder, STORE)

    def snapshot(self) -> None:
        with DiskCollection.open(self.copy(self.copies.closed), write=True) as collection:
            snapshot = collection._current().snapshot
            before = list(snapshot.ids)
            collection.remove(collection.ids()[:5])
            assert list(snapshot.ids) == before

    def contents_hash(self) -> None:
        folder = self.copy(self.copies.closed)
        file = folder / "cache" / VECTORS
        file.write_bytes(np.fromfile(file, np.float32).reshape(-1, DIM)[::-1].tobytes())
        right(folder, self.copies)

    def contents_shape(self) -> None:
        folder = self.copy(self.copies.closed)
        file = folder / "cache" / BOUNDS
        file.write_bytes(file.read_bytes()[:-8] + b"\xff" * 8)
        record = folder / "cache" / CONTENTS
        fields = read_record(record)
        fields["sha256"][BOUNDS] = sha256_of_file(file)
        write_record(record, fields)
        assert right(folder, self.copies)


def skip(*arguments: object, **options: object) -> None:
    """A check that checks nothing."""


class Same:
    """Equal to anything, like a hash that is never compared."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def hexdigest(self) -> "Same":
        return self


def as_the_seal_says(folder: Path) -> Manifest:
    """The manifest of whichever collection the seal belongs to."""
    manifest = Manifest(**read_record(folder / MANIFEST))
    return replace(manifest, collection=read_record(folder / SEAL)["collection"])


def in_place(snapshot: Snapshot, change: Change, state: State) -> Snapshot:
    """The next snapshot written over this one."""
    after = changed(snapshot, change, state)
    snapshot.__dict__.clear()
    snapshot.__dict__.update(after.__dict__)
    return snapshot


changed = Snapshot.changed

EVERY_SHAPE = (contents, "rows_fit", lambda *files: True)
ANY_VECTORS = (np, "array_equal", lambda *arrays: True)

SABOTAGES: dict[str, list[tuple[object, str, object]]] = {
    "file_hash": [(opening, "_check_bytes", skip)],
    "row_checksum": [(rows.Row, "checksum", lambda *row: Same())],
    "digest": [(store, "changed_digest", lambda *sums: Same())],
    "generation": [(opening, "_check_progress", skip)],
    "record_hash": [(records, name, lambda *fields: Same()) for name in ("_hash", "_bytes")],
    "belonging": [(Manifest, "read", as_the_seal_says)],
    "cache_source": [(caches.EngineCache, "_source", lambda *state: {}), ANY_VECTORS],
    "cache_hash": [(caches, "sha256", lambda *data: Same()), ANY_VECTORS],
    "contents_hash": [(contents, "file_digest", lambda *file: Same())],
    "contents_source": [(contents, "made_from", lambda *state: {})],
    "contents_shape": [EVERY_SHAPE],
    "lock": [(fcntl, "flock", skip)],
    "fingerprint": [(disk, "check_fingerprint", skip)],
    "gate": [(rows, "check_unit_rows", skip)],
    "ties": [(FaissFlat, "exact", False)],
    "seal_before_acknowledging": [(DiskCollection, "_write_seal", skip)],
    "snapshot": [(Snapshot, "changed", in_place)],
}


@pytest.mark.parametrize("safeguard", SABOTAGES)
def test_with_the_safeguard_all_is_well(copies: Copies, tmp_path: Path, safeguard: str):
    getattr(Probe(copies, tmp_path), safeguard)()


@pytest.mark.parametrize("safeguard", SABOTAGES)
def test_without_the_safeguard_it_is_noticed(
    copies: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, safeguard: str
):
    for part, name, replacement in SABOTAGES[safeguard]:
        monkeypatch.setattr(part, name, replacement)
    with pytest.raises(NOTICED):
        getattr(Probe(copies, tmp_path), safeguard)()


def test_without_transactions_the_kills_are_noticed(forks: Forks, tmp_path: Path):
    crashes = Crashes(forks, tmp_path, "exact", seed=1, without_transactions=True)
    with pytest.raises(NotKeptError):
        deque(map(crashes.kill_at, range(600, 2_000, 35)), maxlen=0)
