"""``fgir collection compact``, ``export``, ``import``, ``snapshot`` and ``merge``."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import EXIT_INTERRUPTED, BadInputError

Folder = Annotated[Path, typer.Argument(help="The collection, a folder.")]
Out = Annotated[Path, typer.Argument(help="A new or empty folder.")]


def compact(collection: Folder) -> None:
    """Give back the room that removed and replaced items have left."""
    from indexer.disk import DiskCollection

    with DiskCollection.open(collection, write=True) as opened:
        before = int(opened.info()["bytes"])
        opened.compact()
    with DiskCollection.open(collection) as again:
        after = int(again.info()["bytes"])
    typer.echo(f"{collection}: {before:,} bytes before, {after:,} after")
    for notice in opened.notices:
        typer.echo(notice, err=True)


def export(collection: Folder, out: Out) -> None:
    """Write items and vectors as Parquet and JSON, which any program can read."""
    from indexer.disk import DiskCollection
    from indexer.exporting import export_collection
    from ui.progress import progress

    with DiskCollection.open(collection) as opened, progress("Exporting", len(opened)) as advance:
        count = export_collection(opened, out, on_progress=advance)
    typer.echo(f"exported {count:,} items to {out}")


def import_(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An exported folder.")],
    collection: Annotated[Path, typer.Argument(help="The new collection, a folder.")],
    engine: Annotated[
        str | None, typer.Option(help="Search engine; the exported collection's when left out.")
    ] = None,
) -> None:
    """Make a collection from an exported folder, as a whole or not at all."""
    from indexer.importing import import_collection
    from ui.progress import progress

    with progress("Importing", None) as advance:
        count = import_collection(source, collection, engine=engine, on_progress=advance)
    typer.echo(f"imported {count:,} items to {collection}")


def snapshot(collection: Folder, out: Out) -> None:
    """Copy a collection as it is at one moment, whoever reads or writes it; open it to restore."""
    from indexer.copying import take_snapshot

    count = take_snapshot(collection, out)
    typer.echo(f"copied {count:,} items to {out}; verified")
    if out.absolute().parent.resolve() != collection.absolute().parent.resolve():
        typer.echo(
            f"paths of pictures start from the collection's folder: move the copy beside "
            f"{collection} for its pictures to be found.",
            err=True,
        )


def merge(
    collection: Folder,
    others: Annotated[list[Path], typer.Argument(help="Collections whose items are added.")],
    on_collision: Annotated[
        str,
        typer.Option(
            help="What becomes of items of one id that differ: error (nothing is written), keep "
            "(the one that is there first), replace (by the one that comes last)."
        ),
    ] = "error",
) -> None:
    """Add the items of other collections of the same encoder."""
    from contextlib import ExitStack

    from indexer.disk import DiskCollection
    from indexer.merging import Collision, merge_collections

    if on_collision not in {one.value for one in Collision}:
        raise BadInputError(f"--on-collision must be error, keep or replace; got {on_collision!r}.")
    with ExitStack() as stack:
        opened = stack.enter_context(DiskCollection.open(collection, write=True))
        parts = [stack.enter_context(DiskCollection.open(other)) for other in others]
        result = merge_collections(opened, parts, on_collision=Collision(on_collision))
        typer.echo(f"{result}; {len(opened):,} items in {collection}")
    if result.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)


COMMANDS: dict[str, Callable[..., None]] = {
    "compact": compact,
    "export": export,
    "import": import_,
    "snapshot": snapshot,
    "merge": merge,
}
