"""One writer, any number of readers, each with a whole generation.

Readers in processes of their own are in test_promises.py.
"""

import os
import shutil
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from indexer import backends
from indexer.disk import DiskCollection
from retrieval import plugins
from retrieval.errors import BadInputError, BusyError, StorageError
from tests.indexer.conftest import Make
from tests.indexer.crash.forks import Forks
from tests.indexer.crash.readers import wait_for
from tests.indexer.gallery import FINGERPRINT, item_of, items_of, vector_of, vectors_of


def write_until_busy_no_more(collection: Path) -> None:
    """The kernel may take a moment to bury a killed process."""
    for _ in range(1_000):
        try:
            DiskCollection.open(collection, write=True).close()
        except BusyError:
            time.sleep(0.002)
        else:
            return
    raise AssertionError("the lock of a killed process was never released")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with DiskCollection.create(tmp_path / "c", dim=16, fingerprint=FINGERPRINT) as collection:
        collection.add(vectors_of(["a"]), items_of(["a"]), fingerprint=FINGERPRINT)
    return collection.folder


def test_a_second_writer_is_told_who_the_first_is(make: Make):
    first = make("a")
    with pytest.raises(BusyError, match=f"got process {os.getpid()} writing since 20"):
        DiskCollection.open(first.folder, write=True)
    with DiskCollection.open(first.folder) as reader:
        assert len(reader) == 1
    first.close()
    DiskCollection.open(first.folder, write=True).close()


@pytest.mark.parametrize("fork", [False, True])
def test_a_killed_writer_leaves_no_lock(forks: Forks, folder: Path, fork: bool):
    for number in range(10):
        ready = folder.parent / f"ready {number}"
        pid = forks.start("hold", folder=str(folder), ready=str(ready), fork=fork)
        wait_for(ready)
        with pytest.raises(BusyError, match=f"got process {pid} writing since"):
            DiskCollection.open(folder, write=True)
        os.kill(pid, signal.SIGKILL)
        assert forks.wait(pid) == -signal.SIGKILL
        write_until_busy_no_more(folder)


@pytest.mark.parametrize("text", ["", "x", "1 2 3", "\x00", "nan now"])
def test_what_a_lock_file_says_does_not_lock(folder: Path, text: str):
    (folder / "LOCK").write_text(text)
    with DiskCollection.open(folder, write=True) as collection:
        assert len(collection) == 1


def test_a_lock_file_without_words_still_locks(folder: Path):
    with DiskCollection.open(folder, write=True):
        (folder / "LOCK").write_text("?")
        with pytest.raises(BusyError, match="got another process"):
            DiskCollection.open(folder, write=True)


def test_without_its_lock_file_a_writer_writes_no_more(make: Make):
    first = make("a")
    (first.folder / "LOCK").unlink()
    second = DiskCollection.open(first.folder, write=True)
    with pytest.raises(StorageError, match="LOCK must be the file this writer locked"):
        first.add(vectors_of(["b"]), items_of(["b"]), fingerprint=FINGERPRINT)
    second.add(vectors_of(["c"]), items_of(["c"]), fingerprint=FINGERPRINT)
    second.close()
    with DiskCollection.open(first.folder) as reader:
        assert reader.ids() == ["a", "c"]


def test_a_copied_folder_is_not_locked(make: Make, tmp_path: Path):
    first = make("a")
    shutil.copytree(first.folder, tmp_path / "copy")
    with DiskCollection.open(tmp_path / "copy", write=True) as copy:
        copy.add(vectors_of(["b"]), items_of(["b"]), fingerprint=FINGERPRINT)
    assert first.ids() == ["a"]


def test_two_that_add_at_once_both_end_up_in_it(forks: Forks, folder: Path):
    names = [f"{number}" for number in range(20)]
    for one, other in zip(names[::2], names[1::2], strict=True):
        pids = [forks.start("add_one", folder=str(folder), name=name) for name in (one, other)]
        assert [forks.wait(pid) for pid in pids] == [0, 0]
    with DiskCollection.open(folder) as reader:
        assert sorted(reader.ids()) == sorted(["a", *names])
        assert reader.generation == 21
        reader.verify()


