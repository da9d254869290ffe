"""Promise: no answer comes from a file that is not what was written.

Each test damages one file of a copy of a good collection and opens it for search and for writing.
"""

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from indexer.disk import DiskCollection
from indexer.manifest import SEAL, STORE
from indexer.records import read_record, write_record
from indexer.rows import Row
from retrieval.errors import BadInputError, DamagedDataError
from retrieval.files import sha256_of_file
from tests.indexer.damages import (
    CACHES,
    CONTENT_FILES,
    ENCODER,
    LOG,
    MANIFEST,
    NAMES,
    QUERIES,
    Copies,
    Damage,
    append,
    cut,
    double,
    flip,
    folder_instead,
    in_the_store,
    refused,
    right,
    zero_page,
)
from tests.indexer.gallery import DIM, FINGERPRINT, vector_of


@pytest.fixture
def folder(closed: Path) -> Path:
    return closed


DAMAGES: dict[str, Damage] = {
    **{f"flip {place:.2f}": flip(place, bit) for bit, place in enumerate(np.linspace(0, 1, 8))},
    **{f"flip {place:.2f}": flip(place, 3) for place in (0.07, 0.23, 0.37, 0.48, 0.66, 0.81)},
    "empty": cut(0),
    "half": cut(0.5),
    "last byte gone": cut(1, 1),
    "first page zero": zero_page(0),
    "a page zero": zero_page(0.4),
    "a byte more": append,
    "twice": double,
    "missing": Path.unlink,
    "a folder": folder_instead,
}
each_damage = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())


def test_without_damage_the_copies_answer(folder: Path, copies: Copies):
    assert right(folder, copies) == []


def test_a_killed_writer_leaves_a_collection_that_answers(killed: Path, copies: Copies):
    assert (killed / LOG).stat().st_size > 0
    right(killed, copies)
    assert not (killed / LOG).exists()
    assert right(killed, copies) == []


@each_damage
@pytest.mark.parametrize("file", [MANIFEST, SEAL, STORE])
def test_a_damaged_file_is_refused_by_name(folder: Path, file: str, damage: Damage):
    damage(folder / file)
    refused(folder, file)


@each_damage
@pytest.mark.parametrize("file", CACHES)
def test_a_damaged_cache_is_made_again(folder: Path, copies: Copies, file: str, damage: Damage):
    damage(folder / file)
    assert any("is made again from the store" in notice for notice in right(folder, copies))


@pytest.mark.parametrize("damage", [flip(0.5), cut(0.5), Path.unlink], ids=["flip", "cut", "gone"])
@pytest.mark.parametrize("file", CACHES)
def test_a_writer_that_changes_nothing_makes_a_damaged_cache_again(
    folder: Path, copies: Copies, file: str, damage: Damage
):
    damage(folder / file)
    DiskCollection.open(folder, write=True).close()
    assert right(folder, copies) == []


@each_damage
@pytest.mark.parametrize("file", CONTENT_FILES)
def test_damaged_contents_are_named_and_made_again(
    folder: Path, copies: Copies, file: str, damage: Damage
):
    damage(folder / file)
    assert f"{folder / file} is made again from the store" in right(folder, copies)[0]


def test_every_file_of_a_collection_is_damaged_by_a_test(folder: Path):
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {MANIFEST, SEAL, STORE, *CACHES, *CONTENT_FILES, *ENCODER, "LOCK"}


@each_damage
@pytest.mark.parametrize("file", ENCODER)
def test_a_damaged_encoder_is_refused_by_name(folder: Path, file: str, damage: Damage):
    damage(folder / file)
    with DiskCollection.open(folder) as collection:
        with pytest.raises(DamagedDataError, match=f"{file} must be as it was copied"):
            collection.encoder_folder()
        with pytest.raises(DamagedDataError, match=f"{file} must be as it was copied"):
            collection.verify()


def test_files_of_another_collection_are_refused(copies: Copies, folder: Path, tmp_path: Path):
    for file in (MANIFEST, SEAL, STORE):
        mixed = Path(shutil.copytree(folder, tmp_path / f"mixed {file}"))
        shutil.copy(copies.other / file, mixed / file)
        with pytest.raises(DamagedDataError, match=f"{SEAL if file != STORE else STORE} must be"):
            DiskCollection.open(mixed)
        for cache in CACHES:
            shutil.copy(copies.other / cache, folder / cache)
        assert len(right(folder, copies)) >= 1


@pytest.mark.parametrize("file", [SEAL, STORE])
def test_an_older_copy_of_one_file_is_refused(copies: Copies, folder: Path, file: str):
    shutil.copy(copies.older / file, folder / file)
    refused(folder, STORE)


