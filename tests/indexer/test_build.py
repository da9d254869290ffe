"""Pictures into a collection: nothing stops the run, nothing is done twice, nothing is lost."""

import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from indexer.build import build_collection
from indexer.disk import DiskCollection
from indexer.interruption import Interruption
from indexer.sources import Entry, entries_of_folder
from retrieval.errors import EXIT_INTERRUPTED, BadInputError, EncoderMismatchError
from tests.indexer.crash.forks import Forks
from tests.indexer.gallery import DIM, FINGERPRINT, vector_of
from tests.indexer.pictures import Encoder, build, write_pictures


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "photos")


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[DiskCollection]:
    with DiskCollection.create(tmp_path / "c", dim=DIM, fingerprint=FINGERPRINT) as collection:
        yield collection


def content(collection: DiskCollection) -> list[tuple[object, bytes]]:
    return [
        (item, row.tobytes())
        for item, row in zip(collection.items, collection.vectors, strict=True)
    ]


def test_a_folder_becomes_a_collection(root: Path, collection: DiskCollection):
    done: list[int] = []
    result = build(collection, entries_of_folder(root), root, on_progress=done.append)
    assert str(result) == "indexed 20"
    assert (result.added, result.unchanged, result.replaced) == (20, 0, 0)
    assert sum(done) == 20
    item = collection.get("class 1/004.jpg")
    assert item.label == "class 1"
    assert (collection.folder / item.path).resolve() == root / "class 1/004.jpg"
    np.testing.assert_array_equal(
        collection.vector("class 1/004.jpg"), vector_of(b"picture 4".hex())
    )


def test_each_batch_is_durable_before_the_next(root: Path, collection: DiskCollection):
    seen = []

    def look(number: int) -> None:
        with DiskCollection.open(collection.folder) as reader:
            seen.append(len(reader))

    build(collection, entries_of_folder(root), root, Encoder(after_batch=look))
    assert seen == [4, 8, 12, 16, 20]


def test_bad_pictures_are_named_and_the_others_go_on(root: Path, collection: DiskCollection):
    entries = entries_of_folder(root)
    for number in (0, 7, 19):
        (root / entries[number].path).write_bytes(b"bad bytes")
    (root / entries[5].path).unlink()
    broken = Path(entries[9].path).name
    result = build(collection, entries, root, Encoder(broken=[broken]))
    assert result.added == len(collection) == 15
    assert set(result.rejected) == {entries[number].path for number in (0, 5, 7, 9, 19)}
    assert "must be an image; got bad bytes" in result.rejected[entries[0].path]
    assert "got nothing that can be opened" in result.rejected[entries[5].path]
    assert "vector of norm 1; got 0. It has no usable" in result.rejected[entries[9].path]
    assert str(result) == "indexed 15, rejected 5"
    kept = {Path(path).name: reason for path, reason in collection.rejected().items()}
    assert kept == {Path(path).name: reason for path, reason in result.rejected.items()}
    collection.close()
    with DiskCollection.open(collection.folder) as again:
        assert len(again.rejected()) == 5
        assert again.info()["rejected"] == 5


def test_run_again_nothing_is_done_twice(root: Path, collection: DiskCollection):
    entries = entries_of_folder(root)
    (root / entries[3].path).write_bytes(b"bad bytes")
    build(collection, entries, root)
    generation, encoder = collection.generation, Encoder()
    result = build(collection, entries, root, encoder)
    assert str(result) == "indexed 0, unchanged 19, rejected 1"
    assert encoder.asked == [Path(entries[3].path).name]
    assert collection.generation == generation
    (root / entries[3].path).write_bytes(b"good bytes")
    assert str(build(collection, entries, root)) == "indexed 1, unchanged 19"
    assert collection.rejected() == {}


def test_what_is_there_differently_is_refused_or_replaced(root: Path, collection: DiskCollection):
    entries = entries_of_folder(root)
    build(collection, entries, root)
    (root / entries[2].path).write_bytes(b"another picture")
    entries[4] = Entry(entries[4].id, entries[4].path, "another label")
    before = content(collection)
    result = build(collection, entries, root)
    assert str(result) == "indexed 0, unchanged 18, rejected 2"
    assert "got another picture. Replace it" in result.rejected[entries[2].path]
    assert "got another path, label or payload" in result.rejected[entries[4].path]
    assert content(collection) == before
    encoder = Encoder()
    result = build(collection, entries, root, encoder, replace=True)
    assert str(result) == "indexed 0, replaced 2, unchanged 18"
    assert encoder.asked == [Path(entries[2].path).name]
    assert len(collection) == 20
    assert collection.get(entries[4].id).label == "another label"
    np.testing.assert_array_equal(
        collection.vector(entries[2].id), vector_of(b"another picture".hex())
    )


def test_one_file_under_two_ids_and_one_content_in_two_files(
    root: Path, collection: DiskCollection
):
    shutil.copy(root / "class 0/000.jpg", root / "class 1/copy.jpg")
    entries = [*entries_of_folder(root), Entry("again", "class 2/002.jpg")]
    build(collection, entries, root)
    assert len(collection) == 22
    assert collection.same_pictures() == [
        ["again", "class 2/002.jpg"],
        ["class 0/000.jpg", "class 1/copy.jpg"],
    ]


