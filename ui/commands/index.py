"""``fgir index``."""

from pathlib import Path
from typing import Annotated

import typer

from ui import options

Photos = Annotated[
    Path, typer.Argument(help="A folder of photos, or a table (CSV or Parquet) with a path column.")
]


def index(
    photos: Photos,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "--collection",
            help="The collection: a folder, or on a server qdrant://HOST:6333/NAME, where "
            "?shard_number=6&quantization=int8 and the like may follow.",
        ),
    ],
    engine: Annotated[str, typer.Option(help="Search engine: exact or faiss_flat.")] = "faiss_flat",
    encoder: options.EncoderFolder = None,
    backbone: options.BackboneName = "mobilenet_v2",
    weights: options.Weights = None,
    untrained: options.Untrained = False,
    pooling: options.Pooling = None,
    size: options.Size = None,
    fit: options.Fit = "squash",
    flip: options.Flip = False,
    runtime: options.Runtime = "auto",
    batch_size: options.BatchSize = 32,
) -> None:
    """Make a collection from photos. Run it again after an interruption: it goes on."""
    from indexer.build import entries_of
    from ui.building import create_or_resume, fill

    source = entries_of(photos)  # before anything is made: there may be nothing to index
    chosen = options.chosen_encoder(encoder, backbone, weights, untrained, pooling, size, fit, flip)
    with create_or_resume(out, chosen, engine) as collection:
        code = fill(
            collection, source, chosen, replace=False, runtime=runtime, batch_size=batch_size
        )
    raise typer.Exit(code)
