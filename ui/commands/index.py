"""``fgir index``."""

from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import EXIT_INTERRUPTED
from ui import options

Photos = Annotated[
    Path, typer.Argument(help="A folder of photos, or a table (CSV or Parquet) with a path column.")
]


def index(
    photos: Photos,
    out: Annotated[Path, typer.Option(help="The collection, a folder.")],
    engine: options.Engine = None,
    engine_option: options.EngineOption = None,
    engine_table: options.EngineTable = None,
    target_recall: options.TargetRecall = None,
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
    from ui.building import create_or_resume, fill, tell, tune_and_tell

    source = entries_of(photos)  # before anything is made: there may be nothing to index
    chosen = options.chosen_encoder(encoder, backbone, weights, untrained, pooling, size, fit, flip)
    choice = options.engine_choice(engine, engine_option, engine_table, target_recall)
    with create_or_resume(out, chosen, choice, target_recall) as collection:
        code = fill(
            collection, source, chosen, replace=False, runtime=runtime, batch_size=batch_size
        )
    tell(collection)
    if target_recall is not None and code != EXIT_INTERRUPTED:
        code = tune_and_tell(out, target_recall) or code
    raise typer.Exit(code)
