"""Files that are either the old ones or the new ones, whatever happens in between."""

import hashlib
import os
import secrets
from pathlib import Path

from .errors import StorageError

_BLOCK = 1 << 20


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Make ``path`` hold exactly ``data``, on the disk, before this returns.

    The bytes go to a new file beside ``path``, are flushed to the disk, and the file is renamed.
    A crash, a full disk or a power loss leaves the old file or the new one, never a mixture.

    Raises:
        StorageError: The disk is full, read-only or failing. The old file is untouched.
    """
    partial = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.partial")
    try:
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(
            f"{path} must be written whole; got: {error.strerror or error}. "
            "Check free space and permissions, then run the command again."
        ) from error


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
