"""A new collection is there as a whole or not at all, and never in the place of something else."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from indexer.disk import DiskCollection
from indexer.locks import WriteLock
from retrieval.errors import BadInputError, DamagedDataError, StorageError
from tests.indexer.conftest import Make
from tests.indexer.gallery import DIM, FINGERPRINT, items_of, vectors_of


def create(folder: Path, **changed: Any) -> DiskCollection:
    options: dict[str, Any] = {"dim": DIM, "fingerprint": FINGERPRINT} | changed
    return DiskCollection.create(folder, **options)


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "a\nb",
        "a\tb",
        "\x1b[31m",
        "\u202ebirds",
        "con",
        "NUL.birds",
        "COM1",
        "x" * 300,
        "é" * 51,
    ],
)
def test_an_unfit_name_is_refused(tmp_path: Path, name: str):
    with pytest.raises(BadInputError, match=r"a collection(|'s name) must have"):
        create(tmp_path / "new" / name)
    assert list(tmp_path.iterdir()) == []


def test_the_root_and_the_folder_one_is_in_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "something").touch()
    for folder in (Path("/"), Path(), Path("..")):
        with pytest.raises(BadInputError, match="must"):
            create(folder)


@pytest.mark.parametrize("name", ["birds", "My Birds", "птицы", "birds.2024", "-birds", "0"])
def test_a_plain_name_is_taken(tmp_path: Path, name: str):
    create(tmp_path / "new" / name).close()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [name]
    with DiskCollection.open(tmp_path / "new" / name) as collection:
        assert collection.info()["folder"] == str(tmp_path / "new" / name)


def test_what_is_there_is_never_overwritten(make: Make, tmp_path: Path):
    collection = make("a")
    before = {path: path.read_bytes() for path in collection.folder.rglob("*") if path.is_file()}
    with pytest.raises(BadInputError, match="must be a new or empty folder; got one"):
        create(collection.folder)
    assert before == {path: path.read_bytes() for path in before}
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInputError, match="must be a new folder; got a file"):
        create(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises((BadInputError, StorageError)):
        create(tmp_path / "link" / "c" / "..")


def test_an_empty_folder_is_taken(tmp_path: Path):
    (tmp_path / "birds").mkdir()
    with create(tmp_path / "birds") as collection:
        assert len(collection) == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dim": 0}, "dim must be an integer from 1 to 65,536; got 0"),
        ({"dim": 65_537}, "dim must be"),
        ({"dim": 3.0}, "dim must be"),
        ({"dim": True}, "dim must be"),
        ({"fingerprint": ""}, "fingerprint must name an encoder"),
        ({"fingerprint": None}, "fingerprint must be text"),
        ({"engine": "faiss_flaat"}, "no backends called 'faiss_flaat'.* Did you mean 'faiss_flat'"),
        ({"engine": "../exact"}, "no backends called"),
    ],
)
def test_unusable_options_are_refused(tmp_path: Path, changed: dict[str, Any], said: str):
    with pytest.raises(BadInputError, match=said):
        create(tmp_path / "birds", **changed)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_creation_left_is_cleared_away(tmp_path: Path):
    killed = tmp_path / ".birds.0123abcd.partial"
    alive = tmp_path / ".birds.4567abcd.partial"
    another = tmp_path / ".birds2.0123abcd.partial"
    for folder in (killed, alive, another):
        folder.mkdir()
        (folder / "collection.sqlite").touch()
    lock = WriteLock(alive / "LOCK")
    create(tmp_path / "birds").close()
    assert not killed.exists()
    assert alive.exists()
    assert another.exists()
    lock.release()


def test_what_a_killed_change_left_is_cleared_away(make: Make):
    collection = make("a", engine="faiss_flat")
    collection.close()
    left = [collection.folder / ".SEAL.0123abcd.partial"]
    left += [collection.folder / "cache" / ".faiss_flat.bin.0123abcd.partial"]
    for path in left:
        path.touch()
    DiskCollection.open(collection.folder).close()
    assert all(path.exists() for path in left)
    DiskCollection.open(collection.folder, write=True).close()
    assert not any(path.exists() for path in left)


def test_an_encoder_travels_with_its_collection(tmp_path: Path):
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    (encoder / "encoder.json").write_text("{}")
    (encoder / "weights.safetensors").write_bytes(b"weights")
    with create(tmp_path / "birds", encoder=encoder) as collection:
        collection.add(vectors_of(["a"]), items_of(["a"]), fingerprint=FINGERPRINT)
    shutil.rmtree(encoder)
    (tmp_path / "birds").rename(tmp_path / "moved")
    with DiskCollection.open(tmp_path / "moved") as again:
        folder = again.encoder_folder()
        assert folder is not None
        assert (folder / "weights.safetensors").read_bytes() == b"weights"
    with create(tmp_path / "without") as collection:
        assert collection.encoder_folder() is None
    with pytest.raises(StorageError, match="No such file"):
        create(tmp_path / "other", encoder=encoder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["moved", "without"]


def test_a_pair_of_encoders_travels_with_its_collection(tmp_path: Path):
    encoder = tmp_path / "encoder"
    for name in ("photo", "sketch"):
        (encoder / name).mkdir(parents=True)
        (encoder / name / "encoder.json").write_text(name)
    (encoder / "pair.json").write_text("{}")
    (encoder / "same.json").symlink_to("pair.json")  # a link that stays inside is a file
    create(tmp_path / "birds", encoder=encoder).close()
    shutil.rmtree(encoder)
    with DiskCollection.open(tmp_path / "birds") as again:
        folder = again.encoder_folder()
        assert folder is not None
        files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
        assert files == {"pair.json", "same.json", "photo/encoder.json", "sketch/encoder.json"}
        sketch = folder / "sketch" / "encoder.json"
        assert sketch.read_text() == "sketch"
        sketch.write_text("other")
        with pytest.raises(DamagedDataError, match=f"{sketch} must be as it was copied"):
            again.encoder_folder()
        sketch.unlink()
        with pytest.raises(DamagedDataError, match=f"{sketch} must be as it was copied"):
            again.verify()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_no_link_leads_out_of_an_encoder(tmp_path: Path, kind: str):
    encoder, elsewhere = tmp_path / "encoder", tmp_path / "elsewhere"
    for folder in (encoder / "photo", elsewhere):
        folder.mkdir(parents=True)
    (elsewhere / "secret").write_text("secret")
    target = elsewhere / "secret" if kind == "file" else elsewhere
    (encoder / "photo" / "link").symlink_to(target)
    with pytest.raises(BadInputError, match="must be a file of the encoder; got a link to another"):
        create(tmp_path / "birds", encoder=encoder)
    assert not (tmp_path / "birds").exists()


def test_a_door_that_became_a_link_is_damage(tmp_path: Path):
    encoder = tmp_path / "encoder"
    (encoder / "photo").mkdir(parents=True)
    (encoder / "photo" / "encoder.json").write_text("photo")
    create(tmp_path / "birds", encoder=encoder).close()
    copied = tmp_path / "birds" / "encoder" / "photo"
    shutil.rmtree(copied)
    copied.symlink_to(encoder / "photo")
    with (
        DiskCollection.open(tmp_path / "birds") as again,
        pytest.raises(DamagedDataError, match="must be as it was copied"),
    ):
        again.encoder_folder()


def test_opening_what_is_no_collection_says_so(tmp_path: Path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name, got in [
        ("file", "Not a directory"),
        ("folder", "a folder without"),
        ("none", "nothing there"),
    ]:
        for write in (False, True):
            with pytest.raises(BadInputError, match=f"must be a collection; got: {got}"):
                DiskCollection.open(tmp_path / name, write=write)
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(BadInputError, match="must be a collection"):
            DiskCollection.open(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_collection_that_lost_its_first_file_is_damaged_not_new(make: Make):
    collection = make("a")
    collection.close()
    (collection.folder / "collection.json").unlink()
    with pytest.raises(DamagedDataError, match=r"collection.json must be .* no such file"):
        DiskCollection.open(collection.folder)
    with pytest.raises(BadInputError, match="in use"):
        create(collection.folder)


def test_info_says_what_a_person_asks(make: Make):
    collection = make("a", "b", engine="faiss_flat")
    info = collection.info()
    assert (info["items"], info["dim"], info["generation"]) == (2, DIM, 1)
    assert (info["engine"], info["encoder"], info["rejected"]) == ("faiss_flat", FINGERPRINT, 0)
    collection.close()
    with DiskCollection.open(collection.folder) as again:
        bytes_ = sum(path.stat().st_size for path in again.folder.rglob("*") if path.is_file())
        assert again.info()["bytes"] == bytes_
