"""``fgir contours``."""

from pathlib import Path
from typing import Annotated

import typer


def contours(
    photos: Annotated[Path, typer.Argument(help="A folder of photos on plain backgrounds.")],
    out: Annotated[Path, typer.Argument(help="Where the pairs go; must not exist.")],
    unlike: Annotated[
        list[Path] | None,
        typer.Option(help="Leave out near duplicates of the photos in this folder; repeatable."),
    ] = None,
) -> None:
    """Draw the contours of photos: pairs to pre-train sketch encoders on, without any sketch."""
    from retrieval.contour_pairs import write_contour_pairs
    from retrieval.images import is_image_name
    from retrieval.leaks import near_duplicates
    from ui.progress import progress

    found = sorted(path for path in photos.rglob("*") if is_image_name(path))
    avoided = sorted(
        path for folder in unlike or [] for path in folder.rglob("*") if is_image_name(path)
    )
    if avoided:
        twins = {twin.image for twin in near_duplicates(found, avoided, likeness=LIKENESS)}
        typer.echo(f"{len(twins)} photos are too like one to be avoided")
        found = [path for path in found if path not in twins]
    with progress("Drawing contours", len(found)) as advance:
        left_out = write_contour_pairs(found, out, on_progress=advance)
    for sentence in left_out:
        typer.echo(f"left out: {sentence}", err=True)
    typer.echo(f"{len(found) - len(left_out)} pairs in {out}")


LIKENESS = 0.95
"""Of outlines on white, which are all alike, see :func:`retrieval.leaks.near_duplicates`."""
