"""``fgir catalogue``."""

from pathlib import Path
from typing import Annotated

import typer


def catalogue(
    out: Annotated[Path, typer.Argument(help="Where the data set goes; must not exist.")],
    models: Annotated[int, typer.Option(min=4, help="Shoe models; half are for testing.")] = 240,
    photos: Annotated[int, typer.Option(min=2, help="Photos of each model.")] = 6,
    sketches: Annotated[int, typer.Option(min=1, help="Sketches of each model.")] = 2,
    size: Annotated[int, typer.Option(min=64, help="Side of a photo in pixels.")] = 160,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
) -> None:
    """Generate the shoe catalogue: photos in several views and sketches with ordered strokes."""
    from retrieval.catalogue import generate
    from ui.progress import progress

    with progress("Drawing shoes", models) as advance:
        generate(
            out,
            models=models,
            photos_per_model=photos,
            sketches_per_model=sketches,
            size=size,
            seed=seed,
            on_progress=advance,
        )
    typer.echo(f"{models} models, {models * photos} photos, {models * sketches} sketches in {out}")
