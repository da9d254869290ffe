"""Tables of steps from point to point, in JSON lists and arrays, as networks make them."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image_headers import Refusal
from ..strokes import Drawing, Stroke, placed
from ._content import Content
from ._numbers import DRAWN_AGAIN, blank, check_count, is_row, rows_of

Table = NDArray[np.float64]
"""(K, 3) or (K, 5) a point a row: step right, step down, state of the pen."""


def tables(content: Content, columns: int) -> dict[str, Any]:
    """The tables of that many columns by key, each a list of rows or an array.

    A table alone has the key ""; a list of them the keys "0", "1" ...; those of an object or an
    archive its names, with "/0", "/1" ... after the name of a list.

    Raises:
        Refusal: The arrays of the file cannot be read.
    """
    value: Any = content.arrays if content.is_arrays else content.json
    if isinstance(value, dict):
        if not content.is_arrays and {"strokes", "drawing"} & value.keys():
            return {}  # of a canvas, or of Quick, Draw!
        found: dict[str, Any] = {}
        for name, one in value.items():
            for key, table in _listed(one, columns):
                found["/".join(part for part in (name, key) if part)] = table
        return found
    return dict(_listed(value, columns))


def table_of(entry: Any, columns: int) -> Table:  # noqa: ANN401
    """The checked numbers of a table.

    Raises:
        Refusal: A row has other columns, a value is no number, or there are too many rows.
    """
    check_count(len(entry))
    if not isinstance(entry, np.ndarray):
        entry = np.array(rows_of(entry, range(columns, columns + 1), "table"), np.float64)
    table = np.asarray(entry, np.float64)
    if not np.isfinite(table).all():
        raise Refusal("a drawing of finite numbers", "one that is not", DRAWN_AGAIN)
    pens = table[:, 2:]
    if not np.isin(pens, (0, 1)).all():
        got = f"{pens[~np.isin(pens, (0, 1))][0]:g}"
        raise Refusal("a drawing with a pen that is 0 or 1", got, DRAWN_AGAIN)
    return table


def drawing_of(steps: Table, lifted: NDArray[np.bool_]) -> Drawing:
    """Strokes of steps (K, 2); the pen leaves the paper after each point where it is lifted.

    Raises:
        Refusal: There is no step.
    """
    if not len(steps):
        raise blank()
    points = np.cumsum(steps, axis=0)
    low, high = points.min(0), points.max(0)
    points = points - (low + high) / 2  # far from the origin float32 would not hold the shape
    ends = np.flatnonzero(lifted[:-1]) + 1
    return placed([Stroke(part) for part in np.split(points, ends)])


def steps_of(drawing: Drawing) -> tuple[Table, NDArray[np.bool_]]:
    """(K, 2) steps, the first from the origin, and (K,) whether the pen is lifted after each."""
    points = np.concatenate([stroke.points for stroke in drawing.strokes]).astype(np.float64)
    lifted = np.zeros(len(points), np.bool_)
    lifted[np.cumsum([len(stroke.points) for stroke in drawing.strokes]) - 1] = True
    return np.diff(points, axis=0, prepend=np.zeros((1, 2))), lifted


def saved(table: Table) -> bytes:
    """A ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, table, allow_pickle=False)
    return file.getvalue()


def _listed(value: object, columns: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, np.ndarray):
        if value.ndim == 3 and value.shape[2] == columns:
            yield from ((str(number), one) for number, one in enumerate(value))
        elif value.ndim == 2 and value.shape[1] == columns:
            yield "", value
    elif _is_table(value, columns):
        yield "", value
    elif isinstance(value, list):
        yield from (
            (str(number), one) for number, one in enumerate(value) if _is_table(one, columns)
        )


def _is_table(value: object, columns: int) -> bool:
    """Judged by the first row."""
    return isinstance(value, list) and bool(value) and is_row(value[0], range(columns, columns + 1))
