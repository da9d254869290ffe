"""An evaluation of unfinished drawings as one HTML file: figures, curves, and a table."""

from html import escape
from pathlib import Path

from .charts import colour, curves_while_drawn
from .figures import percent
from .html_page import cell, facts, header, key, notes, page, section, table, tiles, write
from .on_the_fly_report import PERCENTILE, RECIPROCAL, TOP, OnTheFlyReport, summary

_SHOWN = ("acc@1", "acc@10", PERCENTILE)


def write_on_the_fly_page(report: OnTheFlyReport, path: Path) -> None:
    """Write a page about one evaluation of unfinished drawings.

    Args:
        report: The evaluation.
        path: The HTML file; overwritten.

    Raises:
        StorageError: The file cannot be written.
    """
    size = (
        f"{len(report.sketches):,} drawings of {len(set(report.targets.tolist())):,} photos among "
        f"{report.gallery_size:,}"
    )
    name = report.encoder.get("name")
    parts = [
        header("On the fly", report.benchmark, f"{name} · {size}" if name else size),
        tiles(summary(report)),
        notes([report.strokes_sentence() + ".", *report.notes]),
        chart_section(report),
        _table(report),
        section("Where this comes from", "", facts(_facts(report))),
    ]
    write(path, page(f"{report.title}, on the fly", parts))


def chart_section(report: OnTheFlyReport) -> str:
    """acc@1, acc@10 and the mean rank percentile over the share drawn, with bands."""
    lines = [curve for curve in report.curves if curve.name in _SHOWN]
    keys = [f"<span>{key(colour(i))}{escape(line.name)}</span>" for i, line in enumerate(lines)]
    explained = (
        "Rank percentile: 1 for rank 1, 0 for the last; its area is m@A. Shaded: 95 % bootstrap "
        "over the photos."
    )
    chart = curves_while_drawn(lines, "What a drawing finds while it is drawn")
    legend = f'<div class="legend">{"".join(keys)}</div>'
    return section("While it is drawn", explained, chart, legend)


def _table(report: OnTheFlyReport) -> str:
    rows = []
    for place, share in enumerate(report.shares.tolist()):
        cells = [cell(f"{100 * share:.0f}%", kind="name")]
        for curve in report.curves:
            low, high = float(curve.low[place]), float(curve.high[place])
            value = percent(float(curve.values[place]))
            cells.append(cell(f"{value}% ({percent(low, high)})", kind="figure"))
        rows.append(cells)
    seen = "finished strokes" if report.whole_strokes else "the pen's way, cut inside a stroke"
    explained = f"Shares of {seen}. The area under {RECIPROCAL} is m@B."
    return section(
        "At each share", explained, table(["drawn", *(c.name for c in report.curves)], rows)
    )


def _facts(report: OnTheFlyReport) -> dict[str, object]:
    run = report.run
    return {
        "encoder": report.encoder.get("name"),
        "fingerprint": report.encoder.get("fingerprint"),
        "runtime": report.encoder.get("runtime"),
        "hits looked through": TOP,
        "seconds": run.get("seconds"),
        "commit": run.get("commit"),
        "date": run.get("date"),
        "seed": report.seed,
    }