def test_an_older_copy_of_the_whole_folder_is_that_older_collection(copies: Copies):
    with DiskCollection.open(copies.older) as collection:
        assert sorted(collection.ids()) == sorted(NAMES[:20])
        assert collection.generation == 1


@pytest.mark.parametrize("place", np.linspace(0, 1, 24))
def test_a_hostile_cache_with_a_fitting_hash_is_made_again(
    folder: Path, copies: Copies, place: float
):
    flip(place, 6)(folder / CACHES[0])
    record = read_record(folder / CACHES[1])
    write_record(
        folder / CACHES[1],
        {**record, "format": 1, "bytes_sha256": sha256_of_file(folder / CACHES[0])},
    )
    assert "is made again from the store" in right(folder, copies)[0]


def test_an_older_cache_is_made_again(copies: Copies, folder: Path):
    for file in CACHES:
        shutil.copy(copies.older / file, folder / file)
    assert any("another generation" in notice for notice in right(folder, copies))


def test_a_store_set_back_to_an_older_one_after_a_kill_is_refused(copies: Copies, killed: Path):
    for file in (STORE, LOG):
        shutil.copy(copies.older_killed / file, killed / file)
    (killed / f"{STORE}-shm").unlink()
    with pytest.raises(DamagedDataError, match="generation 2 although 4 was acknowledged"):
        DiskCollection.open(killed)


def test_a_seal_set_back_to_an_older_one_after_a_kill_is_refused(copies: Copies, killed: Path):
    shutil.copy(copies.older_killed / SEAL, killed / SEAL)
    with pytest.raises(DamagedDataError, match=f"{SEAL} must be .* although the store is at 4"):
        DiskCollection.open(killed)


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, cut(0), cut(0.5), cut(1, 1), cut(1, 5000), zero_page(0), zero_page(0.9)],
    ids=["missing", "empty", "half", "last byte", "last page", "first page", "late page"],
)
def test_after_a_kill_a_log_that_lost_acknowledged_changes_is_refused(killed: Path, damage: Damage):
    damage(killed / LOG)
    refused(killed, STORE)


@pytest.mark.parametrize("place", np.linspace(0, 1, 40))
@pytest.mark.parametrize("file", [STORE, LOG])
def test_after_a_kill_a_flip_is_refused_or_changes_nothing(
    killed: Path, copies: Copies, file: str, place: float
):
    flip(place, 5)(killed / file)
    try:
        right(killed, copies)
    except DamagedDataError:
        refused(killed, STORE)


@pytest.mark.parametrize(
    "damage", [flip(0.3), cut(0), cut(0.5), Path.unlink], ids=["flipped", "empty", "cut", "gone"]
)
def test_after_a_kill_damaged_shared_memory_is_no_harm(
    killed: Path, copies: Copies, damage: Damage
):
    damage(killed / f"{STORE}-shm")
    right(killed, copies)


@pytest.mark.parametrize(
    ("statement", "values", "said"),
    [
        ("UPDATE items SET label = 'x' WHERE number = 9", (), "another row than was written for"),
        ("UPDATE items SET id = 'bird 9 ' WHERE id = 'bird 9'", (), "written for 'bird 9 '"),
        ("UPDATE items SET payload = '{}' WHERE number = 9", (), "another row"),
        (
            "UPDATE items SET vector = ? WHERE number = 9",
            (vector_of("x").tobytes(),),
            "another row",
        ),
        ("UPDATE items SET vector = x'00' WHERE number = 9", (), "another row"),
        ("UPDATE items SET checksum = x'00' WHERE number = 9", (), "another row"),
        ("DELETE FROM items WHERE number = 9", (), "36 items where it counted 37"),
        ("DELETE FROM items", (), "0 items where it counted 37"),
        (
            "INSERT INTO items SELECT 99, 'new', path, label, payload, content, checksum, vector "
            "FROM items WHERE number = 9",
            (),
            "more than the 37 items it counted",
        ),
        ("INSERT INTO rejected VALUES ('a', 'b', x'00')", (), "another note"),
        ("UPDATE state SET generation = 5", (), "a state whose checksum does not fit"),
        ("UPDATE state SET count = count - 1", (), "a state whose checksum does not fit"),
        ("UPDATE state SET collection = 'x'", (), "the store of another collection"),
        ("DELETE FROM state", (), "no state"),
        ("DROP TABLE items", (), "no such table"),
        ("DROP TABLE rejected", (), "no such table"),
        ("UPDATE items SET label = 7 WHERE number = 9", (), "another row"),
        ("UPDATE items SET label = x'ff' WHERE number = 9", (), "another row"),
    ],
)
def test_after_a_kill_a_changed_row_is_named(
    killed: Path, statement: str, values: tuple[object, ...], said: str
):
    in_the_store(killed, statement, *values)
    for write in (False, True):
        with pytest.raises(DamagedDataError, match=said):
            DiskCollection.open(killed, write=write)


