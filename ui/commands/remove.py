"""``fgir remove``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import BadInputError
from ui import options

if TYPE_CHECKING:
    from indexer.filters import Condition


def remove(
    collection: options.Place,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Items to remove, by id.", show_default=False)
    ] = None,
    where: options.Where = None,
    label: Annotated[
        str | None, typer.Option(help="Remove the items of this label; with --where, of those.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before removing by --where or --label.")
    ] = False,
) -> None:
    """Remove items from a collection, by id or by what is known of them.

    An unknown id is an error and removes nothing. Before removing by --where or --label a person is
    asked, with the number of items.
    """
    from ui.building import open_collection

    condition = _condition(where, label)
    if bool(ids) == (condition is not None):
        raise BadInputError(
            f"remove must be told ids, or a condition with --where or --label; got "
            f"{'both' if ids else 'neither'}. fgir collection items --where shows what it would be."
        )
    with open_collection(collection, write=True) as opened:
        chosen = ids or []
        if condition is not None:
            chosen = opened.items_where(condition)
            if chosen and not yes and not _confirmed(len(chosen), len(opened), collection):
                chosen = []
        before = len(opened)
        opened.remove(chosen)
        typer.echo(f"removed {before - len(opened)}; {len(opened)} items are left in {collection}")


def _condition(where: str | None, label: str | None) -> "Condition | None":
    from indexer.filters import And, Equal

    asked = options.condition(where)
    if label is None:
        return asked
    labelled = Equal("label", label)
    return labelled if asked is None else And((asked, labelled))


def _confirmed(count: int, of: int, collection: str) -> bool:
    if not sys.stdin.isatty():
        raise BadInputError(
            f"removing {count} of {of} items of {collection} must be confirmed; got nobody to ask. "
            "Give --yes; nothing was removed."
        )
    return typer.confirm(f"Remove {count} of {of} items of {collection}?", err=True)
