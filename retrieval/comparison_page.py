"""Two runs on the same queries as one HTML file, with the queries won and lost as pictures."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from .comparison import Comparison, Difference
from .figures import percent
from .html_page import cell, header, page, section, table, tiles, write
from .picture_rows import PictureRows, one_of_each_class
from .report_parts import about, curves_section, encoder_name, facts_section, figures_section

ROWS = 10
"""Queries won, and lost, that are shown as pictures."""


def write_comparison_page(comparison: Comparison, path: Path) -> None:
    """Write a page about run B against run A.

    Args:
        comparison: From :func:`retrieval.comparison.compare`.
        path: The HTML file; overwritten.

    Raises:
        StorageError: The file cannot be written.
    """
    parts = comparison_parts(comparison)
    write(path, page(f"{comparison.first.benchmark}: A and B", parts))


def comparison_parts(comparison: Comparison) -> list[str]:
    """What :func:`write_comparison_page` puts on the page, as HTML."""
    runs = (comparison.first, comparison.second)
    drawn = [PictureRows(run) for run in runs]
    first = comparison.differences[0]
    won, lost = len(comparison.won_rows), len(comparison.lost_rows)
    return [
        header("Comparison", runs[0].benchmark, about(runs[0])),
        tiles(
            [
                (f"{first.name} of A", f"{percent(first.first)}%", encoder_name(runs[0])),
                (f"{first.name} of B", f"{percent(first.second)}%", encoder_name(runs[1])),
                ("only B answers", f"{won:,}", f"only A answers {lost:,}"),
                ("exact McNemar", f"p = {comparison.p_value:.2g}", comparison.verdict),
            ]
        ),
        _differences(comparison.differences),
        figures_section(runs),
        curves_section(runs),
        _changed("Won by B", "Only B answers these.", comparison.won_rows, comparison, drawn),
        _changed("Lost by B", "Only A answers these.", comparison.lost_rows, comparison, drawn),
        *map(facts_section, runs),
    ]


def _differences(differences: Sequence[Difference]) -> str:
    rows = []
    for one in differences:
        ends = [f"{100 * end:+.1f}" for end in one.interval or ()]
        rows.append(
            [
                cell(escape(one.name), kind="name"),
                cell(percent(one.first), kind="figure"),
                cell(percent(one.second), kind="figure"),
                cell(f"{100 * one.value:+.1f}", kind="figure"),
                cell(" to ".join(ends), kind="figure"),
            ]
        )
    explained = (
        "In percent and points. The interval draws whole classes, the same ones for both runs: "
        "where it holds 0, another choice of classes might have turned the difference around."
    )
    return section("B against A", explained, table(["", "A", "B", "B - A", "95 %"], rows))


def _changed(
    title: str,
    explained: str,
    rows: Sequence[int],
    comparison: Comparison,
    drawn: Sequence[PictureRows],
) -> str:
    if not rows:
        return ""
    shown = one_of_each_class(comparison.first, rows, ROWS)
    strips = [
        f'<div class="row"><p>{escape(f"A: {drawn[0].standing(row)}")}</p>{drawn[0].strip(row)}'
        f"<p>{escape(f'B: {drawn[1].standing(row)}')}</p>{drawn[1].strip(row)}</div>"
        for row in shown
    ]
    explained = f"{explained} {len(shown)} of {len(rows):,} are shown, one a class."
    return section(title, explained, *strips)
