"""The lines of a Quick, Draw! file: one drawing each."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..image_headers import Refusal
from ..strokes import Drawing, Stroke, placed
from ._content import Content, parsed
from ._format import DrawingFormat
from ._numbers import DRAWN_AGAIN, blank, check_count, is_number, on_canvas, shown

MAX_LINES = 2_000_000
"""Most drawings of a file."""

_FIRST = re.compile(rb'\{[^\[\]]{0,2000}?"drawing"\s*:')
_KEY = re.compile(rb'"key_id"\s*:\s*"([^"\\]{1,100})"')


class QuickDraw(DrawingFormat):
    """``{"key_id": "...", "drawing": [[[x, ...], [y, ...], [t_ms, ...]], ...]}`` on every line.

    Raw drawings have times and lie anywhere: the canvas is laid around them. Simplified ones have
    none and lie in 0..255 of a canvas of 256. A drawing without a ``key_id`` has the number of its
    line, from 0, as its key.
    """

    suffixes = (".ndjson",)
    written_as = ".ndjson"
    shape = 'lines of JSON with a "drawing"'

    def recognises(self, content: Content) -> bool:
        return _FIRST.match(content.head) is not None

    def entries(self, content: Content) -> Mapping[str, Any]:
        data = content.data.removeprefix(b"\xef\xbb\xbf")
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) > MAX_LINES:
            raise Refusal(f"at most {MAX_LINES:,} drawings", f"{len(lines):,}", "Split the file.")
        if isinstance(content.json, dict):  # one drawing, written over many lines
            lines = [content.data]
        found: dict[str, bytes] = {}
        for number, line in enumerate(lines):
            match = _KEY.search(line)
            key = match.group(1).decode("utf-8", "replace") if match else str(number)
            found.setdefault(key, line)
        return _Lines(found, lines)

    def drawing(self, entry: Any) -> Drawing:  # noqa: ANN401
        try:
            value = parsed(entry)
        except ValueError as error:
            raise Refusal("a line of JSON", str(error)[:100], DRAWN_AGAIN) from None
        listed = value.get("drawing") if isinstance(value, dict) else None
        if not isinstance(listed, list):
            raise Refusal('a drawing with a list "drawing"', shown(listed), DRAWN_AGAIN)
        if not listed:
            raise blank()
        check_count(sum(_count(one, number) for number, one in enumerate(listed)))
        strokes = [
            Stroke(list(zip(one[0], one[1], strict=True)), one[2] if len(one) > 2 else None)
            for one in listed
        ]
        timed = any(stroke.times is not None for stroke in strokes)
        return placed(strokes) if timed else on_canvas(strokes)

    def write(self, drawing: Drawing) -> bytes:
        strokes = []
        for stroke in drawing.strokes:
            columns = [[float(str(value)) for value in column] for column in stroke.points.T]
            if stroke.times is not None:
                columns.append(stroke.times.tolist())
            strokes.append(columns)
        value = {"key_id": "0", "drawing": strokes}
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n"


class _Lines(Mapping[str, bytes]):
    """Lines by the key of their drawing, and by their number where that is no key."""

    def __init__(self, keyed: dict[str, bytes], lines: list[bytes]) -> None:
        self._keyed, self._lines = keyed, lines

    def __getitem__(self, key: str) -> bytes:
        if key in self._keyed:
            return self._keyed[key]
        if key.isascii() and key.isdigit() and len(key) < 8 and int(key) < len(self._lines):
            return self._lines[int(key)]
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keyed)

    def __len__(self) -> int:
        return len(self._keyed)


def _count(one: object, number: int) -> int:
    """Points of a stroke, its columns checked."""
    fits = isinstance(one, list) and len(one) in (2, 3)
    if fits and isinstance(one, list) and isinstance(one[0], list):
        fits = bool(one[0]) and all(
            isinstance(column, list)
            and len(column) == len(one[0])
            and all(is_number(value) for value in column)
            for column in one
        )
        if fits:
            return len(one[0])
    want = f"a drawing whose stroke {number} is two or three lists of as many numbers"
    raise Refusal(want, shown(one), DRAWN_AGAIN)
