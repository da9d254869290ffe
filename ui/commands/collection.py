"""``fgir collection``: what one can ask of a collection as a whole."""

from typing import Annotated

import typer

from ui import options
from ui.commands import collection_copies, duplicates
from ui.commands.items import items

app = typer.Typer(help="Look at a collection, check it and copy it.", no_args_is_help=True)
app.command()(items)


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
    from ui.progress import progress

    with open_collection(collection) as opened:
        with progress("Comparing", len(opened)) as advance:
            notices = opened.verify(advance)
        for notice in notices:
            typer.echo(notice, err=True)
        typer.echo(f"{collection}: all {len(opened)} items are as they were written")


@app.command()
def tune(
    collection: options.Place,
    target_recall: Annotated[
        float, typer.Option("--target-recall", help="Share of the true ten nearest to be found.")
    ] = 0.99,
) -> None:
    """Measure what the engine finds and let it look as far as a recall takes, no further."""
    from ui.building import folder_of, tune_and_tell

    raise typer.Exit(tune_and_tell(folder_of(collection), target_recall))


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


for name, command in collection_copies.COMMANDS.items():
    app.command(name)(command)
app.command()(duplicates.duplicates)
