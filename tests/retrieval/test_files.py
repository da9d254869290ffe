"""A file is the old one or the new one, whatever happens while it is written."""

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import BadInputError, StorageError
from retrieval.files import new_folder, sha256_of_file, write_atomically

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = b"old" * 1000, b"new" * 2000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that holds OLD, alone in its folder."""
    path = tmp_path / "weights.bin"
    path.write_bytes(OLD)
    return path


@pytest.mark.parametrize("data", [b"", b"a", NEW, bytes(3_000_000)])
def test_the_file_holds_what_was_given_and_nothing_lies_beside_it(path: Path, data: bytes) -> None:
    write_atomically(path, data)
    assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


def test_a_new_file_is_made_with_the_rights_of_any_new_file(path: Path, tmp_path: Path) -> None:
    write_atomically(tmp_path / "new.bin", NEW)
    assert (tmp_path / "new.bin").stat().st_mode == path.stat().st_mode


def test_a_long_name_leaves_room_for_the_file_beside_it(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 251 + ".bin")
    write_atomically(path, NEW)
    assert path.read_bytes() == NEW


def test_bytes_reach_the_disk_before_their_name_and_the_name_before_the_return(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace = os.fsync, Path.replace

    def spy_sync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        events.append("folder" if stat.S_ISDIR(status.st_mode) else "bytes")
        if events[-1] == "bytes":
            assert status.st_size == len(b"short")  # nothing waits in a buffer
        sync(descriptor)

    def spy_replace(source: Path, target: Path) -> Path:
        events.append("name")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", spy_sync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    write_atomically(path, b"short")
    assert events == ["bytes", "name", "folder"]


class FailsOnce:
    """Counts the operations on the disk and lets one of them fail."""

    def __init__(self, failing: int, fault: int) -> None:
        self.failing, self.fault, self.count = failing, fault, 0

    def instead_of(self, operation: Any) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.failing:
                raise OSError(self.fault, os.strerror(self.fault))
            return operation(*arguments, **options)

        return run


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("failing", [1, 2, 3, 4, 5])
def test_whichever_step_fails_the_old_file_or_the_new_one_is_whole(
    path: Path, failing: int, fault: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FailsOnce(failing, fault)
    with monkeypatch.context() as patch:
        for owner, name in ((os, "fsync"), (Path, "open"), (Path, "replace"), (os, "open")):
            patch.setattr(owner, name, disk.instead_of(getattr(owner, name)))
        with pytest.raises(StorageError) as caught:
            write_atomically(path, NEW)
    assert disk.count == failing
    assert str(path) in str(caught.value)
    assert os.strerror(fault) in str(caught.value)
    assert caught.value.exit_code == 7
    steps_before_the_new_name = 3
    assert path.read_bytes() == (OLD if failing <= steps_before_the_new_name else NEW)
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from retrieval.errors import StorageError\n"
        "from retrieval.files import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write_atomically(Path(sys.argv[1]), bytes(6000))\n"
        "except StorageError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "must be written whole; got: File too large" in run.stdout
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupted_write_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, NEW)
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_a_killed_writer_leaves_a_whole_file(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from retrieval.files import write_atomically\n"
        "for number in range(10**9):\n"
        "    write_atomically(Path(sys.argv[1]), bytes([number % 256]) * 300_000)\n"
        "    print(number % 256, flush=True)\n"
    )
    for kill in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", program, path], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert writer.stdout is not None
        with writer, writer.stdout as acknowledged:
            lines = [int(acknowledged.readline()) for _ in range(3 + kill)]
            writer.send_signal(signal.SIGKILL)
            lines += [int(line) for line in acknowledged.read().split()]
        data = path.read_bytes()
        assert len(data) == 300_000
        assert len(set(data)) == 1
        assert data[0] in (lines[-1], lines[-1] + 1)  # the last acknowledged, or the one under way


def test_two_writers_leave_the_file_of_one(path: Path) -> None:
    contents = [bytes([number]) * 50_000 for number in range(8)]
    threads = [threading.Thread(target=write_atomically, args=(path, data)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.bin"
    with pytest.raises(StorageError, match="must be written whole; got: No such file") as caught:
        write_atomically(path, NEW)
    assert str(caught.value).startswith(f"{path} must be")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_sha256_of_a_file_of_any_size(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    assert sha256_of_file(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_sha256_of_the_standards_example(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of_file(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_sha256_of_a_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="must be readable; got: No such file") as caught:
        sha256_of_file(tmp_path / "a.bin")
    assert str(caught.value).startswith(str(tmp_path / "a.bin"))


def test_a_new_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "out"
    with new_folder(out) as folder:
        (folder / "x").write_bytes(NEW)
        assert not out.exists()
    assert (out / "x").read_bytes() == NEW
    assert list(out.parent.iterdir()) == [out]
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty") as folder:
        (folder / "x").write_bytes(NEW)
    assert (tmp_path / "empty" / "x").exists()


def test_everything_in_a_new_folder_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with new_folder(tmp_path / "out") as folder:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "file").write_bytes(NEW)
        (folder / "file").write_bytes(NEW)
    for path in (tmp_path, tmp_path / "out", *(tmp_path / "out").rglob("*")):
        assert path.stat().st_ino in synced, path


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, StorageError])
def test_after_an_error_there_is_no_new_folder(tmp_path: Path, error: type[Exception]) -> None:
    def fill() -> None:
        with new_folder(tmp_path / "a" / "b" / "out") as folder:
            (folder / "x").write_bytes(NEW)
            raise error

    with pytest.raises(error):
        fill()
    assert not list(tmp_path.iterdir())


def test_a_new_folder_takes_nobodys_place(path: Path) -> None:
    for used in (path, path.parent):
        with (
            pytest.raises(BadInputError, match="must be a new or empty folder; got one"),
            new_folder(used),
        ):
            pytest.fail("the block must not begin")
    assert path.read_bytes() == OLD


def test_a_disk_that_is_full_leaves_no_new_folder(tmp_path: Path) -> None:
    want = "out must be a folder that can be made; got: No space"
    with pytest.raises(StorageError, match=want), new_folder(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())