def test_a_row_exchanged_for_a_valid_row_of_another_moment_is_noticed(killed: Path):
    row = Row(b"bird 9", b"p", b"", b"{}", b"")
    vector = vector_of("x").tobytes()
    in_the_store(
        killed,
        "UPDATE items SET path = 'p', label = '', payload = '{}', content = x'', checksum = ?, "
        "vector = ? WHERE id = 'bird 9'",
        row.checksum(vector),
        vector,
    )
    with pytest.raises(DamagedDataError, match="rows that do not add up to its digest"):
        DiskCollection.open(killed)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.5])
def test_a_bad_vector_of_an_older_version_is_named(folder: Path, value: float):
    """The row is as it was written and the file is as it was sealed: only the content is bad."""
    from indexer.manifest import Manifest, Seal, State
    from indexer.rows import changed_digest
    from indexer.store import Store
    from retrieval.files import sha256_of_file

    manifest = Manifest.read(folder)
    seal = Seal.read(folder, manifest)
    vector = np.full(DIM, value, np.float32)
    with sqlite3.connect(folder / STORE) as connection:
        connection.text_factory = bytes
        *fields, old = connection.execute(
            "SELECT id, path, label, payload, content, checksum FROM items WHERE id = 'bird 9'"
        ).fetchone()
        new = Row(*fields).checksum(vector.tobytes())
        connection.execute(
            "UPDATE items SET vector = ?, checksum = ? WHERE id = 'bird 9'", (vector.tobytes(), new)
        )
        digest = changed_digest(seal.state.digest, [new], [old])
        state = State(seal.state.generation, seal.state.count, digest)
        store = Store(folder / STORE, manifest, connection)
        connection.execute(
            "UPDATE state SET digest = ?, checksum = ?", (digest, store._state_checksum(state))
        )
    connection.close()
    path = folder / STORE
    Seal(manifest.collection, state, path.stat().st_size, sha256_of_file(path)).write(folder)
    with pytest.raises(DamagedDataError, match=r"finite rows of norm 1; got norm .* 'bird 9'"):
        DiskCollection.open(folder)


def test_a_newer_format_is_refused_and_left_alone(folder: Path):
    fields = read_record(folder / MANIFEST)
    write_record(folder / MANIFEST, {**fields, "format": 2})
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for write in (False, True):
        with pytest.raises(BadInputError, match=r"collection.json must be of format 1 or older"):
            DiskCollection.open(folder, write=write)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", "7", '"a"', "[" * 50_000, '{"record_sha256": {}}', "\x00"]
)
@pytest.mark.parametrize("file", [MANIFEST, SEAL])
def test_a_record_of_anything_else_is_refused(folder: Path, file: str, text: str):
    (folder / file).write_text(text)
    refused(folder, file)


def test_a_record_with_other_fields_is_refused(folder: Path):
    write_record(folder / SEAL, {"collection": read_record(folder / SEAL)["collection"]})
    refused(folder, SEAL)
    write_record(folder / MANIFEST, {"dim": 3})
    refused(folder, MANIFEST)


def test_pickles_in_the_folder_are_never_opened(folder: Path, copies: Copies, tmp_path: Path):
    canary = tmp_path / "canary"
    payload = b"cposix\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR."
    for name in ("collection.pkl", "cache/faiss_flat.pkl", "items.npy", "cache/exact.bin"):
        (folder / name).write_bytes(payload)
    (folder / "cache/faiss_flat.bin").write_bytes(payload)
    right(folder, copies)
    in_the_store(folder, "UPDATE items SET payload = ?", payload)
    with pytest.raises(DamagedDataError):
        DiskCollection.open(folder)
    assert not canary.exists()


def test_verify_tells_how_far_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("indexer.store._MANY", 5)
    seen: list[int] = []
    with DiskCollection.open(folder) as collection:
        assert collection.verify(seen.append) == []
        assert sum(seen) == len(collection)
        assert seen[:-1] == [5] * (len(seen) - 1)
    assert len(seen) > 1


def test_verify_finds_what_happens_while_a_collection_is_open(copies: Copies, folder: Path):
    with DiskCollection.open(folder) as collection:
        assert collection.verify() == []
        cut(1, 1)(folder / CACHES[0])
        assert "checksum does not fit" in collection.verify()[0]
        flip(0.5)(folder / STORE)
        with pytest.raises(DamagedDataError, match=STORE):
            collection.verify()
        assert collection.search(QUERIES, 10, fingerprint=FINGERPRINT) == copies.answers


def test_a_payload_survives_as_json(folder: Path):
    with DiskCollection.open(folder) as collection:
        assert json.dumps(collection.get("bird 7").payload) == '{"version": 0}'
