"""A query and its best hits as a row of pictures, right and wrong ones framed."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from .data import Split
from .evaluation_report import EvaluationReport
from .thumbnails import thumbnail

HITS = 8
"""Hits that are shown of each query."""


class PictureRows:
    """Draws rows for one report; each picture is read once.

    Attributes:
        unreadable: Pictures that could not be read; their frames stay empty.
    """

    def __init__(self, report: EvaluationReport) -> None:
        self._report = report
        self._root = Path(str(report.data.get("root", "")))
        self._drawn: dict[Path, str | None] = {}

    @property
    def unreadable(self) -> int:
        """Pictures that could not be read so far."""
        return sum(uri is None for uri in self._drawn.values())

    def row(self, query: int, title: str = "") -> str:
        """The query at a position, and its hits."""
        return (
            f'<div class="row"><p>{escape(title or self.standing(query))}</p>'
            f"{self.strip(query)}</div>"
        )

    def strip(self, query: int) -> str:
        """The pictures alone."""
        report = self._report
        hits = report.outcomes.hits
        pictures = [self._figure(report.query, query, "query", "query")]
        target = int(report.query.targets[query])
        for position, score in zip(
            hits.indices[query, :HITS].tolist(), hits.scores[query, :HITS].tolist(), strict=True
        ):
            if position >= 0:
                right = int(report.gallery.targets[position]) == target
                kind = "right" if right else "wrong"
                pictures.append(self._figure(report.gallery, position, kind, f"{score:.3f}"))
        return f'<div class="strip">{"".join(pictures)}</div>'

    def standing(self, query: int) -> str:
        """Where the first right answer of a query stands, in words."""
        outcomes = self._report.outcomes
        rank, size = int(outcomes.first_rank[query]), outcomes.gallery_size
        path = self._report.query.paths[query].as_posix()
        if rank == 0:
            return f"{path}: no right answer in the gallery"
        if rank > size:
            return f"{path}: no right answer found"
        return f"{path}: first right answer at rank {rank:,} of {size:,}"

    def _figure(self, split: Split, position: int, kind: str, score: str) -> str:
        path, name = split.paths[position], split.name(position)
        if path not in self._drawn:
            self._drawn[path] = thumbnail(self._root / path, split.modality)
        uri = self._drawn[path]
        text = escape(f"{kind}: {name}, {path.as_posix()}")
        inside = f'<img src="{uri}" alt="{text}" title="{text}">' if uri else "cannot be read"
        label = escape(name).replace("_", "_<wbr>")  # where a long name may break
        marks = {"right": "✓", "wrong": "✕"}  # colour is not the only sign
        mark = f'<i class="mark">{marks[kind]}</i>' if kind in marks else ""
        return (
            f'<figure class="{kind}"><div class="frame">{inside}{mark}</div>'
            f"<figcaption>{label}<span>{escape(score)}</span></figcaption></figure>"
        )


def one_of_each_class(report: EvaluationReport, order: Sequence[int], most: int) -> list[int]:
    """The first queries of an order, no two of them of one class."""
    chosen: dict[int, int] = {}
    for row in order:
        chosen.setdefault(int(report.query.targets[row]), row)
        if len(chosen) == most:
            break
    return list(chosen.values())
