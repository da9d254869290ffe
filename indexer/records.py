"""Small JSON files that notice when one of their bytes has changed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrieval.errors import BadInputError, DamagedDataError, StorageError
from retrieval.files import write_atomically

FORMAT = 1
"""Version of the collection format this program writes. A larger one is not read."""

_HASH = "record_sha256"


def write_record(path: Path, fields: Mapping[str, Any]) -> None:
    """Write ``fields``, the format version and their SHA-256, whole or not at all."""
    write_atomically(path, _bytes({"format": FORMAT, **fields}))


def read_record(path: Path) -> dict[str, Any]:
    """The fields written by :func:`write_record`.

    The file must be, byte for byte, what the writer makes of these fields: a changed space is
    noticed like a changed digit.

    Raises:
        DamagedDataError: Missing, cut or changed.
        BadInputError: Written by a newer version of this program.
    """
    data = _read(path)
    try:
        fields = json.loads(data)
        found = fields.pop(_HASH)
        whole = data == _bytes(fields) and found == _hash(fields)
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise DamagedDataError(_sentence(path, "not a record of this program")) from error
    if not whole:
        raise DamagedDataError(_sentence(path, "its checksum does not fit its content"))
    if fields.pop("format") != FORMAT:
        raise BadInputError(
            f"{path} must be of format {FORMAT} or older; got a newer one. "
            "Update this program; nothing was touched."
        )
    return dict(fields)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise DamagedDataError(_sentence(path, "no such file")) from error
    except OSError as error:
        raise StorageError(
            f"{path} must be readable; got: {error.strerror}. Check permissions and the disk."
        ) from error


def _bytes(fields: Mapping[str, Any]) -> bytes:
    whole = {**fields, _HASH: _hash(fields)}
    return (json.dumps(whole, indent=1, sort_keys=True) + "\n").encode("ascii")


def _hash(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode("ascii")).hexdigest()


def _sentence(path: Path, reason: str) -> str:
    return (
        f"{path} must be as it was written; got: {reason}. "
        "Put a copy of the whole collection folder back, or build it again."
    )
