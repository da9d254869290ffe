"""Stroke-5, what sketch-rnn and its followers give to a network."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..image_headers import Refusal
from ..strokes import Drawing
from ._content import Content
from ._format import DrawingFormat
from ._numbers import DRAWN_AGAIN
from ._offsets import drawing_of, saved, steps_of, table_of, tables


class Stroke5(DrawingFormat):
    """Rows ``[dx, dy, down, lifted, ended]``, of the last three one is 1.

    The first row that is ended, and all after it, are no points. The first step is from the
    origin. In JSON lists or plain numeric ``.npy`` and ``.npz`` arrays; written files are ``.npy``.

    References:
        Ha and Eck, A neural representation of sketch drawings, ICLR 2018, section 3.1.
    """

    suffixes = (".npy", ".npz", ".json")
    shape = "rows [dx, dy, pen down, pen lifted, drawing ended] in JSON or a plain numeric array"

    def recognises(self, content: Content) -> bool:
        return content.has_columns(5) if content.is_arrays else bool(tables(content, 5))

    def entries(self, content: Content) -> Mapping[str, Any]:
        return tables(content, 5)

    def drawing(self, entry: Any) -> Drawing:  # noqa: ANN401
        table = table_of(entry, 5)
        pens = table[:, 2:]
        if (pens.sum(1) != 1).any():
            got = pens[pens.sum(1) != 1][0].astype(int).tolist()
            raise Refusal("a drawing with one state of the pen in each row", f"{got}", DRAWN_AGAIN)
        ended = np.flatnonzero(table[:, 4])
        table = table[: ended[0]] if len(ended) else table
        return drawing_of(table[:, :2], table[:, 3] == 1)

    def write(self, drawing: Drawing) -> bytes:
        steps, lifted = steps_of(drawing)
        table = np.column_stack([steps, ~lifted, lifted, np.zeros(len(steps))])
        return saved(np.concatenate([table, [[0, 0, 0, 0, 1]]]))
