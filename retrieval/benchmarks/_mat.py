"""The little of MATLAB files that data sets need: vectors of numbers, texts and structures.

``scipy.io.loadmat`` ends the whole process on some damaged files (of 250 files with one wrong bit,
two did so), and a damaged download must be an error like any other. So the format is read here,
from its public description, as far as lists of labels and annotations use it.

References:
    MathWorks: MAT-File Format, chapter 1, Level 5 MAT-File Format.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import BadInputError

MAX_BYTES = 256 * 1024**2
"""Of a file, and of what one of its parts unpacks to."""

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCTURE, _TEXT, _NUMBERS = 1, 2, 4, range(6, 16)
_DTYPES = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_CODECS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MAX_DEPTH = 8

Value = int | str
_Array = list[Value] | dict[str, list[Value]]


def mat_values(file: Path, *names: str) -> list[list[Value]]:
    """Vectors of a MATLAB file of version 5 to 7.

    Args:
        file: The file.
        names: Variables, or ``variable.field`` for a structure array.

    Returns:
        For each name its whole numbers or texts, one for each element.

    Raises:
        BadInputError: Not such a file, damaged, or it does not hold these names.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES:,} bytes")
        found = _variables(file.read_bytes())
    except (OSError, ValueError, OverflowError, struct.error, zlib.error) as error:
        raise BadInputError(
            f"{file} must be a MATLAB file of version 5 to 7; got {error}. Fetch the file again."
        ) from error
    return [_vector(file, found, name) for name in names]


def _vector(file: Path, found: dict[str, _Array], name: str) -> list[Value]:
    variable, _, field = name.partition(".")
    array = found.get(variable)
    if isinstance(array, dict):
        array = array.get(field)
    elif field:
        array = None
    if array is None:
        raise BadInputError(f"{file} must hold {name!r}; got {', '.join(found) or 'nothing'}.")
    return array


def _variables(data: bytes) -> dict[str, _Array]:
    order = {b"IM": "<", b"MI": ">"}.get(data[126:_HEADER])
    if order is None or b"MATLAB 5.0" not in data[:_HEADER]:
        raise ValueError("another format")
    found = {}
    for kind, body in _elements(memoryview(data)[_HEADER:], order):
        if kind == _COMPRESSED:
            ((kind, body),) = _elements(_unpacked(body), order)
        name, array = _matrix(kind, body, order, 0)
        found[name] = array
    return found


def _unpacked(body: memoryview) -> memoryview:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(body, MAX_BYTES)
    if not unpacker.eof:
        raise ValueError("a part that is cut short or too large")
    return memoryview(data)


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Kind and body of each element; up to 4 bytes stand inside the tag itself."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        if kind >> 16:
            start, kind, size = at + 4, kind & 0xFFFF, kind >> 16
            following = at + 8
        else:
            start = at + 8
            following = start + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if start + size > len(data) or (start == at + 4 and size > 4):
            raise ValueError("a part that is cut short")
        yield kind, data[start : start + size]
        at = following


def _matrix(kind: int, body: memoryview, order: str, depth: int) -> tuple[str, _Array]:
    """Name and content of an array, whatever its shape."""
    if kind != _MATRIX or depth > _MAX_DEPTH:
        raise ValueError("a part of another kind than expected")
    parts = list(_elements(body, order))
    if not parts:
        return "", []
    if len(parts) < 3:
        raise ValueError("an array without a name")
    (flags,) = struct.unpack_from(order + "I", parts[0][1])
    rest = parts[3:]
    return _text(*parts[2], order), _content(flags & 0xFF, rest, order, depth)


def _content(which: int, rest: list[tuple[int, memoryview]], order: str, depth: int) -> _Array:
    if which == _CELL:
        return _singles(rest, order, depth)
    if which == _STRUCTURE and len(rest) >= 2:
        width = struct.unpack_from(order + "i", rest[0][1])[0]
        names = bytes(rest[1][1])
        if not 0 < width <= len(names):
            raise ValueError("a structure without fields")
        fields = [names[at : at + width] for at in range(0, len(names), width)]
        values = _singles(rest[2:], order, depth)
        return {
            field.partition(b"\0")[0].decode("latin-1"): values[number :: len(fields)]
            for number, field in enumerate(fields)
        }
    if which == _TEXT:
        return [_text(*rest[0], order)] if rest else [""]
    if which in _NUMBERS:
        return list(_numbers(*rest[0], order)) if rest else []
    raise ValueError(f"an array of kind {which}, which is not read")


def _singles(parts: list[tuple[int, memoryview]], order: str, depth: int) -> list[Value]:
    """The one value in each of these arrays; "" for an array that holds none or many."""
    values: list[Value] = []
    for part in parts:
        array = _matrix(*part, order, depth + 1)[1]
        values.append(array[0] if isinstance(array, list) and len(array) == 1 else "")
    return values


def _numbers(kind: int, body: memoryview, order: str) -> list[int]:
    if kind not in _DTYPES:
        raise ValueError(f"numbers of kind {kind}")
    return [int(number) for number in np.frombuffer(body, order + _DTYPES[kind]).tolist()]


def _text(kind: int, body: memoryview, order: str) -> str:
    if kind not in _CODECS:
        raise ValueError(f"text of kind {kind}")
    ends = {"<": "-le", ">": "-be"}[order] if _CODECS[kind] in ("utf-16", "utf-32") else ""
    return bytes(body).decode(_CODECS[kind] + ends)
