"""``fgir train``."""

from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import EXIT_INTERRUPTED


def train(
    out: Annotated[Path, typer.Option(help="Folder of the run; must not exist.")],
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe: a TOML file, or a name such as catalogue.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: loss.margin=0.2.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Train an encoder; the best epoch on held-out training classes is kept in OUT/best.

    Several processes share a run under torchrun: torchrun --nproc_per_node 2 -m ui train ...
    """
    from indexer.interruption import Interruption
    from retrieval.errors import BadInputError
    from train.config import read_recipe
    from train.ranks import is_first
    from train.trainer import resume as go_on
    from train.trainer import train as begin

    if (recipe is None) != resume:
        raise BadInputError(
            "train must have a recipe, or --resume for a run that has one already; "
            f"got {'both' if resume else 'neither'}."
        )
    with Interruption() as interruption:

        def wished() -> bool:
            return interruption.wished

        if recipe is None:
            result = go_on(out, on_epoch=typer.echo, should_stop=wished)
        else:
            config = read_recipe(recipe, setting or [])
            result = begin(config, out, on_epoch=typer.echo, should_stop=wished)
    said = [*result.notes]
    if result.finished:
        said += [f"best: {result.best}", f"encoder: {result.encoder_folder}"]
    for line in said if is_first() else ():  # of several processes one speaks
        typer.echo(line)
    if not result.finished:
        if is_first():
            typer.echo(f"stopped; go on with: fgir train --resume --out {out}", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
