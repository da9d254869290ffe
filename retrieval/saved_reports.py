"""A report as a folder: ``report.json`` for people and scripts, one line a query beside it.

::

    run/
      report.json     figures, encoder, data, versions; the SHA-256 of the files below
      queries.jsonl   path, target, ranks and best hits of each query
      gallery.jsonl   path and target of each gallery image, unless the queries are the gallery

``report.json`` is written last, so a folder that has one is whole.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import Modality, Relevance, Split
from .errors import BadInputError, DamagedDataError, StorageError
from .evaluation_report import EvaluationReport, Rejected
from .figures import Score
from .files import write_atomically
from .metrics import Outcomes
from .ranking import Ranking

FORMAT = 1
"""Raised when older programs could no longer read a report."""

REPORT, _QUERIES, _GALLERY = "report.json", "queries.jsonl", "gallery.jsonl"
_FIGURES = ("average_precision", "average_precision_at_r", "r_precision")


def save(report: EvaluationReport, folder: Path) -> None:
    """Write a report into ``folder``, which is made if it is missing.

    Raises:
        StorageError: The disk is full, read-only or failing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder} must be a folder to write to; got: {error.strerror}. Choose another."
        ) from error
    parts = {_QUERIES: _lines(_query_lines(report))}
    if not report.same_images:
        parts[_GALLERY] = _lines(_image_lines(report.gallery))
    for name, data in parts.items():
        write_atomically(folder / name, data)
    about = {
        "format": FORMAT,
        **report.as_dict(),
        "gallery_size": report.outcomes.gallery_size,
        "hits_kept": report.outcomes.hits.indices.shape[1],
        "modality": {"query": str(report.query.modality), "gallery": str(report.gallery.modality)},
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()},
    }
    text = json.dumps(about, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / REPORT, (text + "\n").encode("utf-8", "surrogateescape"))


def load(folder: Path) -> EvaluationReport:
    """Read what :func:`save` wrote.

    Raises:
        BadInputError: There is no report, or a newer program wrote it.
        DamagedDataError: A file is not what was written.
    """
    path = folder / REPORT
    if not path.is_file():
        raise BadInputError(
            f"{folder} must be a folder that `fgir evaluate --out` wrote; got no {REPORT} in it."
        )
    try:
        about = json.loads(_text(path.read_bytes()))
        if about["format"] > FORMAT:
            raise BadInputError(
                f"{path} must have format {FORMAT} or older; got {about['format']}. Update fgir."
            )
        lines = {name: _checked(folder / name, sha) for name, sha in about["files"].items()}
        return _report(about, lines)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BadInputError):
            raise
        raise DamagedDataError(
            f"{path} must be as it was written; got {type(error).__name__}: {error}. "
            "Run the evaluation again."
        ) from error


def _query_lines(report: EvaluationReport) -> Iterator[dict[str, Any]]:
    outcomes = report.outcomes
    for row, line in enumerate(_image_lines(report.query)):
        hits = zip(
            outcomes.hits.indices[row].tolist(), outcomes.hits.scores[row].tolist(), strict=True
        )
        line["right_answers"] = int(outcomes.right_answers[row])
        line["first_rank"] = int(outcomes.first_rank[row])
        for name in _FIGURES:
            value = float(getattr(outcomes, name)[row])
            line[name] = None if math.isnan(value) else value
        line["hits"] = [[position, round(score, 6)] for position, score in hits if position >= 0]
        yield line


def _image_lines(split: Split) -> Iterator[dict[str, Any]]:
    for path, target in zip(split.paths, split.targets.tolist(), strict=True):
        line: dict[str, Any] = {"path": path.as_posix(), "target": target}
        if target in split.names:
            line["label"] = split.names[target]
        yield line


def _lines(values: Iterator[dict[str, Any]]) -> bytes:
    text = "".join(
        json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n" for value in values
    )
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _checked(path: Path, sha256: str) -> list[dict[str, Any]]:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedDataError(
            f"{path} must be as it was written; got other bytes. Run the evaluation again."
        )
    return [json.loads(line) for line in _text(data).split("\n") if line]


def _report(
    about: Mapping[str, Any], lines: Mapping[str, list[dict[str, Any]]]
) -> EvaluationReport:
    modality = about["modality"]
    query = _split(lines[_QUERIES], modality["query"])
    same = about["same_images"]
    return EvaluationReport(
        about["benchmark"],
        Relevance(about["relevance"]),
        query,
        query if same else _split(lines[_GALLERY], modality["gallery"]),
        _outcomes(lines[_QUERIES], about["gallery_size"], about["hits_kept"]),
        tuple(score_of(score) for score in about["scores"]),
        about["encoder"],
        about["data"],
        about["run"],
        tuple(Rejected(**file) for file in about["rejected"]),
        tuple(about["notes"]),
    )


def score_of(values: Mapping[str, Any]) -> Score:
    """One figure, as ``report.json`` has it."""
    pairs = {name: values[name] and tuple(values[name]) for name in ("interval", "clustered")}
    return Score(**{**values, **pairs})


def _split(lines: list[dict[str, Any]], modality: str) -> Split:
    return Split(
        tuple(Path(line["path"]) for line in lines),
        np.array([line["target"] for line in lines], np.int64),
        Modality(modality),
        {line["target"]: line["label"] for line in lines if "label" in line},
    )


def _outcomes(lines: list[dict[str, Any]], gallery_size: int, keep: int) -> Outcomes:
    def column(name: str) -> NDArray[np.float64]:
        return np.array([line[name] for line in lines], np.float64)  # None becomes NaN

    indices = np.full((len(lines), keep), -1, np.int64)
    scores = np.full((len(lines), keep), -np.inf, np.float32)
    for row, line in enumerate(lines):
        for place, (position, score) in enumerate(line["hits"]):
            indices[row, place], scores[row, place] = position, score
    return Outcomes(
        column("right_answers").astype(np.int64),
        column("first_rank").astype(np.int64),
        column("average_precision"),
        column("average_precision_at_r"),
        column("r_precision"),
        Ranking(indices, scores),
        gallery_size,
    )
