"""Stroke-3, in which sketch-rnn and its followers keep drawings."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..image_headers import Refusal
from ..strokes import Drawing
from ._content import Content
from ._format import DrawingFormat
from ._offsets import drawing_of, saved, steps_of, table_of, tables


class Stroke3(DrawingFormat):
    """Rows ``[dx, dy, lifted]``: a step from the last point, and 1 where a stroke ends there.

    In JSON lists or plain numeric ``.npy`` and ``.npz`` arrays. The first step is from the origin.
    There is no canvas: it is laid around the drawing. Written files are ``.npy``.

    References:
        Ha and Eck, A neural representation of sketch drawings, ICLR 2018.
    """

    suffixes = (".npy", ".npz", ".json")
    written_as = ".npy"
    shape = "rows [dx, dy, pen lifted] in JSON or a plain numeric array"

    def recognises(self, content: Content) -> bool:
        if content.is_arrays:  # every other array is refused by `entries`
            return not content.has_columns(5)
        return bool(tables(content, 3))

    def entries(self, content: Content) -> Mapping[str, Any]:
        found = tables(content, 3)
        if not found:
            raise Refusal(f"a drawing of {self.shape}", content.shown(), "See docs/sketches.md.")
        return found

    def drawing(self, entry: Any) -> Drawing:  # noqa: ANN401
        table = table_of(entry, 3)
        return drawing_of(table[:, :2], table[:, 2] == 1)

    def write(self, drawing: Drawing) -> bytes:
        steps, lifted = steps_of(drawing)
        return saved(np.column_stack([steps, lifted]))
