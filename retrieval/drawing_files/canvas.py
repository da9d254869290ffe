"""What the drawing surface of the web page gives: strokes with time, pressure and eraser."""

from collections.abc import Mapping
from typing import Any

from ..strokes import Drawing
from ._canvas_json import SHAPE, drawing_of, is_canvas, text_of
from ._content import Content
from ._format import DrawingFormat


class Canvas(DrawingFormat):
    """``{"width", "height", "strokes": [{"w", "erase", "p": [[x, y, t_ms, pressure], ...]}]}``.

    Width and height are 256 where they are not given. A point may lack its pressure, or its time
    and its pressure, if all points of the stroke do; an unknown time is null. The width ``w`` of a
    pen is not kept, since the whole drawing is drawn with one pen. An eraser stroke takes from all
    earlier strokes what lies within half its width of its path; what remains of a stroke on both
    sides of it become two strokes, and time and pressure at the cut are interpolated.
    """

    suffixes = (".json",)
    written_as = ".json"
    shape = SHAPE

    def recognises(self, content: Content) -> bool:
        return is_canvas(content.json)

    def entries(self, content: Content) -> Mapping[str, Any]:
        return {"": content.json}

    def drawing(self, entry: Any) -> Drawing:  # noqa: ANN401
        return drawing_of(entry)

    def write(self, drawing: Drawing) -> bytes:
        return text_of(drawing)
