"""Files that are either the old ones or the new ones, whatever happens in between."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import BadInputError, FgirError, StorageError

_BLOCK = 1 << 20


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Make ``path`` hold exactly ``data``, on the disk, before this returns.

    Raises:
        StorageError: The disk is full, read-only or failing. The old file is untouched.
    """
    with new_file(path) as file:
        file.write(data)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which is ``path`` when the block ends; after an error the old one still is.

    The bytes go to a new file beside ``path``, are flushed to the disk, and the file is renamed.
    A crash, a full disk or a power loss leaves the old file or the new one, never a mixture.
    Whoever has the old file open or mapped keeps it.

    Raises:
        StorageError: The disk is full, read-only or failing. The old file is untouched.
    """
    partial = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.partial")
    try:
        try:
            with partial.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        if isinstance(error, FgirError):
            raise
        raise StorageError(
            f"{path} must be written whole; got: {error.strerror or error}. "
            "Check free space and permissions, then run the command again."
        ) from error


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which becomes ``path`` when the block ends; after an error nothing does.

    Raises:
        BadInputError: ``path`` is in use.
        StorageError: The disk is full, read-only or failing.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadInputError(
            f"{path} must be a new or empty folder; got one that is in use. "
            "Give another place, or remove it first."
        )
    missing = [parent for parent in path.parents if not parent.exists()]
    partial = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.partial")
    try:
        try:
            partial.mkdir(parents=True)
            yield partial
            for one in (*partial.rglob("*"), partial):
                if one.is_dir():
                    sync_folder(one)
                else:
                    _sync_file(one)
            partial.replace(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):  # one of them is in use by now
            for parent in missing:
                parent.rmdir()
        if not isinstance(error, OSError) or isinstance(error, FgirError):
            raise
        raise StorageError(
            f"{path} must be a folder that can be made; got: {error.strerror or error}. "
            "Check free space and permissions, or give another place."
        ) from error


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a power loss; the files' bytes are not enough."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits.

    Raises:
        StorageError: The file is missing or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise StorageError(
            f"{path} must be readable; got: {error.strerror or error}. Check that it is there."
        ) from error
    return digest.hexdigest()
