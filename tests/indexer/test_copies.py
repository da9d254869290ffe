"""Compacting, copying, exporting, importing and merging: the same items, the same answers."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from indexer.backends.faiss_flat import FaissFlat
from indexer.collection import Item
from indexer.copying import take_snapshot
from indexer.disk import DiskCollection
from indexer.exporting import export_collection
from indexer.importing import import_collection
from indexer.manifest import STORE
from indexer.merging import Collision, merge_collections
from indexer.store import Change
from retrieval.errors import (
    BadInputError,
    BusyError,
    DamagedDataError,
    EncoderMismatchError,
    StorageError,
)
from tests.indexer.conftest import Make
from tests.indexer.damages import flip
from tests.indexer.gallery import (
    DIM,
    FINGERPRINT,
    item_of,
    items_of,
    unit_rows,
    vector_of,
    vectors_of,
)

NAMES = [f"item {number}" for number in range(60)]
QUERIES = unit_rows(np.random.default_rng(0), 5)
HOSTILE = ["é", "e\u0301", "a\udce9b", "🦜", "<b>", "-", "x\ny", "\x1b[2J", "null", "'", "%00"]


def answers(collection: DiskCollection) -> list[list[tuple[str, float]]]:
    found = collection.search(QUERIES, 99, fingerprint=FINGERPRINT)
    return [[(hit.item.id, hit.score) for hit in hits] for hits in found]


def files(collection: DiskCollection) -> dict[str, str]:
    """Where the path of each item leads."""
    return {item.id: os.path.realpath(collection.folder / item.path) for item in collection.items}


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# Compact


@pytest.mark.parametrize("engine", ["exact", "faiss_flat"])
def test_compacting_gives_room_back_and_changes_nothing_else(make: Make, engine: str):
    collection = make(engine=engine, dim=DIM)
    many = [f"many {number}" for number in range(2_000)]
    collection.add(vectors_of(many), items_of(many), fingerprint=FINGERPRINT)
    collection.remove(many[100:])
    before, items, generation = answers(collection), collection.items, collection.generation
    collection.close()
    closed = size(collection.folder)
    with DiskCollection.open(collection.folder, write=True) as opened:
        (opened.folder / "cache" / "old.bin").write_bytes(b"x" * 9_000)
        opened.compact()
        assert (answers(opened), opened.items) == (before, items)
        opened.add(vectors_of(["after"]), items_of(["after"]), fingerprint=FINGERPRINT)
        opened.remove(["after"])
    with make(*many[:100], engine=engine, folder="never more") as fresh:
        pass
    assert size(collection.folder) < 1.01 * size(fresh.folder) < closed / 3
    with DiskCollection.open(collection.folder) as again:
        assert again.verify() == []
        assert (answers(again), again.items) == (before, items)
        assert again.generation == generation + 2
        assert again.notices == []
    assert not (collection.folder / "cache" / "old.bin").exists()
    assert (collection.folder / "cache" / f"{engine}.bin").exists() == (engine == "faiss_flat")


def test_compacting_leaves_a_closed_collection_behind(make: Make):
    collection = make(*NAMES)
    collection.close()
    with DiskCollection.open(collection.folder, write=True) as opened:
        opened.compact()
        seal = json.loads((opened.folder / "SEAL").read_text())
        assert seal["sha256"] is None  # what was sealed is no longer what is there
    seal = json.loads((collection.folder / "SEAL").read_text())
    assert seal["bytes"] == (collection.folder / STORE).stat().st_size


def test_compacting_needs_the_right_to_write(make: Make):
    collection = make("a")
    collection.close()
    with (
        DiskCollection.open(collection.folder) as opened,
        pytest.raises(BadInputError, match="must be open for writing"),
    ):
        opened.compact()


def test_a_reader_sees_its_items_while_a_writer_compacts(make: Make):
    collection = make(*NAMES)
    collection.remove(NAMES[:30])
    with DiskCollection.open(collection.folder) as reader:
        before = answers(reader)
        collection.compact()
        assert not reader.refresh()
        assert answers(reader) == before
        with DiskCollection.open(collection.folder) as late:
            assert answers(late) == before


# Snapshot


def test_a_snapshot_is_one_generation_while_a_writer_goes_on(make: Make, tmp_path: Path):
    collection = make(*NAMES, engine="faiss_flat")
    before, items = answers(collection), collection.items
    assert take_snapshot(collection.folder, tmp_path / "copy") == 60
    collection.remove(NAMES[:30])
    with DiskCollection.open(tmp_path / "copy") as copy:
        assert copy.verify() == []
        assert (answers(copy), copy.items) == (before, items)
    with DiskCollection.open(tmp_path / "copy", write=True) as copy:
        copy.remove(NAMES[30:])
    assert collection.ids() == NAMES[30:]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["birds", "copy"]


def test_a_snapshot_carries_the_encoder_and_the_engines_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    encoder = tmp_path / "encoder"
    (encoder / "photo").mkdir(parents=True)
    (encoder / "photo" / "encoder.json").write_text("photo")
    with DiskCollection.create(
        tmp_path / "c", dim=DIM, fingerprint=FINGERPRINT, engine="faiss_flat", encoder=encoder
    ) as made:
        made.add(vectors_of(NAMES), items_of(NAMES), fingerprint=FINGERPRINT)
    monkeypatch.delattr(FaissFlat, "to_bytes")  # what was prepared is not prepared again
    take_snapshot(tmp_path / "c", tmp_path / "copy")
    same = [path.relative_to(tmp_path / "c") for path in (tmp_path / "c").rglob("*")]
    for name in same:
        if (tmp_path / "c" / name).is_file() and name.name not in ("LOCK", STORE, "SEAL"):
            assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / "c" / name).read_bytes()
    assert {path.relative_to(tmp_path / "copy") for path in (tmp_path / "copy").rglob("*")} == {
        *same
    }


def test_a_snapshot_never_overwrites(make: Make, tmp_path: Path):
    collection = make("a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for place in ("full", "birds"):
        with pytest.raises(BadInputError, match="must be a new or empty folder"):
            take_snapshot(collection.folder, tmp_path / place)
    assert (tmp_path / "full" / "mine").read_text() == "mine"
    with pytest.raises(BadInputError, match="must be a collection"):
        take_snapshot(tmp_path / "full", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_damaged_collection_is_not_copied(closed: Path, tmp_path: Path):
    for number in range(10):
        flip(number / 10)(closed / STORE)
        with pytest.raises(DamagedDataError, match=f"{STORE} must be"):
            take_snapshot(closed, tmp_path / "copy")
        flip(number / 10)(closed / STORE)
    assert not (tmp_path / "copy").exists()


def test_a_copy_that_is_not_the_source_is_noticed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    collection = make(*NAMES)

    def other(self: object, path: Path) -> None:
        with (
            closing(sqlite3.connect(collection.folder / STORE)) as source,
            closing(sqlite3.connect(path)) as copy,
        ):
            source.backup(copy)
            copy.execute("UPDATE items SET label = 'x' WHERE number = 9")
            copy.commit()

    monkeypatch.setattr("indexer.store.Store.copy_to", other)
    with pytest.raises(DamagedDataError, match="another row than was written for 'item 8'"):
        take_snapshot(collection.folder, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_store_that_is_set_back_meanwhile_is_noticed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    collection = make(*NAMES)
    collection.close()
    old = tmp_path / "old"
    shutil.copytree(collection.folder, old)
    with DiskCollection.open(collection.folder, write=True) as opened:
        opened.remove(NAMES[:1])
    monkeypatch.setattr(
        "indexer.store.Store.copy_to", lambda self, path: shutil.copy(old / STORE, path)
    )
    with pytest.raises(DamagedDataError, match="must be at generation 2 or later"):
        take_snapshot(collection.folder, tmp_path / "copy")


def test_a_source_that_never_holds_still_is_busy(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    collection = make("a")
    collection.close()

    def disturbed(self: object, path: Path) -> None:
        with DiskCollection.open(collection.folder, write=True) as opened:
            opened.add(vectors_of(["b"]), items_of(["b"]), fingerprint=FINGERPRINT, replace=True)

    monkeypatch.setattr("indexer.store.Store.copy_to", disturbed)
    with pytest.raises(BusyError, match="must hold still for a moment to be copied"):
        take_snapshot(collection.folder, tmp_path / "copy")


# Export and import


def hostile_items() -> list[Item]:
    payload = {"π": [1, 2.5, None, {"a": "é"}], "text": "x\ny"}
    return [Item(name, f"../{name}.jpg", name, payload) for name in HOSTILE]


@pytest.mark.parametrize("engine", ["exact", "faiss_flat"])
def test_there_and_back_all_is_the_same(make: Make, tmp_path: Path, engine: str):
    collection = make(engine=engine)
    items = hostile_items()
    vectors = vectors_of(HOSTILE)
    collection.add(vectors[:6], items[:6], fingerprint=FINGERPRINT)
    row = [("../a\udce9.jpg", "must be an image")]
    collection.write(Change(np.empty((0, DIM), np.float32), (), rejected=row))
    collection.add(vectors[6:], items[6:], fingerprint=FINGERPRINT)
    done: list[int] = []
    out = tmp_path / "a" / "b" / "exported"
    assert export_collection(collection, out, on_progress=done.append) == sum(done) == len(items)
    made = tmp_path / "c" / "imported"
    assert import_collection(out, made, on_progress=done.append) == len(items)
    with DiskCollection.open(made) as imported:
        assert imported.verify() == []
        assert imported.engine == engine
        assert answers(imported) == answers(collection)
        assert imported.ids() == collection.ids() == HOSTILE
        np.testing.assert_array_equal(imported.vectors, collection.vectors)
        assert [(one.label, one.payload) for one in imported.items] == [
            (one.label, one.payload) for one in items
        ]
        assert files(imported) == files(collection)
        assert imported.rejected() == {"../../a\udce9.jpg": "must be an image"}


def test_at_its_own_place_even_the_bytes_of_rows_are_the_same(make: Make, tmp_path: Path):
    collection = make(*NAMES)
    export_collection(collection, tmp_path / "exported")
    collection.close()
    collection.folder.rename(tmp_path / "old")
    import_collection(tmp_path / "exported", tmp_path / "birds", engine="exact")
    with (
        DiskCollection.open(tmp_path / "birds") as imported,
        DiskCollection.open(tmp_path / "old") as old,
    ):
        digests = [json.loads((one.folder / "SEAL").read_text()) for one in (imported, old)]
        assert digests[0]["state"]["digest"] == digests[1]["state"]["digest"]


def test_any_program_can_read_it(make: Make, tmp_path: Path):
    collection = make("a", "a\udce9b")
    export_collection(collection, tmp_path / "out")
    table = parquet.read_table(tmp_path / "out" / "items.parquet")
    assert table.column("id").to_pylist() == ["a", "a\ufffdb"]
    assert table.column("id_bytes").to_pylist() == [None, b"a\xe9b"]
    assert table.column("label").to_pylist() == ["class 1", "class 0"]
    assert table.column("path").to_pylist()[0] == "../birds/photos/a.jpg"
    assert json.loads(table.column("payload").to_pylist()[0]) == {"version": 0}
    assert table.column("content_sha256").to_pylist() == [None, None]
    assert table.schema.field("vector").type == pa.list_(pa.float32(), DIM)
    vectors = np.array(table.column("vector").to_pylist(), np.float32)
    np.testing.assert_array_equal(vectors, vectors_of(["a", "a\udce9b"]))
    about = json.loads((tmp_path / "out" / "export.json").read_text())
    info = collection.info()
    assert (about["dim"], about["count"], about["created"]) == (DIM, 2, info["created"])
    assert about["encoder_fingerprint"] == FINGERPRINT


def test_an_export_carries_the_encoder(tmp_path: Path):
    encoder = tmp_path / "encoder"
    (encoder / "photo").mkdir(parents=True)
    (encoder / "photo" / "encoder.json").write_text("photo")
    with DiskCollection.create(
        tmp_path / "c", dim=DIM, fingerprint=FINGERPRINT, encoder=encoder
    ) as made:
        export_collection(made, tmp_path / "out")
    import_collection(tmp_path / "out", tmp_path / "again")
    with DiskCollection.open(tmp_path / "again") as again:
        folder = again.encoder_folder()
        assert folder is not None
        assert (folder / "photo" / "encoder.json").read_text() == "photo"
    (tmp_path / "out" / "encoder" / "photo" / "encoder.json").write_text("other")
    with pytest.raises(DamagedDataError, match=r"encoder.json must be as it was exported"):
        import_collection(tmp_path / "out", tmp_path / "third")


def foreign(root: Path, table: dict[str, Any], **about: Any) -> Path:
    """What another program has written."""
    root.mkdir(exist_ok=True)
    parquet.write_table(pa.table(table), root / "items.parquet")
    fields = {"dim": 2, "encoder_fingerprint": "x"} | about
    (root / "export.json").write_text(json.dumps(fields))
    return root


VECTORS = pa.array([[1, 0], [0, 1]], pa.list_(pa.float32()))


def test_another_program_may_write_it(tmp_path: Path):
    source = foreign(tmp_path / "in", {"vector": VECTORS, "id": ["a", "b"], "other": [1, 2]})
    assert import_collection(source, tmp_path / "c") == 2
    with DiskCollection.open(tmp_path / "c") as made:
        assert made.items == [Item("a"), Item("b")]
        assert made.vectors.tolist() == [[1, 0], [0, 1]]


BAD_VECTORS = {
    "three numbers": ([[1, 0, 0], [0, 1, 0]], pa.float32(), "must have 2 numbers each; got 3"),
    "a null": ([[1, 0], None], pa.float32(), "must have 2 numbers each; got 2, None"),
    "a null in it": ([[1, 0], [0, None]], pa.float32(), "must have 2 numbers each; got nulls"),
    "float64": ([[1, 0], [0, 1]], pa.float64(), "must be lists of float32; got list"),
    "not a number": ([[1, 0], [np.nan, 1]], pa.float32(), "finite rows of norm 1"),
    "too long": ([[1, 0], [2, 0]], pa.float32(), "norm 1; got norm .* at 'b'"),
}


@pytest.mark.parametrize("fault", BAD_VECTORS)
def test_a_vector_that_cannot_be_added_is_refused(tmp_path: Path, fault: str):
    values, kind, said = BAD_VECTORS[fault]
    vectors = pa.array(values, pa.list_(kind))
    source = foreign(tmp_path / "in", {"id": ["a", "b"], "vector": vectors})
    with pytest.raises(BadInputError, match=said):
        import_collection(source, tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"id": ["a", "a"]}, "different ids; got 'a' at 0 and 1"),
        ({"id": ["a", None]}, "id of items.parquet, rows 1 to 2 must be text; got None"),
        ({"id": [1, 2]}, "must be text; got 1"),
        ({"id": ["a", ""]}, "id must not be empty"),
        ({"label": [1, 2]}, "label of items.parquet, rows 1 to 2 must be text"),
        ({"payload": ["{}", "{"]}, "payload of .* must be JSON; got '{'"),
        ({"payload": ["{}", "[1]"]}, "payload of .* must be a JSON object; got"),
        ({"payload": ["{}", '{"a": NaN}']}, "payload of 'b' must be a dict of JSON values"),
        ({"content_sha256": ["", "12"]}, "content_sha256 of .* must be 64 hexadecimal digits"),
        ({"path": ["a", "x" * 70_000]}, "path of 'b' must have"),
        ({"vector": [1.0, 2.0]}, "must be lists of float32; got double"),
    ],
)
def test_a_row_that_cannot_be_added_is_refused(tmp_path: Path, changed: dict[str, Any], said: str):
    source = foreign(tmp_path / "in", {"id": ["a", "b"], "vector": VECTORS} | changed)
    with pytest.raises(BadInputError, match=said):
        import_collection(source, tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"dim": "2"}, "dim in .*export.json must be int; got '2'"),
        ({"dim": 0}, "dim must be an integer from 1"),
        ({"encoder_fingerprint": ""}, "fingerprint must name an encoder"),
        ({"encoder_fingerprint": None}, "encoder_fingerprint in .* must be str; got None"),
        ({"count": 3}, "must hold the 3 items that export.json counts; got 2"),
        ({"engine": "fais"}, "no backends called 'fais'"),
        ({"rejected": {"a": 1}}, "rejected in .* must hold text"),
        ({"format": 2}, "must have format 1; got 2. Update this program"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    tmp_path: Path, about: dict[str, Any], said: str
):
    source = foreign(tmp_path / "in", {"id": ["a", "b"], "vector": VECTORS}, **about)
    with pytest.raises(BadInputError, match=said):
        import_collection(source, tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_is_no_export_is_refused(make: Make, tmp_path: Path):
    with pytest.raises(BadInputError, match=r"must be an exported collection; got no export.json"):
        import_collection(tmp_path / "none", tmp_path / "c")
    source = foreign(tmp_path / "in", {"id": ["a"]})
    with pytest.raises(BadInputError, match="must have one column 'id' and 'vector'; got 'id'"):
        import_collection(source, tmp_path / "c")
    (source / "items.parquet").write_bytes(b"PAR1 is all there is")
    with pytest.raises(BadInputError, match=r"items.parquet must be a Parquet file"):
        import_collection(source, tmp_path / "c")
    (source / "items.parquet").unlink()
    with pytest.raises(BadInputError, match="must be a Parquet file; got no such file"):
        import_collection(source, tmp_path / "c")
    for text in ("{", "[]", "1" * 5_000):
        (source / "export.json").write_text(text)
        with pytest.raises(BadInputError, match=r"export.json must be"):
            import_collection(source, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_no_file_outside_is_asked_for(make: Make, tmp_path: Path):
    for name in ("../secret", "/etc/hostname"):
        source = foreign(
            tmp_path / "in", {"id": ["a", "b"], "vector": VECTORS}, sha256={name: "0" * 64}
        )
        with pytest.raises(DamagedDataError, match="must be as it was exported"):
            import_collection(source, tmp_path / "c")


def test_a_changed_export_is_damaged(make: Make, tmp_path: Path):
    collection = make(*NAMES)
    export_collection(collection, tmp_path / "out")
    items = tmp_path / "out" / "items.parquet"
    for place in np.linspace(0, 1, 20).tolist():
        flip(place)(items)
        with pytest.raises(DamagedDataError, match=r"items.parquet must be as it was exported"):
            import_collection(tmp_path / "out", tmp_path / "c")
        flip(place)(items)
    items.unlink()
    with pytest.raises(StorageError, match="must be readable"):
        import_collection(tmp_path / "out", tmp_path / "c")
    with pytest.raises(BadInputError, match="must be a new or empty folder"):
        export_collection(collection, tmp_path / "out")


# Merge


def other_of(make: Make, folder: str, *names: str, version: int = 0) -> DiskCollection:
    collection = make(folder=folder)
    collection.add(vectors_of(names, version), items_of(names, version), fingerprint=FINGERPRINT)
    return collection


def test_items_of_others_are_added_and_their_pictures_found(make: Make):
    collection = make("a", "b")
    first = other_of(make, "deep/er/first", "c", "d")
    second = other_of(make, "second", "e")
    want = files(collection) | files(first) | files(second)
    result = merge_collections(collection, [first, second])
    assert str(result) == "added 3, replaced 0, kept 0, unchanged 0"
    assert collection.ids() == ["a", "b", "c", "d", "e"]
    assert files(collection) == want
    np.testing.assert_array_equal(collection.vectors, vectors_of("abcde"))
    generation = collection.generation
    again = merge_collections(collection, [first, second])
    assert str(again) == "added 0, replaced 0, kept 0, unchanged 3"
    assert collection.generation == generation


def test_a_collision_is_an_error_and_writes_nothing(make: Make):
    collection = make("a", "b")
    others = [other_of(make, "one", "c", "d"), other_of(make, "two", "d", version=1)]
    with pytest.raises(BadInputError, match=r"got 'd' in .*two and before it"):
        merge_collections(collection, others)
    with pytest.raises(BadInputError, match=r"got 'a' in .*three and before it"):
        merge_collections(collection, [other_of(make, "three", "x", "a", version=1)])
    assert collection.ids() == ["a", "b"]
    assert collection.generation == 1


@pytest.mark.parametrize(
    ("how", "said", "versions"),
    [
        ("keep", "added 1, replaced 0, kept 3, unchanged 0", {"a": 0, "b": 0, "c": 1}),
        ("replace", "added 1, replaced 1, kept 2, unchanged 0", {"a": 2, "b": 0, "c": 2}),
    ],
)
def test_a_collision_is_decided_as_one_says(
    make: Make, how: str, said: str, versions: dict[str, int]
):
    collection = make("a", "b")
    others = [
        other_of(make, "one", "a", "c", version=1),
        other_of(make, "two", "a", "c", version=2),
    ]
    assert str(merge_collections(collection, others, on_collision=Collision(how))) == said
    assert {item.id: item.payload["version"] for item in collection.items} == versions
    for name, version in versions.items():
        np.testing.assert_array_equal(collection.vector(name), vector_of(name, version))
    generation = collection.generation
    merge_collections(collection, others, on_collision=Collision(how))
    assert collection.generation == generation


def test_a_merge_is_gone_on_with(make: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(DiskCollection.blocks, "__defaults__", (4,))
    collection = make("a")
    other = other_of(make, "other", *NAMES)
    write = collection.write
    done: list[Change] = []

    def failing(change: Change) -> None:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(change)
        write(change)

    with monkeypatch.context() as patch:
        patch.setattr(collection, "write", failing)
        with pytest.raises(KeyboardInterrupt):
            merge_collections(collection, [other])
    assert collection.ids() == ["a", *NAMES[:12]]
    assert str(merge_collections(collection, [other])).startswith("added 48, ")
    assert collection.ids() == ["a", *NAMES]


def test_other_encoders_and_the_collection_itself_are_refused(make: Make, tmp_path: Path):
    collection = make("a")
    with DiskCollection.create(tmp_path / "x", dim=DIM, fingerprint="another") as stranger:
        stranger.add(vectors_of(["b"]), items_of(["b"]), fingerprint="another")
        with pytest.raises(EncoderMismatchError, match=r"vectors of .*x must come from"):
            merge_collections(collection, [stranger])
    (tmp_path / "link").symlink_to(collection.folder)
    with (
        DiskCollection.open(tmp_path / "link") as same,
        pytest.raises(BadInputError, match="must be another collection; got the same one"),
    ):
        merge_collections(collection, [same])
    assert collection.items == [item_of("a")]
