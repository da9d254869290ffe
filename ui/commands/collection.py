"""``fgir collection``: what one can ask of a collection as a whole."""

from pathlib import Path
from typing import Annotated

import typer

from ui import options

app = typer.Typer(help="Look at a collection and check it.", no_args_is_help=True)


@app.command()
def info(collection: options.Place, as_json: options.AsJson = False) -> None:
    """Print what a collection holds, which encoder made it and what was rejected."""
    import json

    from ui.building import open_collection

    with open_collection(collection) as opened:
        facts = opened.info()
        rejected = opened.rejected()
    if as_json:
        typer.echo(json.dumps(facts | {"rejected": rejected}, indent=2))
        return
    for name, value in facts.items():
        typer.echo(f"{name}: {value}")
    for path, reason in rejected.items():
        typer.echo(f"rejected {path}: {reason}")


@app.command()
def verify(collection: options.Place) -> None:
    """Read every stored byte and compare it with its checksum."""
    from ui.building import open_collection

    with open_collection(collection) as opened:
        for notice in opened.verify():
            typer.echo(notice, err=True)
        typer.echo(f"{collection}: all {len(opened)} items are as they were written")


@app.command()
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
    from indexer.copying import copy_items
    from ui.building import copy_target, open_collection
    from ui.progress import progress

    with (
        open_collection(source) as opened,
        copy_target(target, opened, engine) as copied,
        progress("Copying", len(opened)) as advance,
    ):
        count = copy_items(opened, copied, advance)
    typer.echo(f"copied {count:,} items to {target}")


@app.command()
def snapshot(
    collection: options.Place,
    out: Annotated[Path, typer.Option(help="The file to write.")],
) -> None:
    """Make a snapshot of a collection on a server and download it.

    It holds what lies on the node that is asked: ask each node of a cluster.
    """
    from indexer.qdrant.snapshots import download_snapshot, make_snapshot
    from ui.building import server_of

    with server_of(collection) as server:
        made = make_snapshot(server.location)
        download_snapshot(server, made, out)
    typer.echo(f"{out}: {made.bytes:,} bytes, snapshot {made.name}")


@app.command()
def snapshots(collection: options.Place) -> None:
    """List the snapshots of a collection that lie on the node that is asked."""
    from indexer.qdrant.snapshots import list_snapshots
    from ui.building import server_of

    with server_of(collection) as server:
        for one in list_snapshots(server):
            typer.echo(f"{one.name}  {one.created}  {one.bytes:,} bytes")


@app.command()
def alias(
    collection: options.Place,
    name: Annotated[str, typer.Argument(help="Another name for it on its server.")],
) -> None:
    """Point a name at a collection on a server, in one step with taking it from another.

    Search the name; index again into a new collection; move the name.
    """
    from indexer.qdrant.snapshots import point_alias
    from ui.building import server_of

    with server_of(collection) as server:
        point_alias(server, name)
    typer.echo(f"{name} is {collection}")
