"""Items as points of a server and back, and what has to be true of a point before it is shown.

A server takes unsigned numbers or UUIDs as ids. A point's id is the UUID version 5 of the item's
id, so that the same item always becomes the same point and sending it twice is sending it once; the
true id stands in the payload and is compared with the UUID at each reading.
"""

import json
import uuid
from collections.abc import Mapping

import numpy as np
from qdrant_client import models

from indexer.collection import Item, Vectors
from indexer.rows import Row, as_stored, checksum, row_of
from retrieval.checks import UNIT_TOLERANCE
from retrieval.errors import BadInputError, DamagedDataError

from .layout import PHOTO

_NAMESPACE = uuid.UUID("5d0c1c29-6b0e-5f0b-9a3e-7f6f0d3c1e52")
_INT64 = 1 << 63


def point_id(id_: str) -> str:
    """The point of an item."""
    return str(uuid.uuid5(_NAMESPACE, utf8("an item's id", id_)))


def utf8(name: str, text: str) -> str:
    """The text, if a server can hold it.

    Raises:
        BadInputError: It came from a file name that is not UTF-8.
    """
    try:
        as_stored(name, text).decode()
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"{name} must be UTF-8 on a server; got {text!a}. Rename the file."
        ) from error
    return text


def point_of(row: Row, vector: Vectors) -> models.PointStruct:
    """A row and its vector (D,) as a point.

    Raises:
        BadInputError: Text that is not UTF-8, or a whole number beyond 64 bits.
    """
    item = row.item()
    for name, text in (("path", item.path), ("label", item.label)):
        utf8(f"{name} of {item.id!r}", text)
    _check_numbers(item.payload, item.id)
    payload = {
        "id": item.id,
        "path": item.path,
        "label": item.label,
        "payload": dict(item.payload),
        "content": row.content.hex(),
        "checksum": _checksum(row),
        "vector_checksum": _vector_checksum(vector),
    }
    return models.PointStruct(
        id=point_id(item.id), vector={PHOTO: vector.tolist()}, payload=payload
    )


def row_of_point(record: models.Record | models.ScoredPoint) -> Row:
    """The row a point holds.

    Raises:
        DamagedDataError: Another program wrote the point, or its payload has changed.
    """
    payload = record.payload or {}
    try:
        item = Item(payload["id"], payload["path"], payload["label"], payload["payload"])
        row = row_of(item, bytes.fromhex(payload["content"]))
        whole = point_id(item.id) == str(record.id) and payload["checksum"] == _checksum(row)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedDataError(_strange(record, "no item of this program")) from error
    if not whole:
        raise DamagedDataError(_strange(record, "another item than was written"))
    return row


def vector_of_point(
    record: models.Record | models.ScoredPoint, dim: int, name: str = PHOTO
) -> Vectors:
    """The vector (dim,) of a point.

    Raises:
        DamagedDataError: None of this name, or not ``dim`` finite numbers of norm 1.
    """
    named = record.vector if isinstance(record.vector, Mapping) else {}
    try:
        vector = np.array(named.get(name, []), np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise DamagedDataError(_strange(record, "a vector that is none")) from error
    if vector.shape != (dim,):
        raise DamagedDataError(_strange(record, f"a vector of shape {vector.shape}, not ({dim},)"))
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    if not abs(norm - 1) <= UNIT_TOLERANCE:
        raise DamagedDataError(_strange(record, f"a vector of norm {norm:.4g}"))
    return vector


def check_point(record: models.Record, dim: int) -> None:
    """Compare all of a point with what was written, its vector bit by bit.

    Raises:
        DamagedDataError: It is something else.
    """
    row_of_point(record)
    vector = vector_of_point(record, dim)
    if (record.payload or {}).get("vector_checksum") != _vector_checksum(vector):
        raise DamagedDataError(_strange(record, "another vector than was written"))


def _checksum(row: Row) -> str:
    """Over all fields. The payload's keys are sorted, for a server gives them in its own order."""
    payload = json.dumps(row.item().payload, sort_keys=True).encode()
    return checksum(b"point", *row._replace(payload=payload)).hex()


def _vector_checksum(vector: Vectors) -> str:
    return checksum(b"vector", np.ascontiguousarray(vector, "<f4").tobytes()).hex()


def _check_numbers(value: object, id_: str) -> None:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            _check_numbers(one, id_)
    elif isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise BadInputError(
            f"payload of {id_!r} must have whole numbers of at most 64 bits on a server; "
            f"got {value}. Write it as text."
        )


def _strange(record: models.Record | models.ScoredPoint, got: str) -> str:
    known = (record.payload or {}).get("id", record.id)
    return (
        f"point {known!r} must be as it was written; got {got}. "
        "Remove it, or index its picture again."
    )
