"""Lists from a file become strokes, or one sentence says what is wrong with them."""

from collections.abc import Sequence
from typing import Any

from ..image_headers import Refusal
from ..strokes import CANVAS, Drawing, Stroke, placed

MAX_POINTS = 100_000
"""Most points of one drawing that are read."""

DRAWN_AGAIN = "Write the drawing again."


def is_number(value: object) -> bool:
    """Whether it is a number, and not a truth value.

    Example:
        >>> is_number(0.5), is_number(True), is_number("1")
        (True, False, False)
    """
    return type(value) is int or type(value) is float


def is_row(row: object, columns: range) -> bool:
    """Whether it is a list of so many numbers."""
    return isinstance(row, list) and len(row) in columns and all(is_number(value) for value in row)


def check_count(count: int) -> None:
    """Refuse a drawing with too many points, or none.

    Raises:
        Refusal: Too many, or nothing was drawn.
    """
    if count > MAX_POINTS:
        raise Refusal(
            f"a drawing of at most {MAX_POINTS:,} points", f"{count:,}", "Simplify its lines."
        )
    if not count:
        raise blank()


def blank() -> Refusal:
    """The refusal of a drawing without strokes."""
    return Refusal("a drawing", "a blank one: nothing is drawn", "Draw something.")


def rows_of(value: object, columns: range, what: str) -> list[list[Any]]:
    """A list of rows of numbers, checked.

    Raises:
        Refusal: It is none, or has no row.
    """
    if not isinstance(value, list) or not value:
        got = "an empty one" if value == [] else shown(value)
        raise Refusal(f"a drawing whose {what} is a list of points", got, DRAWN_AGAIN)
    for number, row in enumerate(value):
        if not is_row(row, columns) or len(row) != len(value[0]):
            want = f"{columns[0]}" if len(columns) == 1 else f"{columns[0]} to {columns[-1]}"
            raise Refusal(
                f"a drawing whose {what} has {want} numbers for each point",
                f"{shown(row)} at point {number}",
                DRAWN_AGAIN,
            )
    return value


def on_canvas(strokes: Sequence[Stroke]) -> Drawing:
    """Strokes whose file names no canvas: on one of 256 if they fit there, else on their own."""
    if not strokes:
        raise blank()
    left, top, right, bottom = Drawing(tuple(strokes)).box
    if min(left, top) >= 0 and max(right, bottom) <= CANVAS:
        return Drawing(tuple(strokes))
    return placed(strokes)


def shown(value: object) -> str:
    """A value of the file in a sentence, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
