"""``fgir remove``."""

from pathlib import Path
from typing import Annotated

import typer


def remove(
    collection: Annotated[Path, typer.Argument(help="The collection, a folder.")],
    ids: Annotated[list[str], typer.Argument(help="Items to remove, by id.")],
) -> None:
    """Remove items from a collection. An unknown id is an error and removes nothing."""
    from indexer.disk import DiskCollection

    with DiskCollection.open(collection, write=True) as opened:
        opened.remove(ids)
        typer.echo(f"removed {len(ids)}; {len(opened)} items are left in {collection}")
