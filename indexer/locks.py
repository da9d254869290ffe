"""One writer at a time, known by name, and never a lock left over from a dead process."""

import fcntl
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakSet

from retrieval.errors import BusyError, StorageError


class WriteLock:
    """An ``flock`` on a file: the kernel releases it when the process ends, however it ends.

    The text in the file (process and time) is only for the message; it says nothing about whether
    the lock is held.

    Args:
        path: The lock file, made when missing and never deleted.

    Raises:
        BusyError: Another process, or another opening in this one, holds it. Returns at once.
        StorageError: The file cannot be made, such as in a read-only folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        try:
            self._descriptor = _locked(path)
            os.ftruncate(self._descriptor, 0)
            since = datetime.now(UTC).isoformat(timespec="seconds")
            os.write(self._descriptor, f"{os.getpid()} {since}\n".encode())
        except OSError as error:
            self.release()
            raise StorageError(
                f"{path} must be writable to change the collection; got: {error.strerror}. "
                "Open it for search only, or check permissions and free space."
            ) from error
        _held.add(self)

    def check(self) -> None:
        """Raise unless this process still holds the lock that others would ask for."""
        if self._descriptor is None or not _same_file(self._descriptor, self._path):
            raise StorageError(
                f"{self._path} must be the file this writer locked; got another one, or none. "
                "Leave it in place. Close the collection and open it again."
            )

    def release(self) -> None:
        """Let the next writer in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same_file(descriptor, path):
                return descriptor
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise BusyError(_busy(path)) from error
            raise
        os.close(descriptor)  # deleted or replaced between open and flock: take the new file


def _busy(path: Path) -> str:
    holder = "another process"
    with suppress(OSError, ValueError):
        pid, since = path.read_text("ascii").split()
        holder = f"process {int(pid)} writing since {since}"
    return (
        f"{path.parent} must have one writer at a time; got {holder}. "
        "Wait until it is done, or end it; what it has acknowledged is kept."
    )


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


_held: "WeakSet[WriteLock]" = WeakSet()


def _release_in_child() -> None:
    # A forked worker shares the lock; it would keep it after this process was killed.
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_release_in_child)
