"""Conditions on what is known of items, with one meaning for every engine.

A field is ``id``, ``label``, ``path``, or a key of the payload; ``size.eu`` is the key ``eu`` of
the dict at ``size``. Keys with other characters than letters, digits, ``_`` and ``-`` stand in
double quotes: ``"price (EUR)"``. ``payload.label`` is the payload's key, not the item's label.

What a comparison means:

- A field that is missing, null, a dict or an empty list equals nothing and is in no range. So
  ``not price < 50`` holds for an item without a price.
- A list compares when any of its elements does; lists and dicts inside it do not.
- :class:`Exists` holds for what is neither missing, nor null, nor an empty list. An empty ``label``
  or ``path`` is one that is not known and does not exist; an empty text in the payload exists.
- Text equals text of the same characters: capitals count. Text never equals a number.
- ``true`` equals only ``true``, never 1, and is in no range.
- Numbers compare as float64: 1 equals 1.0. A whole number in a condition must lie within
  plus and minus 2^53 - 1, so that it cannot be taken for its neighbour.
- A range is one of numbers or one of dates. A date is text such as ``2026-03-01``,
  ``2026-03-01T14:30:00``, ``2026-03-01 14:30:00.5`` or ``2026-03-01T14:30:00+02:00``. Dates compare
  as moments: without a time it is midnight, without a zone it is UTC. Other text is in no range.

Each of these can be said to Qdrant as well: must, should, must_not; match a text or a truth value;
a range for numbers, also for one number alone; a datetime range; is-empty.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import ge, gt, le, lt
from reprlib import repr as shown
from typing import Any, TypeGuard

from retrieval.errors import BadInputError

from .collection import Item

MAX_DEPTH = 32
"""How deep conditions may be nested."""

MAX_SIZE = 10_000
"""How many conditions and values a condition may have, those inside it included."""

Scalar = str | int | float | bool
"""What a field is compared with."""

Compare = Callable[[Any, Any], Any]

PART = r'(?:[\w-]+|"(?:[^"\\]|\\.)*")'
"""A key in the path of a field, as a regular expression."""

_PATH = re.compile(rf"{PART}(?:\.{PART})*", re.DOTALL)
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_WHOLE = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Equal:
    """The field has this value, or is a list that has it."""

    field: str
    value: Scalar

    def __post_init__(self) -> None:
        location(self.field)
        _check_value(self.field, self.value)


@dataclass(frozen=True, slots=True)
class In:
    """The field has one of these values, or is a list that has one of them."""

    field: str
    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        location(self.field)
        if not isinstance(self.values, tuple):
            raise BadInputError(
                f"values of {self.field} must be a tuple; got {shown(self.values)}. "
                "Write In(field, (a, b))."
            )
        for value in self.values:
            _check_value(self.field, value)


@dataclass(frozen=True, slots=True)
class Range:
    """The field is a number, or a date, between these bounds; a list needs one such element.

    Attributes:
        field: What is compared.
        gt: Greater than this.
        gte: Greater than or equal to this.
        lt: Less than this.
        lte: Less than or equal to this.
    """

    field: str
    gt: float | str | None = None
    gte: float | str | None = None
    lt: float | str | None = None
    lte: float | str | None = None

    def __post_init__(self) -> None:
        location(self.field)
        bounds = [bound for bound in (self.gt, self.gte, self.lt, self.lte) if bound is not None]
        for bound in bounds:
            _check_value(self.field, bound)
        numbers = [is_number(bound) for bound in bounds]
        dates = [isinstance(bound, str) and moment(bound) is not None for bound in bounds]
        if not bounds or not (all(numbers) or all(dates)):
            raise BadInputError(
                f"bounds of {self.field} must be numbers, or dates such as '2026-03-01' or "
                f"'2026-03-01T14:30:00Z'; got {', '.join(map(shown, bounds)) or 'none'}. "
                "Other text is compared with = and in."
            )


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is there: not missing, not null, not an empty list."""

    field: str

    def __post_init__(self) -> None:
        location(self.field)


