"""``fgir compare``."""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    run_a: Annotated[Path, typer.Argument(help="A folder that fgir evaluate wrote.")],
    run_b: Annotated[Path, typer.Argument(help="Another, on the same benchmark.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Compare Recall@K.")] = 1,
    page: Annotated[
        Path | None, typer.Option(help="Show the queries won and lost as pictures in this .html.")
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="Queries won and lost to name.")] = 10,
) -> None:
    """Compare two evaluations query by query: exact McNemar test, queries won and lost."""
    from retrieval.comparison import compare as compared
    from retrieval.evaluation import EvaluationReport

    result = compared(EvaluationReport.load(run_a), EvaluationReport.load(run_b), k=k)
    typer.echo(str(result))
    for title, paths in (("won by B", result.won), ("lost by B", result.lost)):
        for path in paths[:show]:
            typer.echo(f"  {title}: {path}")
    if page is not None:
        from retrieval.comparison_page import write_comparison_page

        write_comparison_page(result, page)
        typer.echo(f"page: {page}", err=True)
