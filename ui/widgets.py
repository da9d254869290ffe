"""Pieces that several views of the page share."""

import logging
import secrets
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import streamlit as st

from indexer.collection import Item, SearchHit
from indexer.disk import DiskCollection
from indexer.filters import Condition
from retrieval.errors import FgirError
from retrieval.thumbnails import thumbnail
from ui.text import shown

SIDE = 320
"""Longer side of a picture in the grid, in pixels: sharp on any screen."""

FACTS = 3
"""Fields of a payload that a card shows."""

_logger = logging.getLogger("fgir.ui")


def safely(work: Callable[..., None], *given: object) -> None:
    """Do what shows a part of the page; what goes wrong is shown in its place, as a sentence.

    A mistake of ours is shown by an id, under which the log has the rest: a page that others may
    look at names no path and no line of code.
    """
    try:
        work(*given)
    except FgirError as error:
        st.error(plain(str(error)), icon=":material/error:")
    except Exception:
        mark = secrets.token_hex(3)
        _logger.exception("error %s", mark)
        st.error(
            f"This is a bug: this part of the page could not be shown. The terminal in which the "
            f"page was started says more under {mark}. Reload the page to go on.",
            icon=":material/bug_report:",
        )


def plain(text: str) -> str:
    r"""The text as Markdown shows it letter by letter.

    Example:
        >>> plain("a_b *c*")
        'a\\_b \\*c\\*'
    """
    marks = "\\`*_{}[]()<>#+-.!|~$:"
    return "".join("\\" + letter if letter in marks else letter for letter in shown(text))


def cards_of(
    collection: DiskCollection, hits: Sequence[SearchHit], *, facts: bool = False
) -> list[dict[str, Any]]:
    """Hits for :func:`ui.hits.hits`; ``facts`` adds what the payload says first."""
    return [
        card_of(collection, hit.item)
        | {"rank": hit.rank, "score": float(hit.score)}
        | ({"facts": facts_of(hit.item)} if facts else {})
        for hit in hits
    ]


def facts_of(item: Item) -> list[str]:
    """The first fields of an item's payload, a line each.

    Example:
        >>> facts_of(Item("a", payload={"price": 12.5, "tags": ["red", "new"], "size": {"eu": 42}}))
        ['price 12.5', 'tags red, new', 'size eu 42']
    """
    first = islice(item.payload.items(), FACTS)
    return [shown(f"{name} {_said(value)}"[:80]) for name, value in first]


def _said(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {_said(one)}" for name, one in islice(value.items(), FACTS))
        case list():
            return ", ".join(map(_said, value[:FACTS]))
        case bool():
            return "yes" if value else "no"
    return "none" if value is None else str(value)


def some_cards(
    collection: DiskCollection, count: int, where: Condition | None = None
) -> list[dict[str, Any]]:
    """Items from all over what a condition holds for, without rank or score."""
    return [
        card_of(collection, item) | {"rank": None, "score": None}
        for item in collection.some_items(count, where)
    ]


def card_of(collection: DiskCollection, item: Item) -> dict[str, Any]:
    """Id, label and picture of an item, for a component of ours."""
    path = collection.folder / item.path
    return {"id": item.id, "label": shown(item.label or item.id), "picture": _picture(path)}


def _picture(path: Path) -> str | None:
    try:
        changed = path.stat().st_mtime_ns
    except (OSError, ValueError):
        return None
    return _drawn(path, changed)


@lru_cache(maxsize=2048)  # of some 12 kB
def _drawn(path: Path, changed: int) -> str | None:
    return thumbnail(path, side=SIDE)