STAY = [f"stay {number}" for number in range(30)]
COME_AND_GO = [f"go {number}" for number in range(30)]


@dataclass
class Searcher:
    """Searches in a thread for what is always there, and counts what is always there or not."""

    collection: DiskCollection
    done: threading.Event
    answered: int = 0
    wrong: list[object] = field(default_factory=list)

    def run(self) -> None:
        while not self.done.is_set():
            answers = self.collection.search(vectors_of(STAY), 3, fingerprint=FINGERPRINT)
            self.wrong += [
                hits
                for name, hits in zip(STAY, answers, strict=True)
                if hits[0].item != item_of(name) or hits[0].score < 1 - 2e-6
            ]
            count = len(self.collection.items)
            self.wrong += [] if count in (30, 60) else [count]
            self.answered += len(answers)


@pytest.mark.parametrize("engine", plugins.names(backends))
def test_threads_search_while_another_changes(make: Make, engine: str):
    collection = make(*STAY, *COME_AND_GO, engine=engine)
    done = threading.Event()
    searchers = [Searcher(collection, done) for _ in range(3)]
    threads = [threading.Thread(target=searcher.run) for searcher in searchers]
    for thread in threads:
        thread.start()
    while sum(searcher.answered for searcher in searchers) < 4_000 and _alive(threads):
        collection.remove(COME_AND_GO)
        collection.add(vectors_of(COME_AND_GO), items_of(COME_AND_GO), fingerprint=FINGERPRINT)
    done.set()
    for thread in threads:
        thread.join()
    assert [searcher.wrong for searcher in searchers] == [[], [], []]
    assert sum(searcher.answered for searcher in searchers) >= 4_000


def _alive(threads: list[threading.Thread]) -> bool:
    return all(thread.is_alive() for thread in threads)


def test_a_reader_keeps_its_generation_until_it_is_told(make: Make):
    writer = make("a")
    with DiskCollection.open(writer.folder) as reader:
        query = vector_of("b")[None]
        before = reader.search(query, 5, fingerprint=FINGERPRINT)
        assert reader.refresh() is False
        writer.add(vectors_of(["b"]), items_of(["b"]), fingerprint=FINGERPRINT)
        assert reader.search(query, 5, fingerprint=FINGERPRINT) == before
        assert reader.refresh() is True
        assert reader.search(query, 5, fingerprint=FINGERPRINT)[0][0].item.id == "b"
        writer.close()
        assert reader.refresh() is False
        assert len(reader) == 2


def test_a_search_that_began_ends_in_its_generation(make: Make):
    collection = make("a", "b")
    rows = collection.vectors
    collection.remove(["a"])
    assert len(rows) == 2
    assert len(collection.vectors) == 1


def test_a_reader_cannot_write(make: Make):
    collection = make("a")
    with DiskCollection.open(collection.folder) as reader:
        with pytest.raises(BadInputError, match="open for writing to be changed"):
            reader.add(vectors_of(["b"]), items_of(["b"]), fingerprint=FINGERPRINT)
        with pytest.raises(BadInputError, match="open for writing to be changed"):
            reader.remove(["a"])


def test_closed_is_closed(make: Make):
    collection = make("a")
    reader = DiskCollection.open(collection.folder)
    for one in (collection, reader):
        one.close()
        one.close()
        with pytest.raises(BadInputError, match="must be open; got it closed"):
            one.search(vectors_of(["a"]), 1, fingerprint=FINGERPRINT)
        with pytest.raises(BadInputError, match="must be open; got it closed"):
            one.remove(["a"])
        with pytest.raises(BadInputError, match="must be open; got it closed"):
            one.verify()
