"""Sketches that are files, and sketches that are entries of a file such as ``strokes.json``.

The path of an entry is the path of its container and its key: ``ROOT/strokes.json/KEY``. Nothing is
drawn here; what matters is whether a sketch is there and whether it is the same as before.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from .errors import BadInputError, StorageError
from .files import sha256_of_file

MAX_CONTAINER_BYTES = 512 * 1024**2
"""A larger container is refused before it is read."""


def container_of(path: Path) -> Path | None:
    """The file that a path goes through; None for a path that is no entry of a file."""
    return None if path.is_file() else next((up for up in path.parents if up.is_file()), None)


def sketch_exists(path: Path) -> bool:
    """Whether ``path`` is a file, or a key that its container has.

    Raises:
        BadInputError: The container is no such file.
    """
    container = container_of(path)
    return path.is_file() if container is None else _key(path, container) in _entries(container)


def sketch_bytes(path: Path) -> bytes:
    """The bytes of a file; of an entry, its strokes as JSON without blanks.

    Raises:
        BadInputError: The container is no such file.
        StorageError: The sketch is missing or cannot be read.
    """
    container = container_of(path)
    try:
        if container is None:
            return path.read_bytes()
        entry = _entries(container)[_key(path, container)]
    except (OSError, KeyError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such sketch"
        raise StorageError(
            f"{path} must be readable; got: {reason}. Check that it is there."
        ) from error
    return json.dumps(entry, separators=(",", ":")).encode()


def sha256_of_picture(path: Path) -> str:
    """SHA-256 of a photo's or sketch's bytes, as 64 hexadecimal digits.

    Raises:
        StorageError: It is missing or cannot be read.
    """
    if container_of(path) is None:
        return sha256_of_file(path)
    return hashlib.sha256(sketch_bytes(path)).hexdigest()


def keys(container: Path) -> frozenset[str]:
    """Names of the sketches in a container.

    Raises:
        BadInputError: It is no such file.
    """
    return frozenset(_entries(container))


def _key(path: Path, container: Path) -> str:
    return path.relative_to(container).as_posix()


def _entries(container: Path) -> dict[str, Any]:
    about = container.stat()
    return _read(container, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=2)
def _read(container: Path, _modified: int, size: int) -> dict[str, Any]:
    if size > MAX_CONTAINER_BYTES:
        raise BadInputError(
            f"{container} must be at most {MAX_CONTAINER_BYTES:,} bytes; got {size:,}."
        )
    try:
        entries = json.loads(container.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{container} must be JSON; got {error}.") from error
    if not isinstance(entries, dict):
        raise BadInputError(
            f"{container} must name its sketches; got a {type(entries).__name__}. "
            'Write {"sketch": strokes}.'
        )
    return entries