@dataclass(frozen=True, slots=True)
class And:
    """Each of these holds."""

    conditions: tuple["Condition", ...]

    def __post_init__(self) -> None:
        _check_conditions("and", self.conditions)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these holds."""

    conditions: tuple["Condition", ...]

    def __post_init__(self) -> None:
        _check_conditions("or", self.conditions)


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    condition: "Condition"

    def __post_init__(self) -> None:
        _check_conditions("not", (self.condition,))


Comparison = Equal | In | Range
Condition = Comparison | Exists | And | Or | Not


def matches(condition: Condition, item: Item) -> bool:
    """Whether the condition holds for the item: the definition.

    Example:
        >>> shoe = Item("a", label="shoe", payload={"price": 40, "tags": ["red", "new"]})
        >>> matches(And((Equal("tags", "red"), Range("price", lt=50))), shoe)
        True
        >>> matches(Not(Exists("size.eu")), shoe)
        True
    """
    match condition:
        case And(conditions):
            return all(matches(one, item) for one in conditions)
        case Or(conditions):
            return any(matches(one, item) for one in conditions)
        case Not(one):
            return not matches(one, item)
        case Exists(field):
            return is_there(location(field), found(location(field), item))
    return any(_fits(condition, one) for one in elements(found(location(condition.field), item)))


def check(condition: Condition) -> None:
    """Raise unless this is a condition of a size that can be answered.

    Raises:
        BadInputError: It is nested deeper than ``MAX_DEPTH`` or larger than ``MAX_SIZE``.
    """
    if not isinstance(condition, Condition):
        raise BadInputError(
            f"where must be a condition; got {shown(condition)}. "
            "Make one with indexer.filters, or from text with indexer.filter_text.parse."
        )
    size = 0
    level: list[Condition] = [condition]
    for _ in range(MAX_DEPTH):
        size += sum(len(one.values) if isinstance(one, In) else 1 for one in level)
        if size > MAX_SIZE:
            raise BadInputError(
                f"a condition must have at most {MAX_SIZE:,} parts, values in lists included; "
                "got more. Ask in several searches."
            )
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise too_deep()


def too_deep() -> BadInputError:
    """The error of a condition that is nested too deep."""
    return BadInputError(
        f"a condition must be nested at most {MAX_DEPTH} levels deep; got more. "
        "One 'and' or 'or' joins any number of conditions."
    )


def fields(condition: Condition) -> set[str]:
    """Every field that the condition asks for."""
    if isinstance(condition, And | Or | Not):
        return {field for one in _inside(condition) for field in fields(one)}
    return {condition.field}


def location(field: str) -> tuple[str, ...]:
    """Where a field is: ``("label",)``, or ``("payload", key, ...)``.

    Raises:
        BadInputError: It is not the name of a field.

    Example:
        >>> location("label"), location("payload.label"), location('size."shoe (EU)"')
        (('label',), ('payload', 'label'), ('payload', 'size', 'shoe (EU)'))
    """
    place = _location(field) if isinstance(field, str) else None
    if place is None:
        raise BadInputError(
            "a field must be id, label, path or a key of the payload such as price, size.eu or "
            f'"price (EUR)"; got {shown(field)}. Put keys with other characters in double quotes.'
        )
    if place == ("payload",):
        raise BadInputError(
            "payload must be followed by one of its keys; got it alone. Write payload.KEY."
        )
    return place


def unquoted(text: str) -> str:
    r"""What stands in quotes, where a backslash takes the next character as it is.

    Example:
        >>> print(unquoted(r'"7\" screen"'), unquoted("price"))
        7" screen price
    """
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if text[0] in "\"'" else text


def found(place: tuple[str, ...], item: Item) -> object:
    """What an item has at a location; None where it has nothing."""
    first, *keys = place
    value: object = getattr(item, first)
    for one in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(one)
    return value


def is_there(place: tuple[str, ...], value: object) -> bool:
    """Whether what was found at a location exists."""
    return value is not None and value != [] and (value != "" or place[0] == "payload")


def elements(value: object) -> Iterator[Scalar]:
    """What of a found value can be compared: itself, or the elements of a list."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Scalar):
            yield one


