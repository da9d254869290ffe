"""Strokes as bare lists of points, as this program's catalogue and its like keep them."""

import json
from collections.abc import Mapping
from typing import Any

from ..image_headers import Refusal
from ..strokes import Drawing, Stroke
from ._content import Content
from ._format import DrawingFormat
from ._numbers import DRAWN_AGAIN, check_count, is_row, on_canvas, rows_of, shown

_TWO = range(2, 3)


class StrokeLists(DrawingFormat):
    """``[[[x, y], ...], ...]``, or an object of such lists by the name of each drawing.

    The canvas is 256 wide and high if all points are in 0..256, and else drawn around them.
    """

    suffixes = (".json",)
    shape = "JSON lists of strokes [[[x, y], ...], ...], or an object of such lists"

    def recognises(self, content: Content) -> bool:
        value = content.json
        if isinstance(value, dict):
            if "strokes" in value or "drawing" in value:
                return False
            return any(_is_drawing(one) for one in value.values())
        return value == [] or _is_drawing(value)

    def entries(self, content: Content) -> Mapping[str, Any]:
        value = content.json
        return value if isinstance(value, dict) else {"": value}

    def drawing(self, entry: Any) -> Drawing:  # noqa: ANN401
        if not isinstance(entry, list):
            raise Refusal("a list of strokes", shown(entry), DRAWN_AGAIN)
        check_count(sum(len(rows) if isinstance(rows, list) else 1 for rows in entry))
        return on_canvas(
            [Stroke(rows_of(rows, _TWO, f"stroke {number}")) for number, rows in enumerate(entry)]
        )

    def write(self, drawing: Drawing) -> bytes:
        lists = [
            [[float(str(x)), float(str(y))] for x, y in stroke.points] for stroke in drawing.strokes
        ]
        return json.dumps(lists, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _is_drawing(value: object) -> bool:
    """Judged by the first point."""
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], list)
        and bool(value[0])
        and is_row(value[0][0], _TWO)
    )
