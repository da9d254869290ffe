"""A full, failing or read-only disk: a sentence, and everything acknowledged is still there."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.disk import DiskCollection
from indexer.manifest import SEAL, STORE
from retrieval.errors import StorageError
from tests.indexer.conftest import Make
from tests.indexer.crash import workload
from tests.indexer.crash.forks import Forks
from tests.indexer.crash.power import can_trace
from tests.indexer.gallery import FINGERPRINT, items_of, vectors_of

STEPS = 6
SEED = 5
DONE, FULL = 0, StorageError.exit_code


def survives(
    forks: Forks, root: Path, engine: str = "faiss_flat", last: int = STEPS, **fault: Any
) -> int:
    """Run the workload with a fault, check what is left, then end it without the fault."""
    folder, acknowledged = root / "c", root / "acknowledged"
    acknowledged.write_text("")
    job: dict[str, Any] = {"folder": str(folder), "seed": SEED, "engine": engine}
    job |= {"acknowledged": str(acknowledged)}
    status = forks.run("change_with_faults", start=0, steps=last, **fault, **job)
    assert status in (DONE, FULL)
    done = acknowledged.read_text().count("\n")
    assert (done == last) or status == FULL
    if folder.exists():
        done = workload.check(folder, SEED, done, engine)
    assert forks.run("change", start=done, steps=last - done, **job) == DONE
    workload.check(folder, SEED, last, engine)
    assert [path.name for path in root.rglob("*.partial")] == []
    shutil.rmtree(folder)
    return status


@pytest.mark.parametrize(
    "most_bytes",
    [0, 100, 1_000, 4_096, 16_384, 32_768, *range(40_000, 200_001, 12_500), 262_144, 10**9],
)
def test_files_that_may_not_grow(forks: Forks, tmp_path: Path, most_bytes: int):
    status = survives(forks, tmp_path, most_bytes=most_bytes)
    if most_bytes < 50_000:
        assert status == FULL
    if most_bytes == 10**9:
        assert status == DONE


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_each_call_that_fails_in_turn(forks: Forks, tmp_path: Path, error: int):
    """The method of SQLite's own tests: fail the 1st call, the 2nd ... until nothing is left."""
    failed = 0
    for number in range(1, 500, 1 if error == errno.EIO else 3):
        status = survives(forks, tmp_path, "exact", 2, fail_call=number, error=error)
        failed += status == FULL
        if status == DONE and number > 30:
            break
    else:
        raise AssertionError("the workload never came to its end")
    assert failed >= 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Any]:
    """Mounts a file system of a size in memory, where this process may."""
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        place = tmp_path / f"disk {size}"
        place.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={size}", "fgir-test", str(place)]
        try:
            done = subprocess.run(["mount", *options], capture_output=True, check=False)
        except FileNotFoundError:
            pytest.skip("needs the command mount")
        if done.returncode:
            pytest.skip(f"needs the right to mount: {done.stderr.decode().strip()}")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


def fill_up(forks: Forks, disk: Path, notes: Path) -> int:
    """The workload on a small disk; what was acknowledged must be there, whatever its size."""
    folder, acknowledged = disk / "c", notes / "acknowledged"
    acknowledged.write_text("")
    job: dict[str, Any] = {"folder": str(folder), "seed": SEED, "engine": "faiss_flat"}
    job |= {"acknowledged": str(acknowledged), "start": 0, "steps": 40}
    status = forks.run("change_with_faults", **job)
    assert status in (DONE, FULL)
    done = acknowledged.read_text().count("\n")
    assert (done == 40) or status == FULL
    if folder.exists():
        workload.check(folder, SEED, done, "faiss_flat")
    else:
        assert done == 0
    return status


def test_a_disk_that_fills_up(forks: Forks, small_disk: Any, tmp_path: Path):
    sizes = [4_096 * pages for pages in (1, 4, 16, 24, 40, 64, 100, 2_000)]
    ends = [fill_up(forks, small_disk(size), tmp_path) for size in sizes]
    assert ends[0] == FULL
    assert ends[-1] == DONE


@pytest.mark.slow
def test_a_disk_of_every_size(forks: Forks, small_disk: Any, tmp_path: Path):
    for pages in range(1, 2_000):
        if fill_up(forks, small_disk(4_096 * pages), tmp_path) == DONE:
            print(f"{pages} sizes, the last of which is enough; 0 lost")  # noqa: T201
            return
    raise AssertionError("no disk was large enough")


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
