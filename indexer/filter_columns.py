"""Conditions over all rows of a snapshot at once.

Answering row by row would read every payload at each search. Here a field is read once for all
rows; then a condition compares the different values of the field, and numpy looks up the rows.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

import numpy as np
from numpy.typing import NDArray

from . import filters
from .filters import And, Comparison, Condition, Equal, Exists, Not, Or, Range
from .rows import Row

_KEPT = 32  # fields: each takes some ten bytes a row, and its different values


@dataclass(frozen=True)
class _Column:
    """A field of all N rows. A row has no value, one, or several when it has a list.

    Attributes:
        there: (N,) where the field exists.
        codes: Each different value, as :func:`indexer.filters.key` has it, and its number in 0..V.
        rows: (P,) a row ...
        values: (P,) ... and the number of a value it has.
        numbers: (V,) the values that are numbers; NaN for the others.
        moments: (V,) those that are dates; 0 for the others.
        dated: (V,) which are dates.
    """

    there: NDArray[np.bool_]
    codes: dict[object, int]
    rows: NDArray[np.int64]
    values: NDArray[np.int64]
    numbers: NDArray[np.float64]
    moments: NDArray[np.int64]
    dated: NDArray[np.bool_]


class Columns:
    """What a snapshot's rows hold, by field; a field is read when it is first asked for.

    Args:
        rows: Of the snapshot.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._lock = threading.Lock()
        self._columns: dict[tuple[str, ...], _Column] = {}

    def matching(self, condition: Condition) -> NDArray[np.bool_]:
        """(N,) True where :func:`indexer.filters.matches` holds."""
        places = {filters.location(field) for field in filters.fields(condition)}
        with self._lock:
            missing = places - self._columns.keys()
            columns = self._columns | _read(self._rows, sorted(missing))
            recent = {place: columns.pop(place) for place in sorted(places)}
            self._columns = dict([*columns.items(), *recent.items()][-_KEPT:])
        return _matching(condition, recent)


def _read(rows: Sequence[Row], places: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], _Column]:
    """All of these fields in one pass over the rows."""
    if not places:
        return {}
    there = np.zeros((len(places), len(rows)), bool)
    codes: list[dict[object, int]] = [{} for _ in places]
    pairs: list[tuple[list[int], list[int]]] = [([], []) for _ in places]
    deep = any(place[0] == "payload" for place in places)
    for number, row in enumerate(rows):
        item = (row if deep else row._replace(payload=b"{}")).item()
        for which, place in enumerate(places):
            found = filters.found(place, item)
            there[which, number] = filters.is_there(place, found)
            known, (holders, held) = codes[which], pairs[which]
            for value in filters.elements(found):
                holders.append(number)
                held.append(known.setdefault(filters.key(value), len(known)))
    return {
        place: _column(there[which], codes[which], *pairs[which])
        for which, place in enumerate(places)
    }


def _column(
    there: NDArray[np.bool_], codes: dict[object, int], rows: list[int], values: list[int]
) -> _Column:
    moments = [filters.moment(one) if isinstance(one, str) else None for one in codes]
    return _Column(
        there,
        codes,
        np.array(rows, np.int64),
        np.array(values, np.int64),
        np.array([one if isinstance(one, float) else np.nan for one in codes], np.float64),
        np.array([one or 0 for one in moments], np.int64),
        np.array([one is not None for one in moments], bool),
    )


def _matching(condition: Condition, columns: dict[tuple[str, ...], _Column]) -> NDArray[np.bool_]:
    match condition:
        case And(conditions):
            return reduce(and_, [_matching(one, columns) for one in conditions])
        case Or(conditions):
            return reduce(or_, [_matching(one, columns) for one in conditions])
        case Not(one):
            return ~_matching(one, columns)
        case Exists(field):
            return columns[filters.location(field)].there
    column = columns[filters.location(condition.field)]
    matching = np.zeros(len(column.there), bool)
    matching[column.rows[_fitting(condition, column)[column.values]]] = True
    return matching


def _fitting(comparison: Comparison, column: _Column) -> NDArray[np.bool_]:
    """(V,) which of a column's values fit."""
    if isinstance(comparison, Range):
        return _within(comparison, column)
    wanted = (comparison.value,) if isinstance(comparison, Equal) else comparison.values
    fitting = np.zeros(len(column.codes), bool)
    known = [column.codes.get(filters.key(value)) for value in wanted]
    fitting[[code for code in known if code is not None]] = True
    return fitting


def _within(bounds: Range, column: _Column) -> NDArray[np.bool_]:
    fitting = np.ones(len(column.codes), bool)
    for compare, limit in filters.limits(bounds):
        if limit is None:
            continue
        kind, at = limit
        if kind == "number":
            fitting &= compare(column.numbers, at)
        else:
            fitting &= column.dated & compare(column.moments, at)
    return fitting
