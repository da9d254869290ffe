"""``fgir encoder``."""

from pathlib import Path
from typing import Annotated

import typer

from ui import options


def encoder(
    out: Annotated[Path, typer.Argument(help="Folder for the encoder; must not exist.")],
    backbone: options.BackboneName = "mobilenet_v2",
    weights: options.Weights = None,
    untrained: options.Untrained = False,
    pooling: options.Pooling = None,
    whiten: options.Whiten = None,
    photos: Annotated[
        Path | None, typer.Option(help="Photos to fit the whitening on: a folder or a table.")
    ] = None,
    size: options.Size = None,
    last_stride: options.LastStride = None,
    fit: options.Fit = "squash",
    flip: options.Flip = False,
    runtime: options.Runtime = "auto",
    batch_size: options.BatchSize = 32,
) -> None:
    """Save an encoder, network and pooling and whitening, to use with --encoder."""
    from retrieval.checkpoints import save_encoder
    from retrieval.errors import BadInputError

    chosen = options.chosen_encoder(
        None, backbone, weights, untrained, pooling, size, fit, flip, last_stride
    )
    if whiten:
        if photos is None:
            raise BadInputError("--whiten must have photos to fit on; got none. Add --photos.")
        from indexer.build import entries_of
        from ui.whitening import whitened

        entries, root = entries_of(photos)
        paths = [root / entry.path for entry in entries]
        chosen = whitened(chosen, whiten, paths, runtime=runtime, batch_size=batch_size)
    save_encoder(chosen, out)
    typer.echo(f"{out}: {chosen.dim} dimensions, fingerprint {chosen.fingerprint()[:12]}")
