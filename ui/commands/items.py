"""``fgir collection items``."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import BadInputError
from ui import options
from ui.text import shown

if TYPE_CHECKING:
    from indexer.collection import Item

_FIELDS = ("id", "label", "path", "payload")


def items(
    collection: options.Place,
    where: options.Where = None,
    limit: Annotated[int | None, typer.Option(min=1, help="List at most so many.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table with commas.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """List items: id, label, path and payload."""
    from ui.building import open_collection

    if as_csv and as_json:
        raise BadInputError("the list must be of one kind; got --csv and --json. Give one of them.")
    condition = options.condition(where)
    with open_collection(collection) as opened:
        matching = opened.each_item(condition)
        found = list(islice(matching, limit))
        total = len(opened) if condition is None else len(found) + sum(1 for _ in matching)
        for notice in opened.notices:
            typer.echo(notice, err=True)
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in found], indent=2))
    else:
        for line in _csv(found) if as_csv else map(_line, found):
            typer.echo(line)
    listed = f"{len(found)} of {total}" if len(found) < total else len(found)
    typer.echo(f"listed {listed} items", err=True)


def _plain(item: "Item") -> dict[str, object]:
    return {name: getattr(item, name) for name in _FIELDS}


def _csv(found: "Iterable[Item]") -> Iterator[str]:
    for row in [_FIELDS, *((one.id, one.label, one.path, _payload(one)) for one in found)]:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        yield (
            line.getvalue().encode("utf-8", "backslashreplace").decode()
        )  # names that are no UTF-8


def _line(item: "Item") -> str:
    words = (item.id, item.label, item.path, _payload(item) if item.payload else "")
    return shown("  ".join(word for word in words if word))


def _payload(item: "Item") -> str:
    return json.dumps(item.payload, ensure_ascii=False)
