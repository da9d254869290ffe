"""Items as the bytes that are stored, and the checks at that door.

What is here decides what may enter a collection: every path into it, and every row read back from
the disk, goes through these functions.
"""

import json
import struct
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from retrieval.checks import check_shape, check_unit_rows
from retrieval.errors import BadInputError, EncoderMismatchError

from .collection import Item, Vectors

MAX_ID_BYTES = 1024
MAX_TEXT_BYTES = 65_536

_HINT = "Encode images with the encoder of this collection, whose rows have norm 1."
_MODULUS = 1 << 128


class Row(NamedTuple):
    """One item in the store: text as UTF-8, the payload as JSON.

    A file name that is not UTF-8 reaches Python as text with escaped bytes ("surrogateescape") and
    goes back to the same bytes here, so that every name makes the round trip.
    """

    id: bytes
    path: bytes
    label: bytes
    payload: bytes
    content: bytes  # SHA-256 of the picture's file, empty when not known

    def item(self) -> Item:
        """The item this row stores."""
        payload = json.loads(self.payload) if self.payload != b"{}" else {}
        return Item(as_text(self.id), as_text(self.path), as_text(self.label), payload)

    def checksum(self, vector: bytes) -> bytes:
        """16 bytes over all fields and the vector."""
        return checksum(b"item", *self, vector)


def checksum(*fields: bytes) -> bytes:
    """16 bytes that change with any field and with where one field ends and the next begins."""
    lengths = struct.pack(f"<{len(fields)}Q", *map(len, fields))
    return blake2b(b"".join((lengths, *fields)), digest_size=16).digest()


def changed_digest(digest: str, added: Iterable[bytes], removed: Iterable[bytes]) -> str:
    """The digest of a set of rows after checksums entered and left it."""
    total = int(digest, 16)
    total += sum(int.from_bytes(one, "little") for one in added)
    total -= sum(int.from_bytes(one, "little") for one in removed)
    return f"{total % _MODULUS:032x}"


EMPTY_DIGEST = f"{0:032x}"


def as_text(stored: bytes) -> str:
    """Text as Python has it."""
    return stored.decode("utf-8", "surrogateescape")


def as_stored(name: str, text: str, most: int = MAX_TEXT_BYTES) -> bytes:
    """Text as the store has it.

    Raises:
        BadInputError: Not text, too long, or nothing that a file name or UTF-8 can hold.
    """
    if not isinstance(text, str):
        raise BadInputError(f"{name} must be text; got {text!r}.")
    try:
        stored = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise BadInputError(f"{name} must be Unicode text; got {text!r}.") from error
    if b"\0" in stored or len(stored) > most:
        raise BadInputError(
            f"{name} must have no NUL character and at most {most:,} bytes; "
            f"got {len(stored):,} bytes, beginning with {text[:40]!r}."
        )
    return stored


def row_of(item: Item, content: bytes = b"") -> Row:
    """An item as it will be stored.

    Raises:
        BadInputError: A field the collection cannot give back as it was given.
    """
    id_ = as_stored("an item's id", item.id, MAX_ID_BYTES)
    if not id_:
        raise BadInputError("an item's id must not be empty; got ''. Give each item a name.")
    return Row(
        id_,
        as_stored(f"path of {item.id!r}", item.path),
        as_stored(f"label of {item.id!r}", item.label),
        _payload(item),
        content,
    )


def rows_of(items: Sequence[Item], contents: Sequence[bytes] | None = None) -> list[Row]:
    """Items as they will be stored, no id twice.

    Raises:
        BadInputError: A field that cannot be stored, or an id at two places; both are named.
    """
    if contents is None:
        contents = [b""] * len(items)
    check_shape("contents", np.empty(len(contents)), (len(items),), "Give one for each item.")
    rows = [row_of(item, content) for item, content in zip(items, contents, strict=True)]
    first: dict[bytes, int] = {}
    for place, row in enumerate(rows):
        if first.setdefault(row.id, place) != place:
            raise BadInputError(
                f"items must have different ids; got {as_text(row.id)!r} at {first[row.id]} and "
                f"{place}. Give each its own; nothing was written."
            )
    return rows


def check_vectors(
    name: str, vectors: Vectors, dim: int, names: Sequence[str] | None = None
) -> Vectors:
    """``vectors`` as contiguous little-endian rows.

    Raises:
        BadInputError: Not (N, dim) float32 with finite rows of norm 1; the row is named.
    """
    if not isinstance(vectors, np.ndarray):
        raise BadInputError(f"{name} must be a numpy array; got {type(vectors).__name__}. {_HINT}")
    hint = "Add a batch axis: x[None]." if vectors.ndim == 1 else _HINT
    check_shape(name, vectors, ("N", dim), hint)
    check_unit_rows(name, vectors, names, _HINT)
    return np.ascontiguousarray(vectors, "<f4")


def check_fingerprint(what: str, got: str, want: str) -> None:
    """Raise unless both come from one encoder.

    Raises:
        EncoderMismatchError: They do not; scores between them would be noise.
    """
    if got != want:
        raise EncoderMismatchError(
            f"{what} must come from the encoder of the collection ({_short(want)}); "
            f"got {_short(got)}. Use that encoder, or index the pictures again with this one."
        )


def _short(fingerprint: str) -> str:
    return fingerprint if len(fingerprint) <= 16 else fingerprint[:12] + "..."


def _payload(item: Item) -> bytes:
    try:
        text = json.dumps(item.payload, allow_nan=False)
        same = isinstance(item.payload, dict) and json.loads(text) == item.payload
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInputError(_payload_sentence(item, str(error))) from error
    if not same:
        raise BadInputError(_payload_sentence(item, repr(item.payload)[:80]))
    if len(text) > MAX_TEXT_BYTES:
        raise BadInputError(_payload_sentence(item, f"{len(text):,} bytes"))
    return text.encode("ascii")


def _payload_sentence(item: Item, got: str) -> str:
    return (
        f"payload of {item.id!r} must be a dict of JSON values (finite numbers, text, lists, "
        f"dicts with text keys) of at most {MAX_TEXT_BYTES:,} bytes; got {got}."
    )
