"""Hits as a file that other programs read."""

import csv
import io
import json
from collections.abc import Sequence

from indexer.collection import SearchHit

COLUMNS = ("rank", "score", "id", "label", "path", "payload")
DIGITS = 6
"""Of a score: collections round to so many."""


def as_csv(hits: Sequence[SearchHit]) -> bytes:
    """One hit a line; the payload as JSON. UTF-8 with a mark, by which spreadsheets know it.

    What a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for hit in hits:
        item = hit.item
        payload = json.dumps(item.payload, ensure_ascii=False) if item.payload else ""
        cells = map(_harmless, (item.id, item.label, item.path, payload))
        table.writerow([hit.rank, round(hit.score, DIGITS), *cells])
    return text.getvalue().encode("utf-8-sig", "backslashreplace")


def as_json(hits: Sequence[SearchHit]) -> bytes:
    """A list of objects, each with what :data:`COLUMNS` names."""
    found = [
        {
            "rank": hit.rank,
            "score": round(hit.score, DIGITS),
            "id": hit.item.id,
            "label": hit.item.label,
            "path": hit.item.path,
            "payload": hit.item.payload,
        }
        for hit in hits
    ]
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") and text else text
