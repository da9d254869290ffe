"""A folder and a collection in step: what is new, changed or gone, and nothing else."""

import os
import random
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from indexer.collection import Item
from indexer.disk import DiskCollection
from indexer.sources import Entry, entries_of_folder, entries_of_table
from indexer.syncing import SyncPlan, SyncResult, apply_sync, plan_sync, rows_by_id
from indexer.watching import Watch
from retrieval.errors import BadInputError
from tests.indexer.gallery import DIM, FINGERPRINT, items_of, vector_of, vectors_of
from tests.indexer.pictures import Encoder, write_pictures


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "photos", 12)


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[DiskCollection]:
    with DiskCollection.create(tmp_path / "c", dim=DIM, fingerprint=FINGERPRINT) as collection:
        yield collection


def planned(
    collection: DiskCollection, root: Path, entries: Sequence[Entry] | None = None, **options: Any
) -> SyncPlan:
    by_path = entries is None
    entries = entries_of_folder(root) if entries is None else entries
    rows = rows_by_id(collection)
    return plan_sync(rows, collection.folder, entries, root, by_path=by_path, **options)


def apply(
    collection: DiskCollection, plan: SyncPlan, root: Path, encoder: Encoder | None = None
) -> SyncResult:
    encoder = encoder or Encoder()
    encoder.root = root
    return apply_sync(
        collection, plan, root, cast(Any, encoder), encode=cast(Any, encoder), batch_size=4
    )


def sync(
    collection: DiskCollection,
    root: Path,
    encoder: Encoder | None = None,
    entries: Sequence[Entry] | None = None,
) -> str:
    return str(apply(collection, planned(collection, root, entries), root, encoder))


def in_step(collection: DiskCollection, root: Path) -> None:
    """Fail unless the collection holds exactly the pictures of the folder, as they are."""
    want = {entry.id: (root / entry.path).read_bytes() for entry in entries_of_folder(root)}
    assert sorted(collection.ids()) == sorted(want)
    for id_, data in want.items():
        np.testing.assert_array_equal(collection.vector(id_), vector_of(data.hex()))


def test_new_changed_and_gone_pictures(root: Path, collection: DiskCollection):
    assert sync(collection, root) == "added 12, changed 0, removed 0, unchanged 0, rejected 0"
    in_step(collection, root)
    (root / "class 0" / "000.jpg").unlink()
    (root / "class 1" / "new.jpg").write_bytes(b"new")
    (root / "class 2" / "002.jpg").write_bytes(b"other")
    encoder = Encoder()
    said = sync(collection, root, encoder)
    assert said == "added 1, changed 1, removed 1, unchanged 10, rejected 0"
    assert sorted(encoder.asked) == ["002.jpg", "new.jpg"]
    in_step(collection, root)
    generation = collection.generation
    assert sync(collection, root) == "added 0, changed 0, removed 0, unchanged 12, rejected 0"
    assert collection.generation == generation


def test_a_change_of_bytes_is_seen_whatever_size_and_time_say(
    root: Path, collection: DiskCollection
):
    sync(collection, root)
    path = root / "class 0" / "003.jpg"
    status, data = path.stat(), path.read_bytes()
    path.write_bytes(data[::-1])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [entry.id for entry in planned(collection, root).changed] == ["class 0/003.jpg"]
    path.write_bytes(data)
    assert planned(collection, root).changed == []
    path.touch()
    assert planned(collection, root).changed == []


def test_items_of_other_folders_and_those_added_by_hand_stay(
    root: Path, collection: DiskCollection, tmp_path: Path
):
    beside = write_pictures(tmp_path / "photos 2", 3)
    names = ["hand", "far", "nowhere"]
    paths = ["../photos/class 0/000.jpg", "/photos/class 0/000.jpg", ""]
    hand = [Item(name, path) for name, path in zip(names, paths, strict=True)]
    sync(collection, root)
    collection.add(vectors_of(names), hand, fingerprint=FINGERPRINT)
    for path in root.rglob("*.jpg"):
        (beside / f"beside {path.name}").write_bytes(path.read_bytes())
    with pytest.raises(AssertionError):
        in_step(collection, root)
    shutil.rmtree(root / "class 0")
    said = sync(collection, root)
    assert said == "added 0, changed 0, removed 4, unchanged 8, rejected 0"
    assert set(names) < set(collection.ids())
    said = sync(collection, beside)
    # The folder beside has pictures of the same names as items of the first one.
    assert said == "added 13, changed 0, removed 0, unchanged 0, rejected 2"
    assert len(collection) == 8 + 3 + 13


