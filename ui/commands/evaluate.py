"""``fgir evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import EXIT_DONE_IN_PART
from ui import options

if TYPE_CHECKING:
    from retrieval.data import Benchmark
    from retrieval.encoder import Encoder
    from retrieval.encoder_pair import EncoderPair


def evaluate(
    benchmark: Annotated[str, typer.Argument(help="folder, table, catalogue, cub200, sop ...")],
    root: Annotated[Path, typer.Argument(help="Where the data set lies.")],
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="An option of the benchmark: query_split=test."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report, its page and every query's outcome.")
    ] = None,
    leaks: Annotated[
        bool, typer.Option(help="Look for photos that occur in two parts of the benchmark.")
    ] = True,
    encoder: options.EncoderFolder = None,
    backbone: options.BackboneName = "mobilenet_v2",
    weights: options.Weights = None,
    untrained: options.Untrained = False,
    pooling: options.Pooling = None,
    whiten: options.Whiten = None,
    centred: options.Centred = False,
    rerank: options.Rerank = None,
    size: options.Size = None,
    last_stride: options.LastStride = None,
    keep_layers: options.KeepLayers = None,
    fit: options.Fit = "squash",
    flip: options.Flip = False,
    runtime: options.Runtime = "auto",
    batch_size: options.BatchSize = 32,
    as_json: options.AsJson = False,
) -> None:
    """Measure Recall@K, mAP, MAP@R and R-precision with intervals, and write a page about it.

    A whitening is fitted on the training photos, or on the gallery where that is apart from the
    queries and there is no training part; --centred and --whiten paired on its training pairs.
    """
    import json

    from retrieval import benchmarks
    from retrieval.evaluation import evaluate as evaluated
    from ui.progress import progress

    reranking = options.reranking(rerank)
    data = benchmarks.read(benchmark, root, options.assignments(option or []))
    chosen = options.chosen_encoder(
        encoder, backbone, weights, untrained, pooling, size, fit, flip, last_stride, keep_layers
    )
    if whiten or centred:
        chosen = _fitted(chosen, whiten, centred, data, runtime, batch_size)
    notes = [_leaks(data)] if leaks else ["Not looked for photos that occur in two parts."]
    count = len(data.query) + (0 if data.same_images else len(data.gallery))
    with progress("Encoding", count) as advance:
        report = evaluated(
            chosen,
            data,
            runtime=runtime,
            batch_size=batch_size,
            notes=notes,
            reranking=reranking,
            on_progress=advance,
        )
    if untrained and encoder is None:
        report = report.named(f"{report.encoder['name']} untrained")
    typer.echo(json.dumps(report.as_dict(), indent=2) if as_json else str(report))
    for note in report.notes:
        typer.echo(note, err=True)
    for rejection in report.rejected:
        typer.echo(f"rejected {rejection.path}: {rejection.reason}", err=True)
    if out is not None:
        from retrieval.report import write_page

        report.save(out)
        write_page([report], out / "report.html")
        typer.echo(f"page: {out / 'report.html'}", err=True)
    if report.rejected:
        raise typer.Exit(EXIT_DONE_IN_PART)


def _fitted(
    chosen: "Encoder | EncoderPair",
    whiten: str | None,
    centred: bool,
    data: "Benchmark",
    runtime: str,
    batch_size: int,
) -> "Encoder | EncoderPair":
    from ui.whitening import fitted_pair, needs_pairs, whitened

    if whiten is None or needs_pairs(whiten, centred):
        return fitted_pair(chosen, whiten, data)
    fitted_on = data.train if len(data.train) or data.same_images else data.gallery
    return whitened(chosen, whiten, fitted_on.paths, runtime=runtime, batch_size=batch_size)


def _leaks(data: "Benchmark") -> str:
    from retrieval.leaks import find_leaks
    from ui.progress import progress

    learned = len(data.train) + len(data.train_sketches)
    count = learned + len(data.query) + (0 if data.same_images else len(data.gallery))
    with progress("Looking for leaks", count) as advance:
        return str(find_leaks(data, on_progress=advance))
