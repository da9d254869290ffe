"""``fgir remove``."""

from typing import Annotated

import typer

from ui import options


def remove(
    collection: options.Place,
    ids: Annotated[list[str], typer.Argument(help="Items to remove, by id.")],
) -> None:
    """Remove items from a collection. An unknown id is an error and removes nothing."""
    from ui.building import open_collection

    with open_collection(collection, write=True) as opened:
        opened.remove(ids)
        typer.echo(f"removed {len(ids)}; {len(opened)} items are left in {collection}")
