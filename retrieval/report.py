"""An evaluation as one HTML file: figures with intervals, curves, classes, queries as pictures."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .charts import bar, columns
from .confusions import Confusion, confusions
from .errors import BadInputError
from .evaluation_report import EvaluationReport
from .figures import Score, percent, recall_name, targets_name
from .html_page import cell, header, notes, page, section, table, tiles, write
from .picture_rows import PictureRows, one_of_each_class
from .report_parts import about, curves_section, facts_section, figures_section
from .statistics import wilson

ROWS = 6
"""Queries of each kind that are shown as pictures."""

CLASSES = 15
"""Hardest classes that are listed."""

PAIRS = 12
"""Pairs of classes taken for one another that are listed."""

EXAMPLES = 3
"""Of them, those that are shown as pictures."""


def write_page(reports: Sequence[EvaluationReport], path: Path) -> None:
    """Write a page about one evaluation, or about several beside each other.

    Classes and pictures are those of the first. Pictures are read from ``data["root"]``; one that
    is no longer there leaves an empty frame.

    Args:
        reports: At least one.
        path: The HTML file; overwritten.

    Raises:
        BadInputError: No report.
        StorageError: The file cannot be written.
    """
    parts = report_parts(reports)
    write(path, page(reports[0].title, parts))


def report_parts(reports: Sequence[EvaluationReport]) -> list[str]:
    """What :func:`write_page` puts on the page, as HTML.

    Raises:
        BadInputError: No report.
    """
    if not reports:
        raise BadInputError("reports must hold at least one; got none. Evaluate something first.")
    first = reports[0]
    title = ", ".join(dict.fromkeys(report.benchmark for report in reports))
    line = f"{first.name} · {about(first)}" if first.name else about(first)
    alone = len(reports) == 1
    return [
        header("Evaluation", title, line if alone else f"{len(reports)} runs · {about(first)}"),
        tiles([_tile(score) for score in _headline(first)]) if alone else "",
        notes(list(dict.fromkeys(note for report in reports for note in report.notes))),
        figures_section(reports),
        curves_section(reports),
        _ranks(first),
        _classes(first),
        _look_alikes(first),
        *_pictures(first),
        *map(facts_section, reports),
    ]


def _headline(report: EvaluationReport) -> list[Score]:
    by_name = {score.name: score for score in report.scores}
    recalls = [score for score in report.scores if score.hits is not None]
    return list(dict.fromkeys([*recalls[:1], *recalls[-1:], by_name["MAP@R"], by_name["mAP"]]))


def _tile(score: Score) -> tuple[str, str, str]:
    ends = score.interval or score.clustered
    hits = "" if score.hits is None else f" · {score.hits:,} of {score.count:,}"
    sure = f"{percent(*ends)}{hits}" if ends else hits
    return score.name, f"{percent(score.value)}%", sure


def _ranks(report: EvaluationReport) -> str:
    """How far one has to look: first ranks in steps of powers of two."""
    ranks = report.outcomes.first_rank[report.outcomes.judged]
    counts = []
    low = 1
    while low <= report.outcomes.gallery_size and low <= 2**11:
        high = max(low, 2 * low - 2)  # 1, 2, 3-4, 5-8, 9-16
        name = f"{low}" if low == high else f"{low}-{high}"
        counts.append((name, int(((ranks >= low) & (ranks <= high)).sum())))
        low = high + 1
    counts.append((f"over {low - 1}", int((ranks >= low).sum())))
    while len(counts) > 1 and counts[-1][1] == 0:
        counts.pop()
    explained = "Rank of the first right answer, and how many queries have it there."
    return section("How far one has to look", explained, columns(counts, explained))


def _classes(report: EvaluationReport) -> str:
    """The classes with the lowest Recall@1, or the objects with the lowest acc@1."""
    judged = report.outcomes.judged
    classes, members = np.unique(report.query.targets[judged], return_inverse=True)
    counts = np.bincount(members)
    hits = np.bincount(members, report.outcomes.found(1)[judged], len(classes)).astype(np.int64)
    order = np.lexsort((-counts, hits / counts))[:CLASSES]
    names = report.query.names
    rows = []
    for place in order.tolist():
        target, hit, count = int(classes[place]), int(hits[place]), int(counts[place])
        low, high = wilson(hit, count)
        rows.append(
            [
                cell(escape(names.get(target, str(target))), kind="name"),
                cell(bar(hit / count, low, high), kind="wide"),
                cell(f"{percent(hit / count)}%", kind="figure"),
                cell(f"{hit:,}/{count:,}", kind="figure"),
            ]
        )
    name, kinds = recall_name(report.relevance, 1), targets_name(report.relevance)
    above = int((hits / counts >= 0.9).sum())
    explained = (
        f"Of {len(classes):,} {kinds} {above:,} reach 90 % or more, and {int((hits == 0).sum()):,} "
        "have no query that is answered. The line is the 95 % Wilson interval."
    )
    head = [kinds, name, "", "queries"]
    return section(f"Hardest {kinds}", explained, table(head, rows))


def _look_alikes(report: EvaluationReport) -> str:
    """The pairs of classes that are taken for one another, some with their pictures."""
    pairs = confusions(report, PAIRS) if report.query.num_classes < len(report.query) else []
    if not pairs:  # nothing is taken for another, or every query is a class of its own
        return ""
    names = {**report.query.names, **report.gallery.names}
    rows = [
        [
            cell(escape(names.get(pair.first, str(pair.first))), kind="name"),
            cell(escape(names.get(pair.second, str(pair.second))), kind="name"),
            cell(f"{len(pair.first_rows):,}/{pair.first_count:,}", kind="figure"),
            cell(f"{len(pair.second_rows):,}/{pair.second_count:,}", kind="figure"),
            cell(f"{percent(pair.hits / pair.count)}%", kind="figure"),
        ]
        for pair in pairs
    ]
    drawn = PictureRows(report)
    shown = [drawn.row(_surest(report, pair)) for pair in pairs[:EXAMPLES]]
    explained = (
        f"Pairs of {targets_name(report.relevance)}, and the queries of each that have the other "
        "at rank 1. Below: the surest mistake of the first pairs."
    )
    head = ["A", "B", "A taken for B", "B taken for A", "of both"]
    return section("Look-alikes", explained, table(head, rows), *shown)


def _surest(report: EvaluationReport, pair: Confusion) -> int:
    scores = report.outcomes.hits.scores
    return max(pair.first_rows + pair.second_rows, key=lambda row: float(scores[row, 0]))


def _pictures(report: EvaluationReport) -> list[str]:
    """Queries that went wrong with confidence, that are far from an answer, that went well."""
    outcomes, hits = report.outcomes, report.outcomes.hits
    judged = outcomes.judged
    if hits.indices.shape[1] == 0:
        return []
    wrong = judged & (outcomes.first_rank > 1)
    right = judged & (outcomes.first_rank == 1)
    best_first = np.lexsort((-hits.scores[:, 0], -outcomes.average_precision_at_r))
    kinds: list[tuple[str, str, NDArray[np.int64], NDArray[np.bool_]]] = [
        (
            "Surest mistakes",
            "Wrong at rank 1 with the highest scores: look-alikes, or wrong labels.",
            np.argsort(-hits.scores[:, 0], kind="stable"),
            wrong,
        ),
        (
            "Worst queries",
            "The first right answer is farthest away.",
            np.argsort(-outcomes.first_rank, kind="stable"),
            wrong,
        ),
        ("Best queries", "The right answers come first.", best_first, right),
    ]
    drawn = PictureRows(report)
    parts = []
    for title, explained, order, allowed in kinds:
        chosen = one_of_each_class(report, order[allowed[order]].tolist(), ROWS)
        if chosen:
            rows = [drawn.row(query) for query in chosen]
            parts.append(section(title, f"{explained} One query a class.", *rows))
    if drawn.unreadable:
        root = report.data.get("root")
        parts.append(notes([f"{drawn.unreadable} pictures could not be read below {root}."]))
    return parts