def key(value: Scalar) -> Scalar | tuple[bool]:
    """Equal for equal values, different for all others: Python's ``True`` is 1, ours is not."""
    if isinstance(value, bool):
        return (value,)
    return as_float(value) if is_number(value) else value


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a number as JSON has them."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_float(value: float) -> float:
    """A number as it is compared; a whole number beyond float64 is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def moment(text: str) -> int | None:
    """Microseconds since 1970 of a date, None of other text.

    Example:
        >>> moment("1970-01-02"), moment("1970-01-01T01:00:00.5+01:00"), moment("yesterday")
        (86400000000, 500000, None)
    """
    if not _DATE.fullmatch(text):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:  # such as the 30th of February
        return None
    offset = parsed.utcoffset() or timedelta()
    return (parsed.replace(tzinfo=UTC) - _EPOCH - offset) // timedelta(microseconds=1)


@lru_cache(maxsize=1024)
def _location(field: str) -> tuple[str, ...] | None:
    if not _PATH.fullmatch(field):
        return None
    keys = tuple(unquoted(one) for one in re.findall(PART, field, re.DOTALL))
    own = keys[0] == "payload" or keys in (("id",), ("label",), ("path",))
    return keys if own else ("payload", *keys)


def _fits(comparison: Comparison, value: Scalar) -> bool:
    match comparison:
        case Equal(_, wanted):
            return key(value) == key(wanted)
        case In(_, values):
            return any(key(value) == key(wanted) for wanted in values)
        case Range():
            return _within(comparison, value)


def _within(bounds: Range, value: Scalar) -> bool:
    at = _place_in_order(value)
    return at is not None and all(
        limit is None or (at[0] == limit[0] and compare(at[1], limit[1]))
        for compare, limit in limits(bounds)
    )


def limits(bounds: Range) -> list[tuple[Compare, tuple[str, float] | None]]:
    """Each bound as how a value compares with it, and its place in order; None without."""
    pairs = ((gt, bounds.gt), (ge, bounds.gte), (lt, bounds.lt), (le, bounds.lte))
    return [(compare, None if one is None else _place_in_order(one)) for compare, one in pairs]


def _place_in_order(value: Scalar) -> tuple[str, float] | None:
    """Number or date, and where it stands among them."""
    if is_number(value):
        return "number", as_float(value)
    at = moment(value) if isinstance(value, str) else None
    return None if at is None else ("date", at)


def _inside(condition: Condition) -> tuple[Condition, ...]:
    if isinstance(condition, And | Or):
        return condition.conditions
    return (condition.condition,) if isinstance(condition, Not) else ()


def _check_value(field: str, value: object) -> None:
    if not isinstance(value, Scalar):
        raise BadInputError(
            f"{field} must be compared with text, a number, true or false; got {shown(value)}. "
            "Ask for what is missing or null with not exists."
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInputError(f"{field} must be compared with a finite number; got {value}.")
    if isinstance(value, int) and abs(value) > _LARGEST_WHOLE:
        raise BadInputError(
            f"{field} must be compared with whole numbers within plus and minus "
            f"{_LARGEST_WHOLE:,}, which float64 keeps apart; got {value}. "
            "Keep long numbers as text, or write a decimal such as 1.5e18."
        )


def _check_conditions(name: str, conditions: object) -> None:
    fit = isinstance(conditions, tuple) and all(isinstance(one, Condition) for one in conditions)
    if not fit or not conditions:
        raise BadInputError(
            f"{name} must have conditions to work on; got {shown(conditions)}. "
            "Give at least one, in a tuple."
        )
