"""What the fields of a collection hold: what a person who filters by them can choose from."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from .collection import Item
from .filters import elements, is_number

MOST_FIELDS = 64
"""Fields that are told of; those that most items have."""

MOST_VALUES = 500
"""Different texts of a field that are listed; of a field with more, none are."""

_BARE = re.compile(r"[\w-]+")
_WORDS = frozenset(
    {"id", "label", "path", "payload", "and", "or", "not", "in", "contains", "exists"}
    | {"true", "false"}
)


@dataclass
class FieldSummary:
    """One field over all items.

    Attributes:
        name: Of the field, as conditions have it.
        count: Items that have a value.
        kinds: Of its values: "number", "text", "truth".
        texts: Its different texts, at most one more than ``MOST_VALUES``.
        least: Smallest number.
        most: Largest number.
        whole: Whether all numbers are whole ones.
    """

    name: str
    count: int = 0
    kinds: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    least: float = math.inf
    most: float = -math.inf
    whole: bool = True

    @property
    def choices(self) -> list[str]:
        """Its texts, sorted; none where there are more than a person would look through."""
        return sorted(self.texts) if len(self.texts) <= MOST_VALUES else []

    def see(self, value: object) -> None:
        """Count what one item has there."""
        some = False
        for one in elements(value):
            some = True
            if isinstance(one, bool):
                self.kinds.add("truth")
            elif is_number(one):
                self.kinds.add("number")
                self.least, self.most = min(self.least, one), max(self.most, one)
                self.whole = self.whole and float(one).is_integer()
            else:
                self.kinds.add("text")
                if len(self.texts) <= MOST_VALUES:
                    self.texts.add(str(one))
        self.count += some


def field_summaries(items: Iterable[Item]) -> list[FieldSummary]:
    """The label first, then the payload's fields, those that most items have first.

    A field without any value that can be compared is left out.

    Example:
        >>> shoes = [Item("a", label="shoe", payload={"price": 40}), Item("b", label="boot")]
        >>> for one in field_summaries(shoes):
        ...     print(one.name, one.count, one.kinds, one.choices)
        label 2 {'text'} ['boot', 'shoe']
        price 1 {'number'} []
    """
    found: dict[str, FieldSummary] = {}
    for item in items:
        if item.label:
            found.setdefault("label", FieldSummary("label")).see(item.label)
        for name, value in _inside("", item.payload):
            found.setdefault(name, FieldSummary(name)).see(value)
    some = [one for one in found.values() if one.count]
    return sorted(some, key=lambda one: (one.name != "label", -one.count))[:MOST_FIELDS]


def _inside(path: str, payload: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in payload.items():
        name = path + key if _BARE.fullmatch(key) else f'{path}"{_escaped(key)}"'
        if not path and key.lower() in _WORDS:
            name = f"payload.{name}"
        if isinstance(value, Mapping):
            yield from _inside(name + ".", value)
        else:
            yield name, value


def _escaped(key: str) -> str:
    return key.replace("\\", "\\\\").replace('"', '\\"')