def test_an_item_of_another_folder_is_not_replaced(
    root: Path, collection: DiskCollection, tmp_path: Path
):
    sync(collection, root)
    other = tmp_path / "other"
    (other / "class 0").mkdir(parents=True)
    (other / "class 0" / "000.jpg").write_bytes(b"another")
    before = collection.vector("class 0/000.jpg").copy()
    plan = planned(collection, other)
    said = str(apply(collection, plan, other))
    assert said == "added 0, changed 0, removed 0, unchanged 0, rejected 1"
    assert "must be new, or an item of" in plan.rejected["class 0/000.jpg"]
    np.testing.assert_array_equal(collection.vector("class 0/000.jpg"), before)


def test_a_link_to_the_folder_is_the_folder(root: Path, collection: DiskCollection, tmp_path: Path):
    sync(collection, root)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "link").symlink_to(root)
    (root / "class 0" / "000.jpg").unlink()
    said = sync(collection, tmp_path / "deep" / "er" / "link")
    assert said == "added 0, changed 0, removed 1, unchanged 11, rejected 0"


def test_what_lies_below_a_folder_that_cannot_be_opened_is_not_gone(
    root: Path, collection: DiskCollection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sync(collection, root)
    (root / "class 0").rename(tmp_path / "elsewhere")
    (root / "class 0").symlink_to(tmp_path / "elsewhere")
    plan = planned(collection, root)
    assert plan.removed == []
    result = apply(collection, plan, root)
    assert list(result.rejected) == ["class 0"]
    assert len(collection) == 12


def test_a_picture_that_has_become_bad_keeps_its_item(root: Path, collection: DiskCollection):
    sync(collection, root)
    (root / "class 0" / "000.jpg").write_bytes(b"bad")
    said = sync(collection, root)
    assert said == "added 0, changed 0, removed 0, unchanged 11, rejected 1"
    assert "class 0/000.jpg" in collection


def test_a_table_and_a_collection_are_brought_in_step(root: Path, collection: DiskCollection):
    table = root / "list.csv"
    lines = [f"p{number},class {number % 3}/{number:03}.jpg,x" for number in range(6)]

    def write(*rows: str) -> list[Entry]:
        table.write_text("\n".join(["id,path,label", *rows]))
        return entries_of_table(table)

    said = sync(collection, root, entries=write(*lines))
    assert said == "added 6, changed 0, removed 0, unchanged 0, rejected 0"
    encoder = Encoder()
    lines[0] = "p0,class 0/000.jpg,another label"
    said = sync(collection, root, encoder, entries=write(*lines[:4], "p9,class 0/009.jpg,x"))
    assert said == "added 1, changed 1, removed 2, unchanged 3, rejected 0"
    assert encoder.asked == ["009.jpg"]  # a label is no reason to encode again
    assert collection.get("p0").label == "another label"
    assert sorted(collection.ids()) == ["p0", "p1", "p2", "p3", "p9"]


@pytest.mark.parametrize(("gone", "most"), [(0, False), (6, False), (7, True), (11, True)])
def test_more_than_half_is_most(root: Path, collection: DiskCollection, gone: int, most: bool):
    sync(collection, root)
    others = [f"other {number}" for number in range(50)]
    collection.add(vectors_of(others), items_of(others), fingerprint=FINGERPRINT)
    for path in sorted(root.rglob("*.jpg"))[:gone]:
        path.unlink()
    plan = planned(collection, root)
    assert (plan.considered, len(plan.removed), plan.removes_most) == (12, gone, most)


def test_an_empty_folder_removes_nothing(root: Path, collection: DiskCollection):
    sync(collection, root)
    shutil.rmtree(root)
    root.mkdir()
    with pytest.raises(BadInputError, match="must hold pictures; got none"):
        sync(collection, root)
    assert len(collection) == 12


class KilledError(Exception):
    pass


@pytest.mark.parametrize("after", range(5))
def test_killed_anywhere_it_is_gone_on_with(
    root: Path, collection: DiskCollection, monkeypatch: pytest.MonkeyPatch, after: int
):
    sync(collection, root)
    generator = random.Random(after)
    for path in sorted(root.rglob("*.jpg")):
        what = generator.choice(["keep", "change", "remove"])
        if what == "change":
            path.write_bytes(f"changed {path}".encode())
        elif what == "remove":
            path.unlink()
    for number in range(9):
        (root / f"new {number}.jpg").write_bytes(f"new {number}".encode())
    monkeypatch.setattr("indexer.syncing._REMOVED_AT_ONCE", 1)
    real, writes = collection.write, iter(range(after))

    def write(change: Any) -> None:
        if next(writes, None) is None:
            raise KilledError
        real(change)

    with monkeypatch.context() as patch:
        patch.setattr(collection, "write", write)
        with pytest.raises(KilledError):
            sync(collection, root)
    sync(collection, root)
    in_step(collection, root)


def test_after_an_interruption_nothing_is_removed(root: Path, collection: DiskCollection):
    sync(collection, root)
    (root / "class 0" / "000.jpg").unlink()
    for number in range(9):
        (root / f"new {number}.jpg").write_bytes(f"new {number}".encode())
    encoder = Encoder(after_batch=lambda number: signal.raise_signal(signal.SIGTERM))
    said = sync(collection, root, encoder)
    # The signal comes while the second batch is made, which is finished.
    assert said.startswith("added 8, changed 0, removed 0, unchanged 11, rejected 0; interrupted")
    assert sync(collection, root) == "added 1, changed 0, removed 1, unchanged 19, rejected 0"
    in_step(collection, root)


# Watching


class Watching:
    """Rounds of one watch over a collection; None where there was nothing to do."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.watch = Watch(root, folder)
        self.encoder = Encoder()
        self.folder = folder

    def round(self) -> str | None:
        found = self.watch.look()
        if found.idle:
            return None
        with DiskCollection.open(self.folder, write=True) as collection:
            plan = planned(collection, found.root, settled=found.settled, waiting=found.waiting)
            result = apply(collection, plan, found.root, self.encoder)
        self.watch.done(found, result)
        return str(result)


@pytest.fixture
def watching(root: Path, collection: DiskCollection) -> Watching:
    collection.close()
    return Watching(root, collection.folder)


def test_a_watch_waits_until_pictures_are_at_rest(root: Path, watching: Watching):
    assert watching.round() is None
    assert watching.round() == "added 12, changed 0, removed 0, unchanged 0, rejected 0"
    assert watching.round() is None
    growing = root / "growing.jpg"
    for part in range(3):
        with growing.open("ab") as file:
            file.write(b"x" * 10)
        assert watching.round() is None, part
    assert watching.round() == "added 1, changed 0, removed 0, unchanged 12, rejected 0"
    assert watching.encoder.asked[-1] == "growing.jpg"
    growing.write_bytes(b"changed")
    assert watching.round() is None
    assert watching.round() == "added 0, changed 1, removed 0, unchanged 12, rejected 0"
    growing.unlink()
    assert watching.round() is None
    assert watching.round() == "added 0, changed 0, removed 1, unchanged 12, rejected 0"
    assert watching.round() is None
    with DiskCollection.open(watching.folder) as collection:
        in_step(collection, root)


def test_one_that_is_written_does_not_hold_up_the_others(root: Path, watching: Watching):
    watching.round()
    growing = root / "growing.jpg"
    growing.write_bytes(b"x")
    assert watching.round() == "added 12, changed 0, removed 0, unchanged 0, rejected 0"
    assert watching.round() == "added 1, changed 0, removed 0, unchanged 12, rejected 0"
    gone, fresh = root / "class 0" / "000.jpg", root / "fresh.jpg"
    fresh.write_bytes(b"fresh")
    watching.round()
    gone.unlink()
    assert watching.round() == "added 1, changed 0, removed 0, unchanged 12, rejected 0"
    assert watching.round() == "added 0, changed 0, removed 1, unchanged 13, rejected 0"


def test_what_was_rejected_is_tried_again_when_it_has_changed(root: Path, watching: Watching):
    bad = root / "bad.jpg"
    bad.write_bytes(b"bad")
    watching.round()
    assert watching.round() == "added 12, changed 0, removed 0, unchanged 0, rejected 1"
    assert watching.round() is None
    (root / "new.jpg").write_bytes(b"new")
    watching.round()
    assert watching.round() == "added 1, changed 0, removed 0, unchanged 12, rejected 1"
    assert watching.encoder.asked.count("bad.jpg") == 1
    bad.write_bytes(b"good")
    watching.round()
    assert watching.round() == "added 1, changed 0, removed 0, unchanged 13, rejected 0"


def test_what_somebody_else_has_removed_comes_back(root: Path, watching: Watching):
    watching.round()
    watching.round()
    with DiskCollection.open(watching.folder, write=True) as collection:
        collection.remove(["class 0/000.jpg"])
    assert watching.round() == "added 1, changed 0, removed 0, unchanged 11, rejected 0"
    assert watching.round() is None
