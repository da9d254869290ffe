"""Conditions as JSON has them.

::

    {"and": [{"field": "label", "equal": "red shoe"},
             {"or": [{"field": "price", "lt": 50}, {"field": "brand", "in": ["a", "b"]}]},
             {"not": {"field": "discontinued", "equal": true}},
             {"field": "size.eu", "exists": true}]}

A range may have several bounds in one dict: ``{"field": "price", "gte": 10, "lt": 50}``. What a
comparison means: :mod:`indexer.filters`.
"""

from collections.abc import Mapping
from reprlib import repr as shown
from typing import Any

from retrieval.errors import BadInputError

from .filters import (
    MAX_DEPTH,
    And,
    Condition,
    Equal,
    Exists,
    In,
    Not,
    Or,
    Range,
    check,
    location,
    too_deep,
)

_BOUNDS = {"gt", "gte", "lt", "lte"}


def condition_of(record: Mapping[str, object]) -> Condition:
    """The condition that a dict of JSON values says.

    Raises:
        BadInputError: It says none; the part that is wrong is named.

    Example:
        >>> condition_of({"not": {"field": "brand", "in": ["a", "b"]}})
        Not(condition=In(field='brand', values=('a', 'b')))
    """
    condition = _condition(record, MAX_DEPTH)
    check(condition)
    return condition


def _condition(record: object, depth: int) -> Condition:
    if not depth:
        raise too_deep()
    names = set(record) if isinstance(record, Mapping) else set()
    if isinstance(record, Mapping) and "field" in names:
        location(record["field"])
        return _comparison(record["field"], {name: record[name] for name in names - {"field"}})
    if isinstance(record, Mapping) and len(names) == 1:
        name, inner = next(iter(record.items()))
        if name == "not":
            return Not(_condition(inner, depth - 1))
        if name in ("and", "or") and isinstance(inner, list):
            kind = And if name == "and" else Or
            return kind(tuple(_condition(one, depth - 1) for one in inner))
    raise BadInputError(
        "a condition must be a dict with a field and what it is compared with, or with one of "
        f"and (list), or (list), not (condition); got {shown(record)}. "
        'Write it like: {"field": "price", "lt": 50}.'
    )


def _comparison(field: str, how: dict[str, Any]) -> Condition:
    if how and how.keys() <= _BOUNDS:
        return Range(field, **how)
    if how.keys() == {"equal"}:
        return Equal(field, how["equal"])
    if how.keys() == {"in"} and isinstance(how["in"], list):
        return In(field, tuple(how["in"]))
    if how.keys() == {"exists"} and isinstance(how["exists"], bool):
        there = Exists(field)
        return there if how["exists"] else Not(there)
    raise BadInputError(
        f"{shown(field)} must be compared by one of equal, in (list), exists (true or false), or "
        f"by gt, gte, lt, lte; got {shown(how)}. Join several comparisons with and."
    )
