"""Conditions as a server is asked them.

The meaning is that of :func:`indexer.filters.matches`, which every hit is held against as well: a
server that takes a text for a date, or an integer index that cuts a bound to a whole number, may
then cost time but shows nothing that does not match. Numbers are compared as ranges and indexed as
floats for that reason.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from qdrant_client import models

from indexer.filters import (
    And,
    Condition,
    Equal,
    Exists,
    In,
    Not,
    Or,
    Range,
    Scalar,
    is_number,
    location,
    moment,
)
from retrieval.errors import BadInputError

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_filter(condition: Condition) -> models.Filter:
    """The condition as a filter of the server.

    Raises:
        BadInputError: A field whose name a server cannot be asked.
    """
    made = _condition(condition)
    return made if isinstance(made, models.Filter) else models.Filter(must=[made])


def json_path(field: str) -> str:
    """Where a field stands in a point, as the server writes it.

    Example:
        >>> json_path("label"), json_path("price"), json_path('size."shoe (EU)"')
        ('label', 'payload.price', 'payload.size."shoe (EU)"')
    """
    return ".".join(_quoted(key, field) for key in location(field))


def _condition(condition: Condition) -> models.Condition:
    match condition:
        case And(conditions):
            return models.Filter(must=[_condition(one) for one in conditions])
        case Or(conditions):
            return _any(_condition(one) for one in conditions)
        case Not(one):
            return models.Filter(must_not=[_condition(one)])
        case Exists(field):
            return _exists(field)
        case Equal(field, value):
            return _in(json_path(field), (value,))
        case In(field, values):
            return _in(json_path(field), values)
        case Range():
            return _range(condition)


def _in(key: str, values: tuple[Scalar, ...]) -> models.Condition:
    texts = [value for value in values if isinstance(value, str)]
    numbers = [float(value) for value in values if is_number(value)]
    truths = [value for value in values if isinstance(value, bool)]
    tests: list[models.Condition] = []
    if texts:
        match = models.MatchAny(any=texts)
        tests.append(models.FieldCondition(key=key, match=match))
    for number in numbers:
        both = models.Range(gte=number, lte=number)
        tests.append(models.FieldCondition(key=key, range=both))
    for truth in truths:
        tests.append(models.FieldCondition(key=key, match=models.MatchValue(value=truth)))
    if not tests:
        return models.HasIdCondition(has_id=[])  # one of no values: nothing
    return tests[0] if len(tests) == 1 else _any(tests)


def _exists(field: str) -> models.Condition:
    key = json_path(field)
    absent: list[models.Condition] = [
        models.IsEmptyCondition(is_empty=models.PayloadField(key=key))
    ]
    if location(field)[0] != "payload":
        absent.append(models.FieldCondition(key=key, match=models.MatchValue(value="")))
    return models.Filter(must_not=absent)


def _range(bounds: Range) -> models.Condition:
    given = {
        name: value
        for name in ("gt", "gte", "lt", "lte")
        if (value := getattr(bounds, name)) is not None
    }
    key = json_path(bounds.field)
    if all(is_number(value) for value in given.values()):
        return models.FieldCondition(key=key, range=models.Range(**given))
    dates = {name: _date(value) for name, value in given.items()}
    return models.FieldCondition(key=key, range=models.DatetimeRange(**dates))


def _date(text: str) -> datetime:
    return _EPOCH + timedelta(microseconds=moment(text) or 0)


def _any(conditions: Iterable[models.Condition]) -> models.Filter:
    return models.Filter(should=list(conditions))


def _quoted(key: str, field: str) -> str:
    if _PLAIN.fullmatch(key):
        return key
    if not key or '"' in key or "\\" in key:
        raise BadInputError(
            f"{field} must have keys that a server can be asked; got {key!r}. "
            "Leave out empty keys, quotes and backslashes."
        )
    return f'"{key}"'
