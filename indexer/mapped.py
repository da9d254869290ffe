"""Rows that lie in a file and are read when they are asked for.

The text of all rows stands one behind the other, field behind field; a table says where each field
ends. A row is one piece of the file, so the hits of a search cost k small reads whatever N is.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from mmap import mmap
from typing import overload

import numpy as np
from numpy.typing import NDArray

from .rows import Row

FIELDS = len(Row._fields)
_ENDS = np.arange(FIELDS + 1)
_MANY = 4_096  # rows read at once by whoever asks for all


class MappedRows(Sequence[Row]):
    """N rows in mapped files.

    Args:
        bounds: 5 N + 1 little-endian uint64: where each field of each row begins in ``text``, and
            where the last one ends.
        text: All fields.
    """

    def __init__(self, bounds: mmap, text: mmap) -> None:
        self._bounds = np.frombuffer(bounds, "<u8")
        self._text = text

    def __len__(self) -> int:
        """N."""
        return len(self._bounds) // FIELDS

    @overload
    def __getitem__(self, position: int) -> Row: ...
    @overload
    def __getitem__(self, position: slice) -> list[Row]: ...
    def __getitem__(self, position: int | slice) -> Row | list[Row]:
        """The row at a position, or those of a slice."""
        chosen = range(len(self))[position]
        if isinstance(chosen, range):
            return [self[one] for one in chosen]
        bounds = self._bounds[FIELDS * chosen : FIELDS * (chosen + 1) + 1].tolist()
        return Row(*(self._text[start:end] for start, end in pairwise(bounds)))

    def at(self, positions: NDArray[np.int64]) -> list[Row]:
        """The rows at positions from 0 to N - 1; quicker than one by one."""
        rows = []
        for a, b, c, d, e, f in self._bounds[FIELDS * positions[:, None] + _ENDS].tolist():
            text = self._text[a:f]
            rows.append(
                Row(
                    text[: b - a],
                    text[b - a : c - a],
                    text[c - a : d - a],
                    text[d - a : e - a],
                    text[e - a :],
                )
            )
        return rows

    def __iter__(self) -> Iterator[Row]:
        """All rows, some thousands at a time."""
        for first in range(0, len(self), _MANY):
            bounds = self._bounds[FIELDS * first : FIELDS * (first + _MANY) + 1].tolist()
            text, begin = self._text[bounds[0] : bounds[-1]], bounds[0]
            fields = [text[start - begin : end - begin] for start, end in pairwise(bounds)]
            yield from (Row(*fields[at : at + FIELDS]) for at in range(0, len(fields), FIELDS))

    def column(self, field: str) -> "MappedColumn":
        """One field of every row."""
        place = Row._fields.index(field)
        starts, ends = self._bounds[:-1][place::FIELDS], self._bounds[1:][place::FIELDS]
        return MappedColumn(starts, ends, self._text)


class MappedColumn(Sequence[bytes]):
    """One field of N rows in mapped files."""

    def __init__(self, starts: NDArray[np.uint64], ends: NDArray[np.uint64], text: mmap) -> None:
        self._starts = starts
        self._ends = ends
        self._text = text

    def __len__(self) -> int:
        """N."""
        return len(self._starts)

    @overload
    def __getitem__(self, position: int) -> bytes: ...
    @overload
    def __getitem__(self, position: slice) -> list[bytes]: ...
    def __getitem__(self, position: int | slice) -> bytes | list[bytes]:
        """The field at a position, or those of a slice."""
        chosen = range(len(self))[position]
        if isinstance(chosen, range):
            return [self[one] for one in chosen]
        return self._text[int(self._starts[chosen]) : int(self._ends[chosen])]

    def __iter__(self) -> Iterator[bytes]:
        """The field of all rows, some thousands at a time."""
        for first in range(0, len(self), _MANY):
            part = slice(first, first + _MANY)
            places = zip(self._starts[part].tolist(), self._ends[part].tolist(), strict=True)
            yield from [self._text[start:end] for start, end in places]


def column(rows: Sequence[Row], field: str) -> Sequence[bytes]:
    """One field of every row, wherever the rows are; not read before it is asked for."""
    if isinstance(rows, MappedRows):
        return rows.column(field)
    return [getattr(row, field) for row in rows]


def rows_at(rows: Sequence[Row], positions: NDArray[np.int64]) -> list[Row]:
    """The rows at positions from 0 to N - 1, wherever the rows are."""
    if isinstance(rows, MappedRows):
        return rows.at(positions)
    return [rows[position] for position in positions.tolist()]


def rows_fit(bounds: mmap, text: mmap, count: int) -> bool:
    """Whether these files can be those of ``count`` rows."""
    if len(bounds) != 8 * (FIELDS * count + 1):
        return False
    numbers = np.frombuffer(bounds, "<u8")
    return bool((numbers[1:] >= numbers[:-1]).all()) and numbers[0] == 0 == numbers[-1] - len(text)


def laid_out(rows: Iterable[Row], start: int) -> tuple[bytes, NDArray[np.uint64]]:
    """The text of ``rows``, and where each field ends when the text begins at ``start``."""
    fields = [field for row in rows for field in row]
    ends = np.fromiter(accumulate(map(len, fields)), "<u8", len(fields))
    return b"".join(fields), ends + np.uint64(start)
