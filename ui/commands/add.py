"""``fgir add``."""

from typing import Annotated

import typer

from ui import options
from ui.commands.index import Photos


def add(
    collection: options.Place,
    photos: Photos,
    label: Annotated[
        str | None,
        typer.Option(
            help="Class of all these photos, in place of their folders' names. It goes before each "
            "id, as in 'new shoe/1.jpg'."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Photos whose id is there already replace it.")
    ] = False,
    encoder_folder: options.EncoderFolder = None,
    runtime: options.Runtime = "auto",
    batch_size: options.BatchSize = 32,
) -> None:
    """Add photos to a collection with the encoder that made it.

    A folder carries that encoder; for a collection on a server it is given.
    """
    from indexer.build import entries_of
    from indexer.sources import labelled
    from ui.building import encoder_of, fill, open_collection, tell

    entries, root = entries_of(photos)
    source = entries if label is None else labelled(entries, label), root
    with open_collection(collection, write=True) as opened:
        encoder = encoder_of(opened, encoder_folder)
        code = fill(
            opened, source, encoder, replace=replace, runtime=runtime, batch_size=batch_size
        )
    tell(opened)
    raise typer.Exit(code)
