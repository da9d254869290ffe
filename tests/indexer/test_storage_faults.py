"""A full, failing or read-only disk: a sentence, and everything acknowledged is still there."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.disk import DiskCollection
from indexer.manifest import SEAL, STORE
from retrieval.errors import StorageError
from tests.indexer.conftest import Make
from tests.indexer.crash import workload
from tests.indexer.crash.faults import DONE, FULL, SEED, survives
from tests.indexer.crash.forks import Forks
from tests.indexer.crash.power import can_trace
from tests.indexer.gallery import FINGERPRINT, items_of, vectors_of


@pytest.mark.parametrize(
    "most_bytes",
    [0, 100, 1_000, 4_096, 16_384, 32_768, *range(40_000, 200_001, 25_000), 262_144, 10**9],
)
def test_files_that_may_not_grow(forks: Forks, tmp_path: Path, most_bytes: int):
    status = survives(forks, tmp_path, most_bytes=most_bytes)
    if most_bytes < 50_000:
        assert status == FULL
    if most_bytes == 10**9:
        assert status == DONE


def test_each_call_that_fails_in_turn(forks: Forks, tmp_path: Path):
    """The method of SQLite's own tests: fail the 1st call, the 2nd ... until nothing is left."""
    failed = 0
    for number in range(1, 500):
        status = survives(forks, tmp_path, "exact", 2, fail_call=number, error=errno.EIO)
        failed += status == FULL
        if status == DONE and number > 30:
            break
    else:
        raise AssertionError("the workload never came to its end")
    assert failed >= 8


@pytest.mark.slow
@pytest.mark.parametrize(
    "call", ["pwrite64", "fdatasync", "fsync", "ftruncate", "rename", "unlink", "write", "mkdir"]
)
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_each_system_call_that_fails_in_turn(tmp_path: Path, call: str, error: str):
    """SQLite's own writes included: strace makes the n-th call of a kind fail."""
    if not can_trace():
        pytest.skip("needs strace and the right to trace")
    root = Path(__file__).resolve().parents[2]
    failed = 0
    for number in range(1, 400):
        folder, acknowledged = tmp_path / "c", tmp_path / "acknowledged"
        acknowledged.write_text("")
        job = {"kind": "change_with_faults", "folder": str(folder), "seed": SEED}
        job |= {"engine": "exact", "start": 0, "steps": 3, "acknowledged": str(acknowledged)}
        traced = [f"trace={call}", "-e", f"inject={call}:error={error}:when={number}"]
        status = subprocess.run(
            ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", *traced]  # noqa: RUF005
            + [sys.executable, "-m", "tests.indexer.crash.forks", json.dumps(job)],
            cwd=root,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
        ).returncode
        assert status in (DONE, FULL)
        done = acknowledged.read_text().count("\n")
        if folder.exists():
            workload.check(folder, SEED, done, "exact")
            shutil.rmtree(folder)
        if "(INJECTED)" not in (tmp_path / "trace").read_text():
            break
        failed += status == FULL
    else:
        raise AssertionError("the workload never came to its end")
    print(f"{call} {error}: {number - 1} faults, {failed} told, 0 lost")  # noqa: T201


def test_a_failed_change_is_not_acknowledged_and_ends_the_writing(
    make: Make, monkeypatch: pytest.MonkeyPatch
):
    collection = make("a", "b")
    before = collection.search(vectors_of(["a"]), 2, fingerprint=FINGERPRINT)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "no disk")))
        with pytest.raises(StorageError, match=f"{SEAL} must be written whole; got: no disk"):
            collection.add(vectors_of(["c"]), items_of(["c"]), fingerprint=FINGERPRINT)
    assert collection.search(vectors_of(["a"]), 2, fingerprint=FINGERPRINT) == before
    with pytest.raises(StorageError, match="must be opened again after a failed change"):
        collection.remove(["a"])
    collection.close()
    with DiskCollection.open(collection.folder, write=True) as again:
        assert again.ids() == ["a", "b", "c"]  # written, though not acknowledged: whole
        again.verify()


def test_a_cache_that_cannot_be_written_is_no_loss(make: Make, monkeypatch: pytest.MonkeyPatch):
    collection = make("a", "b", engine="faiss_flat")
    shutil.rmtree(collection.folder / "cache")
    (collection.folder / "cache").write_text("in the way")
    collection.close()
    assert "was left without its closing seal" in collection.notices[0]
    (collection.folder / "cache").unlink()
    with DiskCollection.open(collection.folder) as again:
        assert again.ids() == ["a", "b"]


def read_only(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.parent.chmod(0o755)


def as_nobody(forks: Forks, folder: Path) -> list[str]:
    report = folder.parent / "report"
    assert forks.run("as_nobody", folder=str(folder), queries=2, report=str(report)) == 0
    said: list[str] = json.loads(report.read_text())
    return said


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """The same collection closed in order and killed."""
    folder = tmp_path / "closed"
    with DiskCollection.create(folder, dim=16, fingerprint=FINGERPRINT) as collection:
        collection.add(vectors_of(["a", "b"]), items_of(["a", "b"]), fingerprint=FINGERPRINT)
        shutil.copytree(folder, tmp_path / "killed")
    return folder, tmp_path / "killed"


def test_a_read_only_collection_can_be_searched(forks: Forks, both: tuple[Path, Path]):
    for folder in both:
        read_only(folder)
        before = sorted(folder.rglob("*"))
        searched, written = as_nobody(forks, folder)
        assert searched == "2 answers"
        assert written.startswith("storage: ")
        assert "LOCK must be writable to change the collection" in written
        assert sorted(folder.rglob("*")) == before


def test_a_read_only_collection_without_shared_memory_is_told_of(
    forks: Forks, both: tuple[Path, Path]
):
    folder = both[1]
    (folder / f"{STORE}-shm").unlink()
    read_only(folder)
    searched, _ = as_nobody(forks, folder)
    assert searched == "2 answers" or searched.startswith("storage: ")


@pytest.mark.parametrize("file", ["collection.json", SEAL, STORE])
def test_a_file_that_may_not_be_read_is_named(forks: Forks, both: tuple[Path, Path], file: str):
    read_only(both[0])
    (both[0] / file).chmod(0)
    searched, _ = as_nobody(forks, both[0])
    assert searched.startswith(f"storage: {both[0] / file} must be readable; got: Permission")
