"""``fgir index``."""

from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import EXIT_INTERRUPTED, BadInputError
from ui import options

_SYNC = "Keep in step"
_ENCODER = ("encoder", "backbone", "weights", "untrained", "pooling", "size", "fit", "flip")

Photos = Annotated[
    Path, typer.Argument(help="A folder of photos, or a table (CSV or Parquet) with a path column.")
]


def index(
    context: typer.Context,
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
    sync: Annotated[
        bool,
        typer.Option(
            "--sync",
            help="Bring photos and collection in step: also encode changed ones again and remove "
            "those that are gone.",
            rich_help_panel=_SYNC,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only list what would be done.", rich_help_panel=_SYNC),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Remove more than half without asking.", rich_help_panel=_SYNC),
    ] = False,
    watch: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="Keep doing it: look again after so many seconds, until Ctrl-C.",
            rich_help_panel=_SYNC,
        ),
    ] = None,
) -> None:
    """Make a collection from photos. Run it again after an interruption: it goes on.

    With --sync a collection that is there is worked on with the encoder it carries, unless options
    name another one, which must then be the same.
    """
    from indexer.build import entries_of
    from ui.building import create_or_resume, fill, tell

    if not sync and (dry_run or yes or watch is not None):
        raise BadInputError("--dry-run, --yes and --watch must come with --sync; got none.")
    choice = options.engine_choice(engine, engine_option, engine_table, target_recall)
    if sync:
        from ui.building import folder_of
        from ui.syncing import Syncing

        named = _names_an_encoder(context)
        syncing = Syncing(
            photos,
            folder_of(out),
            lambda: options.chosen_encoder(
                encoder, backbone, weights, untrained, pooling, size, fit, flip
            ),
            named=named,
            choice=choice,
            recall=target_recall,
            yes=yes,
            runtime=runtime,
            batch_size=batch_size,
        )
        if dry_run:
            raise typer.Exit(syncing.say_plan())
        code = syncing.once() if watch is None else syncing.keep_on(watch)
        raise typer.Exit(_tuned(out, target_recall, code))
    source = entries_of(photos)  # before anything is made: there may be nothing to index
    chosen = options.chosen_encoder(encoder, backbone, weights, untrained, pooling, size, fit, flip)
    with create_or_resume(out, chosen, choice, target_recall) as collection:
        code = fill(
            collection, source, chosen, replace=False, runtime=runtime, batch_size=batch_size
        )
    tell(collection)
    raise typer.Exit(_tuned(out, target_recall, code))


def _tuned(out: str, target_recall: float | None, code: int) -> int:
    from ui.building import folder_of, tune_and_tell

    if target_recall is None or code == EXIT_INTERRUPTED:
        return code
    return tune_and_tell(folder_of(out), target_recall) or code


def _names_an_encoder(context: typer.Context) -> bool:
    sources = [context.get_parameter_source(name) for name in _ENCODER]
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)