def test_nothing_outside_the_folder_and_nothing_but_files_is_opened(
    root: Path, collection: DiskCollection, tmp_path: Path
):
    (tmp_path / "outside.jpg").write_bytes(b"secret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.jpg").write_bytes(b"secret")
    (root / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (root / "inner.jpg").symlink_to(root / "class 0/000.jpg")
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    os.mkfifo(root / "pipe.jpg")
    (root / "device.jpg").symlink_to("/dev/zero")
    os.link(root / "class 0/003.jpg", root / "hard.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(root)
        listener.bind("socket.jpg")
        os.chdir(here)
        encoder = Encoder()
        result = build(collection, entries_of_folder(root), root, encoder)
    refused = {"link.jpg", "folder", "loop.jpg", "pipe.jpg", "device.jpg", "socket.jpg"}
    assert set(result.rejected) == refused
    assert not {"secret.jpg"} & {Path(name).name for name in encoder.asked}
    assert not refused & set(encoder.asked)
    assert len(collection) == 22
    hostile = ["../outside.jpg", "/etc/passwd", "a\0b.jpg", "a\nb.jpg", "~/x.jpg", "", "\ud800.jpg"]
    entries = [Entry(f"hostile {number}", path) for number, path in enumerate(hostile)]
    result = build(collection, entries, root, encoder)
    assert set(result.rejected) == set(hostile)
    assert len(collection) == 22


def test_hostile_names_do_not_stop_the_run(root: Path, collection: DiskCollection):
    long = Entry("x" * 1025, "class 0/000.jpg")
    payload = Entry("payload", "class 0/000.jpg", "", {"x": float("nan")})
    result = build(collection, [long, payload, Entry("good", "class 1/001.jpg")], root)
    assert collection.ids() == ["good"]
    assert len(result.rejected) == 1


def test_a_picture_that_changes_meanwhile_is_refused(root: Path, collection: DiskCollection):
    entries = entries_of_folder(root)
    changed = root / entries[-1].path

    def change(number: int) -> None:
        changed.write_bytes(b"something longer than before")

    result = build(collection, entries, root, Encoder(after_batch=change))
    assert set(result.rejected) == {entries[-1].path}
    assert "must stay as it is; got a change meanwhile" in result.rejected[entries[-1].path]
    assert str(build(collection, entries, root)) == "indexed 1, unchanged 19"


def test_a_picture_that_vanishes_meanwhile_is_named(root: Path, collection: DiskCollection):
    entries = entries_of_folder(root)
    encoder = Encoder(after_batch=lambda number: (root / entries[-1].path).unlink(missing_ok=True))
    result = build(collection, entries, root, encoder)
    assert set(result.rejected) == {entries[-1].path}
    assert len(collection) == 19


def test_another_encoder_and_one_id_twice_are_refused(root: Path, collection: DiskCollection):
    with pytest.raises(EncoderMismatchError, match="the encoder must come from the encoder of"):
        build(collection, entries_of_folder(root), root, Encoder(name="another"))
    with pytest.raises(BadInputError, match="entries must have different ids; got 'a'"):
        build(collection, [Entry("a", "x"), Entry("a", "y")], root)
    assert collection.generation == 0


def test_nothing_to_do_asks_the_encoder_nothing(root: Path, collection: DiskCollection):
    assert str(build_collection(collection, [], root, Encoder())) == "indexed 0"  # type: ignore[arg-type]


def test_a_signal_ends_the_run_after_its_batch(root: Path, collection: DiskCollection):
    def interrupt(number: int) -> None:
        if number == 1:
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    result = build(collection, entries_of_folder(root), root, Encoder(after_batch=interrupt))
    assert result.interrupted
    assert len(collection) == 12
    assert str(result) == "indexed 12; interrupted, run the same command again to go on"
    assert signal.getsignal(signal.SIGTERM) is before
    assert str(build(collection, entries_of_folder(root), root)) == "indexed 8, unchanged 12"


def test_a_second_signal_acts_at_once():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
            assert interruption.wished
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def run_and_stop(
    forks: Forks, folder: Path, root: Path, number: signal.Signals, seconds: float
) -> int:
    ready = folder.parent / "ready"
    ready.unlink(missing_ok=True)
    pid = forks.start("build", folder=str(folder), root=str(root), ready=str(ready))
    while not ready.exists():
        time.sleep(0.001)
    time.sleep(seconds)
    os.kill(pid, number)
    return forks.wait(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_stopped_at_any_time_and_gone_on_with_it_is_the_same_collection(
    forks: Forks, tmp_path: Path, number: signal.Signals
):
    root = write_pictures(tmp_path / "photos", 60)
    (root / "class 0/003.jpg").write_bytes(b"bad")
    with DiskCollection.create(tmp_path / "whole", dim=DIM, fingerprint=FINGERPRINT) as whole:
        build(whole, entries_of_folder(root), root)
        want, rejected = content(whole), whole.rejected()
    moments = random.Random(number)
    for trial in range(10):
        folder = tmp_path / f"c {trial}"
        DiskCollection.create(folder, dim=DIM, fingerprint=FINGERPRINT).close()
        status = run_and_stop(forks, folder, root, number, moments.uniform(0, 0.04))
        stopped = -number if number == signal.SIGKILL else EXIT_INTERRUPTED
        # A signal that comes before the run listens ends the process as signals do.
        assert status in (0, stopped, -number)
        with DiskCollection.open(folder) as reader:
            count = len(reader)
            assert content(reader) == want[:count]
        with DiskCollection.open(folder, write=True) as again:
            encoder = Encoder()
            result = build(again, entries_of_folder(root), root, encoder)
            assert result.unchanged == count
            assert len(encoder.asked) == 60 - count
            assert content(again) == want
            assert again.rejected() == rejected
