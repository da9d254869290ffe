"""``fgir on-the-fly``."""

from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import EXIT_DONE_IN_PART
from ui import options


def on_the_fly(
    benchmark: Annotated[
        str, typer.Argument(help="pairs, catalogue ...: its queries are files of strokes.")
    ],
    root: Annotated[Path, typer.Argument(help="Where the data set lies.")],
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="An option of the benchmark: holdout=0.2."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for on_the_fly.json and its page.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Equal shares of the pen's way.")] = 20,
    whole_strokes: Annotated[
        bool, typer.Option("--whole-strokes", help="See a stroke only once it is finished.")
    ] = False,
    encoder: options.EncoderFolder = None,
    backbone: options.BackboneName = "mobilenet_v2",
    weights: options.Weights = None,
    untrained: options.Untrained = False,
    pooling: options.Pooling = None,
    size: options.Size = None,
    fit: options.Fit = "squash",
    runtime: options.Runtime = "auto",
    batch_size: options.BatchSize = 32,
    as_json: options.AsJson = False,
) -> None:
    """Measure how soon drawings find their photos: m@A, m@B, acc@K while each is drawn."""
    import json

    from retrieval import benchmarks
    from retrieval.on_the_fly import on_the_fly as evaluated
    from retrieval.on_the_fly_page import write_on_the_fly_page
    from ui.progress import progress

    data = benchmarks.read(benchmark, root, options.assignments(option or []))
    chosen = options.chosen_encoder(
        encoder, backbone, weights, untrained, pooling, size, fit, flip=False
    )
    with progress("Encoding", None) as advance:
        report = evaluated(
            chosen,
            data,
            steps=steps,
            whole_strokes=whole_strokes,
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
        report.save(out / "on_the_fly.json")
        write_on_the_fly_page(report, out / "on_the_fly.html")
        typer.echo(f"page: {out / 'on_the_fly.html'}", err=True)
    if report.rejected:
        raise typer.Exit(EXIT_DONE_IN_PART)
