"""Parts of pages that are about one run or several: figures, curves, where they come from."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

import numpy as np

from .charts import Curve, colour, curves
from .evaluation_report import EvaluationReport
from .figures import Score, percent, recall_name, targets_name
from .html_page import cell, facts, key, section, small, table
from .statistics import wilson

_LAST_K = 128


class Figured(Protocol):
    """What has figures and a name: a report, or as much of it as a list needs."""

    @property
    def benchmark(self) -> str:
        """Its name."""
        ...

    @property
    def name(self) -> str:
        """Encoder and re-ranking in a few words, as far as known."""
        ...

    @property
    def scores(self) -> tuple[Score, ...]:
        """The figures."""
        ...


def encoder_name(report: Figured) -> str:
    """What to call a run beside others."""
    return report.name or report.benchmark


def about(report: EvaluationReport) -> str:
    """Sizes and protocol in a line."""
    how = (
        "every image queries all others"
        if report.same_images
        else f"against {len(report.gallery):,} gallery images"
    )
    kinds = targets_name(report.relevance)
    parts = f"{len(report.query):,} queries of {report.query.num_classes:,} {kinds}, {how}"
    date = str(report.run.get("date", ""))[:10]
    return f"{parts} · {date}" if date else parts


def figures_section(reports: Sequence[Figured], title: str = "Figures") -> str:
    """Every figure of every run with its intervals."""
    names = list(dict.fromkeys(score.name for report in reports for score in report.scores))
    rows = []
    for place, report in enumerate(reports):
        by_name = {score.name: score for score in report.scores}
        name = escape(encoder_name(report))
        rows.append([cell(key(colour(place)), name, small(report.benchmark), kind="name")])
        rows[-1] += [_figure(by_name.get(name)) for name in names]
    explained = (
        "Percent; hits of queries; 95 % Wilson interval, as if queries were independent; in "
        "brackets the 95 % bootstrap interval over whole classes (or over the photos that sketches "
        "look for). Ties count against the system."
    )
    return section(title, explained, table(["run", *names], rows))


def curves_section(reports: Sequence[EvaluationReport]) -> str:
    """Recall over K of every run."""
    lines = [_curve(report) for report in reports]
    keys = [f"<span>{key(colour(i))}{escape(line.name)}</span>" for i, line in enumerate(lines)]
    name = recall_name(reports[0].relevance, 1).removesuffix("1") + "K"
    explained = "Share of queries with a right answer among the first K hits; shaded: 95 % Wilson."
    legend = f'<div class="legend">{"".join(keys)}</div>'
    return section(name, explained, curves(lines, name), legend)


def facts_section(report: EvaluationReport) -> str:
    """What made the figures: enough to get them again."""
    run, encoder, data = report.run, report.encoder, report.data
    values = {
        "encoder": encoder.get("name"),
        "fingerprint": encoder.get("fingerprint"),
        "dimensions": encoder.get("dim"),
        "settings": _flat(encoder.get("settings")),
        "runtime": encoder.get("runtime"),
        "list of images and labels": data.get("list"),
        "contents of the files": data.get("contents"),
        "the data set's own table": data.get("listing"),
        "seconds": _flat(run.get("seconds")),
        "re-ranking": _flat(run.get("reranking")),
        "hardware": _flat(run.get("hardware")),
        "versions": _flat(run.get("versions")),
        "commit": run.get("commit"),
        "date": run.get("date"),
        "seed and resamples": f"{run.get('seed')}, {run.get('repeats')}",
    }
    rejected = [f"<li>{escape(file.path)}: {escape(file.reason)}</li>" for file in report.rejected]
    files = (
        f"<details><summary>{len(rejected):,} files left out</summary>"
        f"<ul>{''.join(rejected)}</ul></details>"
        if rejected
        else ""
    )
    return section("Where this comes from", encoder_name(report), facts(values), files)


def _figure(score: Score | None) -> str:
    if score is None:
        return cell()
    hits = f"n {score.count:,}" if score.hits is None else f"{score.hits:,}/{score.count:,}"
    lines = [small(hits)]
    if score.interval:
        lines.append(small(percent(*score.interval)))
    if score.clustered:
        lines.append(small(f"({percent(*score.clustered)})"))
    return cell(percent(score.value), *lines, kind="figure")


def _curve(report: EvaluationReport) -> Curve:
    outcomes = report.outcomes
    last = min(_LAST_K, outcomes.gallery_size)
    powers = 2 ** np.arange(last.bit_length())
    ks = np.union1d(np.geomspace(1, last, 40).round().astype(np.int64), powers)
    count = int(outcomes.judged.sum())
    hits = [int(outcomes.found(k).sum()) for k in ks.tolist()]
    ends = np.array([wilson(hit, count) for hit in hits])
    return Curve(encoder_name(report), ks, np.array(hits) / count, ends[:, 0], ends[:, 1])


def _flat(values: Mapping[str, Any] | None) -> str:
    """Names and values on one line; what is None is left out."""
    known = {name: value for name, value in (values or {}).items() if value is not None}
    return ", ".join(f"{name} {_plain(value)}" for name, value in known.items())


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
