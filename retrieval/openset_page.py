"""An evaluation of refusals as one HTML file: figures, ROC, refusals over alpha, calibration."""

from pathlib import Path

import numpy as np

from .charts import Curve, colour, curves_over_percent
from .figures import Score, percent
from .html_page import cell, facts, header, key, notes, page, section, small, table, tiles, write
from .openset_metrics import roc
from .openset_report import P_BY_CLASS, OpensetReport, P
from .statistics import wilson

_RATES = np.linspace(0.01, 1, 34)
_ALPHAS = np.linspace(0.01, 0.5, 50)


def write_openset_page(report: OpensetReport, path: Path) -> None:
    """Write a page about one evaluation.

    Args:
        report: The evaluation.
        path: The HTML file; overwritten.

    Raises:
        StorageError: The file cannot be written.
    """
    asked = int(report.known.sum())
    line = (
        f"{asked:,} queries of {report.gallery['classes']:,} known classes with "
        f"{report.gallery['photos']:,} photos, {len(report.known) - asked:,} of unknown classes"
    )
    name = report.encoder.get("name")
    parts = [
        header("None of these", report.benchmark, f"{name} · {line}" if name else line),
        tiles([_tile(score) for score in report.scores[:2]]),
        notes(report.notes),
        _figures(report),
        _roc(report),
        _refused(report),
        _table(report),
        section("Where this comes from", "", facts(_facts(report))),
    ]
    write(path, page(f"{report.benchmark}, none of these", parts))


def _tile(score: Score) -> tuple[str, str, str]:
    ends = score.clustered or score.interval
    return score.name, f"{percent(score.value)}%", percent(*ends) if ends else ""


def _figures(report: OpensetReport) -> str:
    rows = []
    for score in report.scores:
        hits = f"n {score.count:,}" if score.hits is None else f"{score.hits:,}/{score.count:,}"
        lines = [small(percent(*score.interval))] if score.interval else []
        lines += [small(f"({percent(*score.clustered)})")] if score.clustered else []
        figure = cell(f"{percent(score.value)}%", kind="figure")
        rows.append([cell(score.name, kind="name"), figure, cell(hits), cell(*lines)])
    explained = (
        "95 % Wilson intervals, as if queries were independent; in brackets bootstrap over whole "
        "classes. FPR@95: unknown queries that pass where 95 % of known ones do. ECE: mean gap "
        "between stated probability and truth."
    )
    return section("Figures", explained, table(["", "", "of", "95 %"], rows))


def _roc(report: OpensetReport) -> str:
    lines = []
    for name, values in report.surely_known.items():
        passed = roc(values[report.known], values[~report.known], _RATES)
        lines.append(Curve(name, 100 * _RATES, passed, passed, passed))
    explained = "Known queries that pass, over the share of unknown ones that do."
    chart = curves_over_percent(lines, "ROC", "unknown queries that pass")
    return section("Known from unknown", explained, chart, _legend(lines))


def _refused(report: OpensetReport) -> str:
    names = [name for name in (P, P_BY_CLASS) if name in report.surely_known]
    lines = []
    for name in names:
        found = [report.refusals_at(name, float(alpha)) for alpha in _ALPHAS]
        known = [(one.known / one.known_count, one.known_interval) for one in found]
        unknown = [(one.unknown / one.unknown_count, one.unknown_interval) for one in found]
        for which, shares in (("known", known), ("unknown", unknown)):
            low, high = np.array([ends for _, ends in shares]).T
            values = np.array([share for share, _ in shares])
            lines.append(Curve(f"{which}, {name}", 100 * _ALPHAS, values, low, high))
    allowed = Curve("allowed", 100 * _ALPHAS, _ALPHAS, _ALPHAS, _ALPHAS)
    explained = (
        "Share of queries that are refused over alpha. Refusing known ones is wrong: where queries "
        "are like the gallery it stays at or below what is allowed. Shaded: 95 % Wilson."
    )
    chart = curves_over_percent([*lines, allowed], "Refused over alpha", "alpha")
    return section("Refused", explained, chart, _legend([*lines, allowed]))


def _table(report: OpensetReport) -> str:
    rows = [
        [
            cell(f"{one.by} ≤ {one.alpha:g}", kind="name"),
            _count(one.known, one.known_count),
            _count(one.unknown, one.unknown_count),
        ]
        for one in report.refusals
    ]
    explained = "Refused queries: of known classes, which is wrong, and of unknown ones."
    return section("At each alpha", explained, table(["", "known", "unknown"], rows))


def _count(hits: int, count: int) -> str:
    ends = percent(*wilson(hits, count))
    return cell(f"{percent(hits / count)}%", small(f"{hits:,}/{count:,}"), small(ends))


def _legend(lines: list[Curve]) -> str:
    keys = [f"<span>{key(colour(i))}{line.name}</span>" for i, line in enumerate(lines)]
    return f'<div class="legend">{"".join(keys)}</div>'


def _facts(report: OpensetReport) -> dict[str, object]:
    settings = {f"setting {name}": value for name, value in report.settings.items()}
    return {
        "encoder": report.encoder.get("name"),
        "fingerprint": report.encoder.get("fingerprint"),
        "runtime": report.encoder.get("runtime"),
        **settings,
        "seconds": report.run.get("seconds"),
        "commit": report.run.get("commit"),
        "date": report.run.get("date"),
    }
