"""What an evaluation found, in a form to print, to compare and to keep."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .data import Relevance, Split
from .figures import Score, percent
from .metrics import Outcomes


@dataclass(frozen=True)
class Rejected:
    """A file without a vector, left out of every figure."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """What one encoder scored on one benchmark, and what came of each query.

    Attributes:
        benchmark: Its name.
        relevance: What makes an answer right.
        query: What was asked; paths are relative to ``data["root"]``.
        gallery: Where was looked; the same object as ``query`` when every image queries all others.
        outcomes: What came of each query.
        scores: The figures.
        encoder: Name, dim, fingerprint, settings, runtime, as far as known.
        data: ``root``, the folder of all images; ``list``, SHA-256 of paths, labels and their
            roles; ``contents``, of the files' bytes; ``listing``, of the data set's own table.
        run: Date, versions, hardware, commit, seconds, seed; ``reranking``, its settings and cost.
        rejected: Files without a vector.
        notes: Sentences a reader of the figures must know.
    """

    benchmark: str
    relevance: Relevance
    query: Split
    gallery: Split
    outcomes: Outcomes
    scores: tuple[Score, ...]
    encoder: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def same_images(self) -> bool:
        """Whether every image queries all others."""
        return self.query is self.gallery

    @property
    def name(self) -> str:
        """Encoder and re-ranking in a few words, as far as known."""
        words = [self.encoder.get("name"), self.run.get("reranking", {}).get("method")]
        return " + ".join(str(word) for word in words if word)

    @property
    def title(self) -> str:
        """Benchmark, encoder and re-ranking in a few words."""
        name = self.name
        return f"{self.benchmark}, {name}" if name else self.benchmark

    def __str__(self) -> str:
        return f"{self.title}: " + "  ".join(map(str, self.scores))

    def named(self, name: str) -> "EvaluationReport":
        """The same report under another name for its encoder, such as "untrained"."""
        return replace(self, encoder={**self.encoder, "name": name})

    def as_dict(self) -> dict[str, Any]:
        """Everything but the single queries, as JSON has it."""
        judged = int(self.outcomes.judged.sum())
        return {
            "benchmark": self.benchmark,
            "relevance": str(self.relevance),
            "same_images": self.same_images,
            "counts": {
                "query": len(self.query),
                "gallery": len(self.gallery),
                "classes": self.query.num_classes,
                "judged": judged,
                "without_right_answer": len(self.query) - judged,
                "rejected": len(self.rejected),
            },
            "scores": [asdict(score) for score in self.scores],
            "encoder": dict(self.encoder),
            "data": dict(self.data),
            "run": dict(self.run),
            "rejected": [asdict(file) for file in self.rejected],
            "notes": list(self.notes),
        }

    def save(self, folder: Path) -> None:
        """Write the report and what came of each query into a folder, made if it is missing."""
        from .saved_reports import save

        save(self, folder)

    @staticmethod
    def load(folder: Path) -> "EvaluationReport":
        """Read what :meth:`save` wrote.

        Raises:
            BadInputError: There is no report.
            DamagedDataError: A file is not what was written.
        """
        from .saved_reports import load

        return load(folder)


def table(reports: Sequence[EvaluationReport]) -> str:
    """Several reports as a Markdown table, with what its cells mean below it."""
    names = list(dict.fromkeys(score.name for report in reports for score in report.scores))
    reranked = any("reranking" in report.run for report in reports)
    head = ["benchmark", "encoder", *(["re-ranking"] * reranked), "queries / gallery", *names]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for one in reports:
        cells = {score.name: _cell(score) for score in one.scores}
        size = f"{len(one.query)} / {len(one.gallery)}"
        row = [one.benchmark, str(one.encoder.get("name", "")), *([_method(one)] * reranked), size]
        row += [cells.get(name, "") for name in names]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |")
    return "\n".join([*lines, "", _LEGEND, ""])


_LEGEND = (
    "Cells: percent; hits/n; [95 % Wilson interval, as if queries were independent]; "
    "(95 % bootstrap interval over whole classes, or over the photos that sketches look for)."
)


def _method(report: EvaluationReport) -> str:
    facts = report.run.get("reranking")
    return f"{facts['method']}, {facts['ms_per_query']:.1f} ms a query" if facts else ""


def _cell(score: Score) -> str:
    parts = [f"**{percent(score.value)}**"]
    if score.hits is not None:
        parts.append(f"{score.hits}/{score.count}")
    if score.interval:
        parts.append(f"[{percent(*score.interval)}]")
    if score.clustered:
        parts.append(f"({percent(*score.clustered)})")
    return " ".join(parts)
