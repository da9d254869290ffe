r"""Conditions as people write them.

::

    label = "red shoe" and (price < 50 or brand in ("a", "b")) and not discontinued = true
    tags contains "boat" and taken >= "2026-03-01" and "price (EUR)" exists

``not`` binds closer than ``and``, ``and`` closer than ``or``; parentheses group. Comparisons are
``=``, ``!=`` (the same as ``not ... =``), ``<``, ``<=``, ``>``, ``>=``, ``in (...)``,
``not in (...)``, ``contains`` (the same as ``=``, and reads better for lists) and ``exists``.
Values are text in double or single quotes, numbers, ``true`` and ``false``; inside quotes a
backslash takes the next character as it is. These words may be written in capitals; a payload key
that is called like one is ``payload.KEY``. What a comparison means: :mod:`indexer.filters`.
"""

import re

from retrieval.errors import BadInputError

from .filters import (
    MAX_DEPTH,
    PART,
    And,
    Condition,
    Equal,
    Exists,
    In,
    Not,
    Or,
    Range,
    Scalar,
    check,
    is_number,
    moment,
    too_deep,
    unquoted,
)

MAX_CHARACTERS = 65_536
"""How long the text of a condition may be."""

_SPACE = re.compile(r"\s*")
_FIELD = re.compile(rf"{PART}(?:\.{PART})*", re.DOTALL)
_OPERATOR = re.compile(r"!=|<=|>=|=|<|>")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_WORD = re.compile(r"[\w.+-]+")
_NUMBER = re.compile(r"[+-]?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,4})?", re.ASCII)
_MARK = re.compile(r"[(),]")
_KEYWORDS = ("and", "or", "not", "in", "contains", "exists", "true", "false")
_BOUNDS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def parse(text: str) -> Condition:
    """The condition that the text says.

    Raises:
        BadInputError: It says none; the character where it stops doing so is named, from 1.

    Example:
        >>> parse('price < 50 and not brand in ("a", "b")')
        And(conditions=(Range(field='price', gt=None, gte=None, lt=50, lte=None), \
Not(condition=In(field='brand', values=('a', 'b')))))
    """
    if len(text) > MAX_CHARACTERS:
        raise BadInputError(
            f"a condition must have at most {MAX_CHARACTERS:,} characters; got {len(text):,}. "
            "Ask in several searches."
        )
    reader = _Reader(text)
    condition = reader.either(MAX_DEPTH)
    if not reader.at_end():
        raise reader.wants("'and', 'or' or its end")
    check(condition)
    return condition


class _Reader:
    """Reads on from where it stands; what it does not find there it names."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._skip(_SPACE)

    def either(self, depth: int) -> Condition:
        if not depth:
            raise too_deep()
        found = [self._both(depth)]
        while self._word("or"):
            found.append(self._both(depth))
        return found[0] if len(found) == 1 else Or(tuple(found))

    def at_end(self) -> bool:
        return self._at == len(self._text)

    def wants(self, what: str) -> BadInputError:
        """The error at the place where something else stands."""
        got = repr(self._text[self._at : self._at + 20]) if not self.at_end() else "its end"
        return BadInputError(
            f"a condition must have {what} at character {self._at + 1}; got {got}. "
            'Write it like: label = "shoe" and (price < 50 or brand in ("a", "b")).'
        )

    def _both(self, depth: int) -> Condition:
        found = [self._one(depth)]
        while self._word("and"):
            found.append(self._one(depth))
        return found[0] if len(found) == 1 else And(tuple(found))

    def _one(self, depth: int) -> Condition:
        if not depth:
            raise too_deep()
        if self._word("not"):
            return Not(self._one(depth - 1))
        if self._mark("("):
            inner = self.either(depth - 1)
            self._need(")")
            return inner
        return self._comparison(self._field())

    def _comparison(self, field: str) -> Condition:
        if self._word("exists"):
            return Exists(field)
        if self._word("in"):
            return In(field, self._values())
        if self._word("not"):
            if not self._word("in"):
                raise self.wants("'in' after 'not'")
            return Not(In(field, self._values()))
        if self._word("contains"):
            return Equal(field, self._value())
        operator = self._take(_OPERATOR)
        if operator in ("=", "!="):
            equal = Equal(field, self._value())
            return equal if operator == "=" else Not(equal)
        if operator is None:
            raise self.wants("=, !=, <, <=, >, >=, in, not in, contains or exists")
        return Range(field, **{_BOUNDS[operator]: self._bound()})

    def _field(self) -> str:
        word = self._text[self._at : self._end(_WORD)]
        field = None if word.lower() in _KEYWORDS else self._take(_FIELD)
        if field is None:
            raise self.wants("a field (id, label, path or a payload key), 'not' or '('")
        return field

    def _values(self) -> tuple[Scalar, ...]:
        self._need("(")
        values = [self._value()]
        while self._mark(","):
            values.append(self._value())
        self._need(")")
        return tuple(values)

    def _bound(self) -> float | str:
        start = self._at
        value = self._value()
        if is_number(value) or (isinstance(value, str) and moment(value) is not None):
            return value
        self._at = start
        raise self.wants('a number or a date such as "2026-03-01" after <, <=, > or >=')

    def _value(self) -> Scalar:
        string = self._take(_STRING)
        if string is not None:
            return unquoted(string)
        if self._word("true"):
            return True
        if self._word("false"):
            return False
        number = self._text[self._at : self._end(_WORD)]
        if not _NUMBER.fullmatch(number):
            raise self.wants("text in quotes, a number, true or false")
        self._take(_WORD)
        return int(number) if number.lstrip("+-").isdigit() else float(number)

    def _need(self, mark: str) -> None:
        if not self._mark(mark):
            raise self.wants(f"'{mark}'")

    def _mark(self, mark: str) -> bool:
        return self._text.startswith(mark, self._at) and self._take(_MARK) is not None

    def _word(self, keyword: str) -> bool:
        there = self._text[self._at : self._end(_WORD)].lower() == keyword
        return there and self._take(_WORD) is not None

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        end = self._end(pattern)
        if end == self._at:
            return None
        taken = self._text[self._at : end]
        self._at = end
        self._skip(_SPACE)
        return taken

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._at = self._end(pattern)

    def _end(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        return match.end() if match else self._at
