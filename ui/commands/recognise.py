"""``fgir recognise``."""

from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import EXIT_DONE_IN_PART
from ui import options
from ui.text import shown

_SHOWN = 10
"""Classes and pairs that are printed; --out and --json have all of them."""


def recognise(
    classifier: Annotated[Path, typer.Argument(help="A classifier, such as RUN/best.")],
    benchmark: Annotated[str, typer.Argument(help="folder, table, catalogue, cub200, sop ...")],
    root: Annotated[Path, typer.Argument(help="Where the data set lies.")],
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="An option of the benchmark, as in training."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the whole report as JSON.")] = None,
    batch_size: options.BatchSize = 32,
    as_json: options.AsJson = False,
) -> None:
    """Measure a classifier on the test part of a benchmark: top-1 and top-5 with intervals.

    Classes are met by name. Then: how honest the probabilities are, which classes are recognised
    least, and which pairs are taken for one another.
    """
    import json

    from retrieval import benchmarks
    from retrieval.classifier_folders import load_classifier
    from retrieval.files import write_atomically
    from retrieval.recognition_evaluation import recognise as recognised
    from ui.progress import progress

    data = benchmarks.read(benchmark, root, options.assignments(option or []))
    loaded = load_classifier(classifier)
    with progress("Classifying", None) as advance:
        report, rejected = recognised(loaded, data, batch_size=batch_size, on_progress=advance)
    text = json.dumps(report.as_dict(), indent=2, ensure_ascii=False)
    if as_json:
        typer.echo(text)
    else:
        typer.echo(str(report))
        typer.echo("least recognised:")
        for one in report.classes[:_SHOWN]:
            typer.echo(
                f"  {one.first}/{one.pictures} first, {one.five}/{one.pictures} in five, "
                f"said {one.stated} times  {shown(one.name)}"
            )
        typer.echo("most often taken for another:" if report.confusions else "nothing confused")
        for pair in report.confusions[:_SHOWN]:
            typer.echo(f"  {pair.pictures} times  {shown(pair.right)} -> {shown(pair.stated)}")
    for note in report.notes:
        typer.echo(note, err=True)
    for rejection in rejected:
        typer.echo(f"rejected {rejection.reason}", err=True)
    if out is not None:
        write_atomically(out, text.encode() + b"\n")
        typer.echo(f"report: {out}", err=True)
    if rejected:
        raise typer.Exit(EXIT_DONE_IN_PART)
