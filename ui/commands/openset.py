"""``fgir openset``."""

from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import EXIT_DONE_IN_PART
from ui import options


def openset(
    benchmark: Annotated[str, typer.Argument(help="folder, table, catalogue, cub200, sop ...")],
    root: Annotated[Path, typer.Argument(help="Where the data set lies.")],
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="An option of the benchmark: query_split=test."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for openset.json and its page.")] = None,
    known: Annotated[float, typer.Option(help="Share of classes that the gallery knows.")] = 0.5,
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbours that vote on a label.")] = 10,
    unknown_share: Annotated[
        float, typer.Option(help="Share of strangers that probabilities expect.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Of which classes and photos are known.")] = 0,
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
    as_json: options.AsJson = False,
) -> None:
    """Measure how well "none of the known classes" is told: AUROC, FPR@95, refusals, calibration.

    Some classes are known, the others are strangers that should be refused.
    """
    import json

    from retrieval import benchmarks
    from retrieval.openset_evaluation import openset as evaluated
    from retrieval.openset_page import write_openset_page
    from ui.progress import progress

    data = benchmarks.read(benchmark, root, options.assignments(option or []))
    chosen = options.chosen_encoder(encoder, backbone, weights, untrained, pooling, size, fit, flip)
    with progress("Encoding", None) as advance:
        report = evaluated(
            chosen,
            data,
            known_share=known,
            k=k,
            unknown_share=unknown_share,
            seed=seed,
            runtime=runtime,
            batch_size=batch_size,
            on_progress=advance,
        )
    typer.echo(json.dumps(report.as_dict()) if as_json else str(report))
    for note in report.notes:
        typer.echo(note, err=True)
    for rejection in report.rejected:
        typer.echo(f"rejected {rejection.path}: {rejection.reason}", err=True)
    if out is not None:
        report.save(out / "openset.json")
        write_openset_page(report, out / "openset.html")
        typer.echo(f"page: {out / 'openset.html'}", err=True)
    if report.rejected:
        raise typer.Exit(EXIT_DONE_IN_PART)
