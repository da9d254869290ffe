"""``fgir collection``: what one can ask of a collection as a whole."""

from pathlib import Path
from typing import Annotated

import typer

from ui import options
from ui.commands import collection_copies, duplicates
from ui.commands.items import items

app = typer.Typer(help="Look at a collection, check it and copy it.", no_args_is_help=True)
app.command()(items)
Folder = Annotated[Path, typer.Argument(help="The collection, a folder.")]


@app.command()
def info(collection: Folder, as_json: options.AsJson = False) -> None:
    """Print what a collection holds, which encoder made it and what was rejected."""
    import json

    from indexer.disk import DiskCollection

    with DiskCollection.open(collection) as opened:
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
def verify(collection: Folder) -> None:
    """Read every stored byte and compare it with its checksum."""
    from indexer.disk import DiskCollection

    with DiskCollection.open(collection) as opened:
        for notice in opened.verify():
            typer.echo(notice, err=True)
        typer.echo(f"{collection}: all {len(opened)} items are as they were written")


@app.command()
def tune(
    collection: Folder,
    target_recall: Annotated[
        float, typer.Option("--target-recall", help="Share of the true ten nearest to be found.")
    ] = 0.99,
) -> None:
    """Measure what the engine finds and let it look as far as a recall takes, no further."""
    from ui.building import tune_and_tell

    raise typer.Exit(tune_and_tell(collection, target_recall))


for name, command in collection_copies.COMMANDS.items():
    app.command(name)(command)
app.command()(duplicates.duplicates)
