"""Evaluations that were saved below a folder, by their figures alone."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from .errors import BadInputError
from .figures import Score
from .saved_reports import REPORT, score_of

MOST = 500
"""Reports that are read."""


@dataclass(frozen=True)
class FoundReport:
    """What ``report.json`` says of a run; :func:`retrieval.saved_reports.load` reads all of it.

    Attributes:
        folder: Where it is.
        path: The same from the folder that was searched, POSIX.
        benchmark: Its name.
        name: Encoder and re-ranking in a few words, as far as known.
        date: When it was made, as far as known.
        scores: The figures.
    """

    folder: Path
    path: str
    benchmark: str
    name: str
    date: str
    scores: tuple[Score, ...]


def found_reports(root: Path) -> tuple[list[FoundReport], list[str]]:
    """Reports below a folder, newest first, and a sentence for each that cannot be read.

    Folders whose names begin with a dot are passed over, and links to folders are not followed.

    Raises:
        BadInputError: No such folder.
    """
    if not root.is_dir():
        raise BadInputError(
            f"{root} must be a folder; got none. Give one below which fgir evaluate --out wrote."
        )
    found, unreadable = [], []
    for folder in folders_with(REPORT, root):
        try:
            found.append(_read(folder, root))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            unreadable.append(
                f"{folder.relative_to(root).as_posix()}/{REPORT} must be as fgir evaluate wrote "
                "it; got something else. Run the evaluation again."
            )
    return sorted(found, key=lambda one: (one.date, one.path), reverse=True), unreadable


def folders_with(name: str, root: Path) -> list[Path]:
    """At most :data:`MOST` folders at or below ``root`` that have a file of this name."""
    found = []
    for place, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if one[0] != ".")
        if name in files:
            found.append(Path(place))
            if len(found) == MOST:
                break
    return found


def _read(folder: Path, root: Path) -> FoundReport:
    about = json.loads((folder / REPORT).read_text("utf-8", "surrogateescape"))
    words = [about["encoder"].get("name"), about["run"].get("reranking", {}).get("method")]
    return FoundReport(
        folder,
        folder.relative_to(root).as_posix(),
        about["benchmark"],
        " + ".join(str(word) for word in words if word),
        str(about["run"].get("date", "")),
        tuple(score_of(score) for score in about["scores"]),
    )
