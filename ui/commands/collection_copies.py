"""``fgir collection compact``, ``copy``, ``export``, ``import``, ``snapshot`` and ``merge``."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import EXIT_INTERRUPTED, BadInputError
from ui import options

Out = Annotated[Path, typer.Argument(help="A new or empty folder.")]


def compact(collection: options.Place) -> None:
    """Give back the room that removed and replaced items have left."""
    from indexer.disk import DiskCollection
    from ui.building import folder_of

    folder = folder_of(collection)
    with DiskCollection.open(folder, write=True) as opened:
        before = int(opened.info()["bytes"])
        opened.compact()
    with DiskCollection.open(folder) as again:
        after = int(again.info()["bytes"])
    typer.echo(f"{collection}: {before:,} bytes before, {after:,} after")
    for notice in opened.notices:
        typer.echo(notice, err=True)


def copy(
    source: options.Place,
    target: options.Place,
    engine: Annotated[
        str, typer.Option(help="Search engine of a new folder: see fgir index.")
    ] = "faiss_flat",
) -> None:
    """Copy a collection: from a folder to a server, from a server to a folder, or within either.

    A target that is there must be of the same encoder; its items of the same id are replaced.
    """
    from indexer.transfer import copy_items
    from ui.building import copy_target, open_collection
    from ui.progress import progress

    with (
        open_collection(source) as opened,
        copy_target(target, opened, engine) as copied,
        progress("Copying", len(opened)) as advance,
    ):
        count = copy_items(opened, copied, advance)
    typer.echo(f"copied {count:,} items to {target}")


def export(collection: options.Place, out: Out) -> None:
    """Write items and vectors as Parquet and JSON, which any program can read."""
    from indexer.exporting import export_collection
    from ui.building import open_collection
    from ui.progress import progress

    with open_collection(collection) as opened, progress("Exporting", len(opened)) as advance:
        count = export_collection(opened, out, on_progress=advance)
    typer.echo(f"exported {count:,} items to {out}")


def import_(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An exported folder.")],
    collection: options.Place,
    engine: Annotated[
        str | None,
        typer.Option(help="Search engine of the folder; the exported collection's when left out."),
    ] = None,
) -> None:
    """Make a collection from an exported folder: a new folder as a whole or not at all.

    On a server the collection may be there, of the same encoder; items of the same id are replaced.
    """
    from indexer.importing import import_collection, import_items
    from indexer.qdrant.location import is_location
    from ui.building import server_target
    from ui.progress import progress

    with progress("Importing", None) as advance:
        if is_location(collection):
            target = server_target(collection, engine)
            count = import_items(source, target, on_progress=advance)
        else:
            count = import_collection(source, Path(collection), engine=engine, on_progress=advance)
    typer.echo(f"imported {count:,} items to {collection}")


def snapshot(
    collection: options.Place,
    out: Annotated[
        Path, typer.Argument(help="A new or empty folder; of a collection on a server a new file.")
    ],
) -> None:
    """Copy a collection as it is at one moment, whoever reads or writes it.

    Of a folder it is a folder: open it to restore. Of a server it is the server's own file, which
    holds what lies on the node that is asked: ask each node of a cluster.
    """
    from indexer.qdrant.location import is_location

    if is_location(collection):
        _server_snapshot(collection, out)
    else:
        _folder_snapshot(Path(collection), out)


def _server_snapshot(collection: str, out: Path) -> None:
    from indexer.qdrant.snapshots import download_snapshot, make_snapshot
    from ui.building import server_of

    with server_of(collection) as server:
        made = make_snapshot(server.location)
        download_snapshot(server, made, out)
    typer.echo(f"{out}: {made.bytes:,} bytes, snapshot {made.name}")


def _folder_snapshot(collection: Path, out: Path) -> None:
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
    collection: options.Place,
    others: Annotated[list[str], typer.Argument(help="Collections whose items are added.")],
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
    from ui.building import folder_of

    if on_collision not in {one.value for one in Collision}:
        raise BadInputError(f"--on-collision must be error, keep or replace; got {on_collision!r}.")
    folders = [folder_of(other) for other in others]
    with ExitStack() as stack:
        opened = stack.enter_context(DiskCollection.open(folder_of(collection), write=True))
        parts = [stack.enter_context(DiskCollection.open(one)) for one in folders]
        result = merge_collections(opened, parts, on_collision=Collision(on_collision))
        typer.echo(f"{result}; {len(opened):,} items in {collection}")
    if result.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)


COMMANDS: dict[str, Callable[..., None]] = {
    "compact": compact,
    "copy": copy,
    "export": export,
    "import": import_,
    "snapshot": snapshot,
    "merge": merge,
}
