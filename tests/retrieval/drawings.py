"""Drawings of every kind, for property tests."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from retrieval.strokes import Drawing, Stroke


def numbers(low: float, high: float, width: Any = 32) -> st.SearchStrategy[float]:
    return st.floats(low, high, width=width, allow_nan=False)


@st.composite
def strokes(draw: st.DrawFn, low: float = 0, high: float = 256) -> Stroke:
    count = draw(st.integers(1, 6))
    place = st.tuples(numbers(low, high), numbers(low, high))
    points = draw(st.lists(place, min_size=count, max_size=count))
    times = pressures = None
    if draw(st.booleans()):
        ticks = st.integers(0, 1_800_000_000_000)
        times = sorted(draw(st.lists(ticks, min_size=count, max_size=count)))
    if draw(st.booleans()):
        pressures = draw(st.lists(numbers(0, 1), min_size=count, max_size=count))
    return Stroke(points, times, pressures)


@st.composite
def drawings(draw: st.DrawFn, low: float = 0, high: float = 256) -> Drawing:
    some = draw(st.lists(strokes(low, high), min_size=1, max_size=5))
    return Drawing(tuple(some), draw(numbers(1, 4096)), draw(numbers(1, 4096)))


def same_column(one: Any, other: Any) -> bool:
    return one is other is None or (
        one is not None and other is not None and np.array_equal(one, other)
    )
