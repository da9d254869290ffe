"""Vectors and rows that are mapped instead of read: the same answers, or a notice and the same."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count, pairwise
from mmap import mmap
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from indexer.collection import Vectors
from indexer.contents import BOUNDS, TEXT, VECTORS, ContentCache
from indexer.disk import DiskCollection
from indexer.manifest import CONTENTS, STORE, Manifest, Seal
from indexer.mapped import MappedRows, column, laid_out
from indexer.records import read_record, write_record
from indexer.rows import Row, rows_of
from indexer.snapshot import Snapshot
from indexer.store import Change, Store
from retrieval.errors import StorageError
from retrieval.files import sha256_of_file
from tests.indexer.conftest import Make
from tests.indexer.damages import CONTENT_FILES, NAMES, QUERIES, Copies, cut, flip, right
from tests.indexer.gallery import DIM, FINGERPRINT, items_of, vectors_of

fields = st.binary(max_size=12)
many_rows = st.lists(st.builds(Row, st.binary(min_size=1, max_size=9), *[fields] * 4), min_size=1)


def mapped(rows: list[Row], block: int) -> MappedRows:
    """The rows as a cache lays them out, some at a time."""
    text, bounds = b"", bytes(8)
    for start in range(0, len(rows), block):
        more, ends = laid_out(rows[start : start + block], len(text))
        text, bounds = text + more, bounds + ends.tobytes()
    return MappedRows(in_memory(bounds), in_memory(text))


def in_memory(data: bytes) -> mmap:
    area = mmap(-1, len(data))
    area[:] = data
    return area


def eager(folder: Path) -> Snapshot:
    """Every row read from the store into memory."""
    store = Store.open_for_reading(folder / STORE, Manifest.read(folder), unchanging=True)
    try:
        return Snapshot(store.content())
    finally:
        store.close()


def is_mapped(collection: DiskCollection) -> bool:
    return isinstance(collection._current().snapshot.rows, MappedRows)


@given(rows=many_rows, block=st.integers(1, 7), data=st.data())
def test_mapped_rows_are_the_rows(rows: list[Row], block: int, data: st.DataObject):
    lazy = mapped(rows, block)
    assert list(lazy) == rows
    assert len(lazy) == len(rows)
    place = data.draw(st.integers(-len(rows), len(rows) - 1))
    part = data.draw(st.slices(len(rows)))
    assert lazy[place] == rows[place]
    assert lazy[part] == rows[part]
    with pytest.raises(IndexError):
        lazy[len(rows)]
    for field in Row._fields:
        want = [getattr(row, field) for row in rows]
        got = column(lazy, field)
        assert list(got) == want == list(column(rows, field))
        assert got[place] == want[place]
        assert got[part] == want[part]


def test_more_rows_than_are_read_at_once():
    rows = [Row(b"%d" % number, b"p" * (number % 3), b"", b"{}", b"") for number in range(10_000)]
    lazy = mapped(rows, 512)
    assert list(lazy) == rows
    assert list(lazy.column("id")) == [row.id for row in rows]


@settings(max_examples=15, deadline=None)
@given(
    names=st.lists(st.text("abé🦜 ", min_size=1, max_size=5), unique=True, min_size=1, max_size=30),
    removed=st.sets(st.integers(0, 29)),
    k=st.integers(1, 40),
)
def test_a_mapped_collection_answers_as_one_read_row_by_row(
    quick_root: Path, names: list[str], removed: set[int], k: int
):
    folder = Path(tempfile.mkdtemp(dir=quick_root)) / "c"
    with DiskCollection.create(folder, dim=DIM, fingerprint=FINGERPRINT) as collection:
        collection.add(vectors_of(names), items_of(names), fingerprint=FINGERPRINT)
        collection.remove([names[place] for place in removed if place < len(names)])
    read = eager(folder)
    with DiskCollection.open(folder) as lazy:
        shutil.rmtree(folder / "cache")
        with DiskCollection.open(folder) as plain:
            assert is_mapped(lazy) == (len(lazy) > 0)
            snapshot = lazy._current().snapshot
            assert not is_mapped(plain)
            queries = vectors_of(["x", *names])
            assert lazy.search(queries, k, fingerprint=FINGERPRINT) == plain.search(
                queries, k, fingerprint=FINGERPRINT
            )
            assert lazy.items == plain.items
            assert lazy.ids() == plain.ids()
            assert [lazy.get(id_) for id_ in lazy.ids()] == plain.items
    assert snapshot.state == read.state
    assert list(snapshot.rows) == list(read.rows)
    assert snapshot.positions == read.positions
    np.testing.assert_array_equal(snapshot.vectors, read.vectors)
    assert list(snapshot.column("payload")) == [row.payload for row in read.rows]


def test_the_vectors_file_is_the_raw_rows(make: Make):
    collection = make(*NAMES)
    collection.remove(NAMES[3:7])
    collection.close()
    kept = NAMES[:3] + NAMES[7:]
    raw = np.fromfile(collection.folder / "cache" / VECTORS, "<f4").reshape(-1, DIM)
    np.testing.assert_array_equal(raw, vectors_of(kept))


def test_mapped_vectors_cannot_be_written(make: Make):
    make(*NAMES).close()
    with DiskCollection.open(make("other", folder="other").folder.with_name("birds")) as reader:
        assert is_mapped(reader)
        with pytest.raises(ValueError, match="read-only"):
            reader.vectors[0] = 0


def test_closing_lets_go_of_the_files(closed: Path):
    def held() -> list[str]:
        lines = Path("/proc/self/maps").read_text().splitlines()
        return sorted(Path(line.split()[-1]).name for line in lines if str(closed) in line)

    with DiskCollection.open(closed) as reader:
        reader.search(QUERIES, 3, fingerprint=FINGERPRINT)
        assert held() == [BOUNDS, TEXT, VECTORS]
    assert held() == []


def test_same_pictures_are_found_in_mapped_rows(make: Make):
    collection = make()
    contents = [b"1" * 32, b"", b"2" * 32, b"1" * 32, b""]
    names = list("abcde")
    rows = rows_of(items_of(names), contents)
    collection.write(Change(vectors_of(names), rows))
    collection.close()
    with DiskCollection.open(collection.folder) as reader:
        assert is_mapped(reader)
        assert reader.same_pictures() == [["a", "d"]]


def test_a_writer_searches_and_goes_on_from_mapped_rows(closed: Path, copies: Copies):
    with DiskCollection.open(closed, write=True) as writer:
        assert writer.search(QUERIES, 10, fingerprint=FINGERPRINT) == copies.answers
        assert is_mapped(writer)
        before = writer.ids()
        writer.add(vectors_of(["new"]), items_of(["new"]), fingerprint=FINGERPRINT)
        writer.remove(before[:2])
        assert writer.ids() == [*before[2:], "new"]
    with DiskCollection.open(closed) as reader:
        assert is_mapped(reader)
        assert reader.ids() == [*before[2:], "new"]
        assert reader.verify() == []


def test_a_reader_keeps_its_rows_while_a_writer_replaces_the_files(closed: Path, copies: Copies):
    with DiskCollection.open(closed) as reader:
        held = reader._current().snapshot
        items, vectors = reader.items, reader.vectors.copy()
        for number in range(8):
            with DiskCollection.open(closed, write=True) as writer:
                writer.remove(writer.ids()[:4])
                name = f"generation {number}"
                writer.add(vectors_of([name]), items_of([name]), fingerprint=FINGERPRINT)
            assert reader.items == items
            np.testing.assert_array_equal(reader.vectors, vectors)
            assert reader.search(QUERIES, 10, fingerprint=FINGERPRINT) == copies.answers
            with DiskCollection.open(closed) as now:
                assert is_mapped(now)
                assert now.notices == []
                assert now.ids() == [row.id.decode() for row in eager(closed).rows]
        assert reader.refresh() is True
        assert reader.generation == 4 + 16
        assert reader.ids() != [item.id for item in items]
        assert [row.item() for row in held.rows] == items


def test_threads_that_search_while_the_files_are_replaced(closed: Path, copies: Copies):
    done = threading.Event()
    wrong: list[object] = []
    with DiskCollection.open(closed) as reader:

        def search() -> None:
            while not done.is_set():
                answers = reader.search(QUERIES, 10, fingerprint=FINGERPRINT)
                wrong.extend([answers] if answers != copies.answers else [])

        threads = [threading.Thread(target=search) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(10):
            with DiskCollection.open(closed, write=True) as writer:
                writer.add(
                    vectors_of([f"{number}"]), items_of([f"{number}"]), fingerprint="encoder-a"
                )
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_opened_while_writers_come_and_go_it_is_one_generation(closed: Path):
    opened: list[int] = []

    def write() -> None:
        for number in count():
            with DiskCollection.open(closed, write=True) as writer:
                names = [f"{number} {part}" for part in range(3)]
                writer.add(vectors_of(names), items_of(names), fingerprint=FINGERPRINT)
            if number >= 12 and len(opened) >= 5:
                return

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive():
        with DiskCollection.open(closed) as reader:
            more = [f"{number} {part}" for number in range(reader.generation - 4) for part in "012"]
            assert reader.items == items_of([*NAMES[3:], *more], 0)
            np.testing.assert_array_equal(reader.vectors, vectors_of([*NAMES[3:], *more]))
            assert reader.notices == []
            opened.append(reader.generation)
    thread.join()


def replaced_by_older(copies: Copies, folder: Path, file: str) -> None:
    shutil.copy(copies.older / "cache" / file, folder / "cache" / file)


def replaced_by_another(copies: Copies, folder: Path, file: str) -> None:
    shutil.copy(copies.other / "cache" / file, folder / "cache" / file)


def swapped(copies: Copies, folder: Path, file: str) -> None:
    path, other = folder / "cache" / file, folder / "cache" / (TEXT if file != TEXT else VECTORS)
    path.rename(folder / "x")
    other.rename(path)
    (folder / "x").rename(other)


def missing(copies: Copies, folder: Path, file: str) -> None:
    (folder / "cache" / file).unlink()


@pytest.mark.parametrize("file", [VECTORS, TEXT, BOUNDS, CONTENTS])
@pytest.mark.parametrize("harm", [replaced_by_older, replaced_by_another, missing])
def test_a_strange_file_is_named_and_made_again(
    copies: Copies, closed: Path, file: str, harm: Callable[[Copies, Path, str], None]
):
    harm(copies, closed, file)
    with DiskCollection.open(closed) as reader:
        assert [str(closed / "cache" / file) in notice for notice in reader.notices] == [True]
        assert "is made again from the store" in reader.notices[0]
        assert not is_mapped(reader)
    assert f"{file} is made again" in right(closed, copies)[0]
    with DiskCollection.open(closed) as reader:  # the writer in ``right`` has made it again
        assert is_mapped(reader)
        assert reader.notices == []


@pytest.mark.parametrize("file", [VECTORS, TEXT])
def test_swapped_files_are_noticed(copies: Copies, closed: Path, file: str):
    swapped(copies, closed, file)
    assert f"{VECTORS} is made again from the store: its checksum" in right(closed, copies)[0]


def with_fitting_hash(folder: Path, file: str, data: bytes) -> None:
    (folder / "cache" / file).write_bytes(data)
    record = read_record(folder / "cache" / CONTENTS)
    record["sha256"][file] = sha256_of_file(folder / "cache" / file)
    write_record(folder / "cache" / CONTENTS, record)


@pytest.mark.parametrize(
    "hostile",
    [
        lambda old: old[:-8],
        lambda old: old + bytes(8),
        lambda old: bytes(8) + b"\xff" * 8 + old[16:],
        lambda old: old[:-8] + b"\xff" * 8,
        lambda old: b"\x01" + old[1:],
    ],
    ids=["one bound less", "one more", "beyond the file", "ends beyond it", "begins late"],
)
def test_hostile_bounds_with_a_fitting_hash_lead_nowhere(
    copies: Copies, closed: Path, hostile: Callable[[bytes], bytes]
):
    with_fitting_hash(closed, BOUNDS, hostile((closed / "cache" / BOUNDS).read_bytes()))
    assert f"{BOUNDS} is made again from the store: it does not fit" in right(closed, copies)[0]


def test_too_few_vectors_with_a_fitting_hash_are_not_used(copies: Copies, closed: Path):
    with_fitting_hash(closed, VECTORS, (closed / "cache" / VECTORS).read_bytes()[: -4 * DIM])
    assert f"{VECTORS} is made again from the store: it does not" in right(closed, copies)[0]


@pytest.mark.parametrize("fields", [{}, {"made_from": {}}, {"made_from": {}, "sha256": 7}])
def test_a_record_with_other_fields_is_not_used(
    copies: Copies, closed: Path, fields: dict[str, object]
):
    write_record(closed / "cache" / CONTENTS, fields)
    assert f"{CONTENTS} is made again from the store: it has other" in right(closed, copies)[0]


@pytest.mark.parametrize("file", CONTENT_FILES)
def test_verify_names_what_was_damaged_while_it_is_open(closed: Path, file: str):
    with DiskCollection.open(closed) as collection:
        path = closed / file
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.unlink()
        path.write_bytes(data)
        assert [str(path) in sentence for sentence in collection.verify()] == [True]


def test_after_a_kill_no_file_is_used_and_nothing_is_said(killed: Path, copies: Copies):
    for file in CONTENT_FILES:
        flip(0.5)(killed / file)
        cut(0.5)(killed / file)
    with DiskCollection.open(killed) as reader:
        assert not is_mapped(reader)
        assert not any(CONTENTS in notice for notice in reader.notices)
        assert reader.search(QUERIES, 10, fingerprint=FINGERPRINT) == copies.answers


def test_a_writer_that_changes_nothing_writes_no_file(closed: Path):
    before = {path: path.stat().st_mtime_ns for path in closed.rglob("*") if path.name != "LOCK"}
    with DiskCollection.open(closed, write=True) as writer:
        assert len(writer) == 37
    after = {path: path.stat().st_mtime_ns for path in closed.rglob("*") if path.name != "LOCK"}
    assert {path: after[path] for path in before if path.is_file()} == {
        path: before[path] for path in before if path.is_file()
    }


def test_a_name_is_taken_when_the_whole_file_is_written(closed: Path):
    manifest = Manifest.read(closed)
    state = Seal.read(closed, manifest).state
    before = {file: (closed / file).read_bytes() for file in CONTENT_FILES}
    read = eager(closed)
    seen: list[bytes] = []

    def blocks() -> Iterator[tuple[Sequence[Row], Vectors]]:
        for start, end in pairwise([0, 7, 7, 30, 37]):
            seen.append((closed / "cache" / VECTORS).read_bytes())
            yield read.rows[start:end], read.vectors[start:end]

    (closed / "cache" / VECTORS).write_bytes(b"old")
    ContentCache(closed, manifest).write(state, blocks())
    assert seen == [b"old"] * 4
    assert {file: (closed / file).read_bytes() for file in CONTENT_FILES} == before


def test_what_cannot_be_written_leaves_the_old_files(closed: Path):
    manifest = Manifest.read(closed)
    before = {path: path.read_bytes() for path in closed.rglob("*") if path.is_file()}

    def blocks() -> Iterator[tuple[Sequence[Row], Vectors]]:
        yield [], np.empty((0, DIM), np.float32)
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="must be written whole; got: No space left"):
        ContentCache(closed, manifest).write(Seal.read(closed, manifest).state, blocks())
    assert {path: path.read_bytes() for path in closed.rglob("*") if path.is_file()} == before
