"""``fgir collection``: what one can ask of a collection as a whole."""

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
