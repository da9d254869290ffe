"""Conditions that a visitor puts together from what is known of items."""

from typing import TYPE_CHECKING

import streamlit as st

from indexer.field_summaries import FieldSummary
from indexer.filter_text import parse
from indexer.filters import And, Condition, Equal, In, Range
from ui.text import shown
from ui.widgets import plain

if TYPE_CHECKING:
    from ui.opened import Opened

OFFERED = 8
"""Fields that have a widget of their own; the others are asked for in the condition."""


def filters(this: "Opened", key: str) -> Condition | None:
    """Show the filters.

    Args:
        this: The collection.
        key: Of the view, so that two views do not share their filters.

    Returns:
        What items must fulfil; None where nothing is asked.

    Raises:
        BadInputError: The written condition is none.
    """
    fields = [one for one in this.fields() if len(one.kinds) == 1]
    asked = [made for one in fields[:OFFERED] if (made := _asked(one, f"{key}_by_{one.name}"))]
    text = st.text_input(
        "Condition",
        key=f"{key}_where",
        placeholder='label = "red shoe" and price < 50',
        help="As fgir search --where takes it: =, !=, <, <=, >, >=, in, contains, exists, and, or, "
        "not. Fields are id, label, path and those of the items.",
        max_chars=2000,
    )
    if others := [one.name for one in this.fields() if one not in fields[:OFFERED]]:
        st.caption(plain("Also in a condition: " + ", ".join(others[:20])))
    if text.strip():
        asked.append(parse(text))
    if not asked:
        return None
    return asked[0] if len(asked) == 1 else And(tuple(asked))


def said_of(found: int, total: int, where: Condition | None) -> str:
    """How many were found, in words.

    Example:
        >>> said_of(3, 1600, Equal("label", "shoe"))
        '3 of 1,600 pictures, filtered, best first'
    """
    return f"{found:,} of {total:,} pictures{', filtered' if where else ''}, best first"


def say_that_nothing_fulfils() -> None:
    """In place of an empty answer."""
    st.info("No picture fulfils the filters. Take one of them back.")


def _asked(field: FieldSummary, key: str) -> Condition | None:
    """A widget for one field; the condition where it asks for something."""
    (kind,) = field.kinds
    return _WIDGETS[kind](field, key)


def _number(field: FieldSummary, key: str) -> Condition | None:
    least, most = field.least, field.most
    if least == most:
        return None
    name = plain(field.name)
    low: float
    high: float
    if field.whole and max(abs(least), abs(most)) < 2**53:
        low, high = st.slider(name, int(least), int(most), (int(least), int(most)), key=key)
    else:
        low, high = st.slider(name, least, most, (least, most), (most - least) / 100, key=key)
    if (low, high) == (least, most):
        return None
    return Range(field.name, gte=low, lte=high)


def _text(field: FieldSummary, key: str) -> Condition | None:
    name = plain(field.name)
    if field.choices:
        chosen = st.multiselect(name, field.choices, key=key, format_func=shown, placeholder="any")
        return In(field.name, tuple(chosen)) if chosen else None
    text = st.text_input(name, key=key, placeholder="is exactly ...", max_chars=500)
    return Equal(field.name, text) if text else None


def _truth(field: FieldSummary, key: str) -> Condition | None:
    chosen = st.segmented_control(plain(field.name), ("yes", "no"), key=key)
    return None if chosen is None else Equal(field.name, chosen == "yes")


_WIDGETS = {"number": _number, "text": _text, "truth": _truth}
