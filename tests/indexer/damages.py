"""Good collections, ways to damage them, and what must be true afterwards."""

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from indexer.choice import EngineChoice
from indexer.collection import SearchHit
from indexer.disk import DiskCollection
from indexer.manifest import STORE
from retrieval.errors import DamagedDataError
from tests.indexer.gallery import DIM, FINGERPRINT, items_of, vectors_of

NAMES = [f"bird {number}" for number in range(40)]
QUERIES = vectors_of([f"query {number}" for number in range(5)])
MANIFEST = "collection.json"
LOG = f"{STORE}-wal"
CACHES = ("cache/faiss_flat.bin", "cache/faiss_flat.json")
CONTENT_FILES = (
    "cache/contents.json",
    "cache/rows.bounds",
    "cache/rows.text",
    "cache/vectors.f32",
)
ENCODER = ("encoder/encoder.json", "encoder/weights.safetensors")

FLAT = EngineChoice("faiss_flat")

Damage = Callable[[Path], None]


@dataclass(frozen=True)
class Copies:
    """A collection at several moments, and what it answers.

    ``closed`` in order, ``killed`` with its log (a copy made while the writer was open), ``older``
    closed before the last change, ``other`` a collection of the same encoder.
    """

    closed: Path
    killed: Path
    older: Path
    older_killed: Path
    other: Path
    answers: list[list[SearchHit]]


def fill(folder: Path, encoder: Path, choice: EngineChoice) -> DiskCollection:
    collection = DiskCollection.create(
        folder, dim=DIM, fingerprint=FINGERPRINT, choice=choice, encoder=encoder
    )
    collection.add(vectors_of(NAMES[:20]), items_of(NAMES[:20]), fingerprint=FINGERPRINT)
    return collection


def make_copies(root: Path, choice: EngineChoice = FLAT) -> Copies:
    """The copies, made in ``root``."""
    encoder = root / "saved encoder"
    encoder.mkdir()
    (encoder / "encoder.json").write_text('{"dim": 16}')
    (encoder / "weights.safetensors").write_bytes(bytes(range(256)) * 8)
    fill(root / "work", encoder, choice).close()
    shutil.copytree(root / "work", root / "older")
    fill(root / "other", encoder, choice).close()
    collection = DiskCollection.open(root / "work", write=True)
    collection.add(vectors_of(NAMES[20:30]), items_of(NAMES[20:30]), fingerprint=FINGERPRINT)
    shutil.copytree(root / "work", root / "older killed")
    collection.add(vectors_of(NAMES[30:]), items_of(NAMES[30:]), fingerprint=FINGERPRINT)
    collection.remove(NAMES[:3])
    shutil.copytree(root / "work", root / "killed")
    answers = collection.search(QUERIES, 10, fingerprint=FINGERPRINT)
    collection.close()
    return Copies(
        root / "work",
        root / "killed",
        root / "older",
        root / "older killed",
        root / "other",
        answers,
    )


def flip(place: float, bit: int = 0) -> Damage:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[int(place * (len(data) - 1))] ^= 1 << bit
        path.write_bytes(data)

    return damage


def cut(share: float, less: int = 0) -> Damage:
    def damage(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share) - less])

    return damage


def zero_page(place: float) -> Damage:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        start = int(place * max(0, len(data) - 4096))
        start += next(more for more, byte in enumerate(data[start:]) if byte)
        data[start : start + 4096] = bytes(len(data[start : start + 4096]))
        path.write_bytes(data)

    return damage


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def double(path: Path) -> None:
    path.write_bytes(path.read_bytes() * 2)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def refused(folder: Path, file: str) -> None:
    for write in (False, True):
        with pytest.raises(DamagedDataError, match=f"{file} must (be|hold)") as caught:
            DiskCollection.open(folder, write=write)
        assert str(folder) in str(caught.value)


def right(folder: Path, copies: Copies) -> list[str]:
    """Notices of a collection that answers as it did before the damage."""
    notices = []
    for write in (False, True):
        with DiskCollection.open(folder, write=write) as collection:
            assert collection.search(QUERIES, 10, fingerprint=FINGERPRINT) == copies.answers
            assert sorted(collection.ids()) == sorted(NAMES[3:])
            notices += collection.notices
    return notices


def in_the_store(folder: Path, statement: str, *values: object) -> None:
    """Change the store behind the program's back; the log goes into the main file."""
    with sqlite3.connect(folder / STORE) as connection:
        connection.execute(statement, values)
    connection.close()
