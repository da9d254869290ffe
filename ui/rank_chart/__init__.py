"""How a rank changed with a drawing, as a chart: a component of our own."""

from collections.abc import Iterator, Sequence
from importlib.resources import files

import streamlit as st

_HERE = files(__name__)
_component = st.components.v2.component(
    "fgir_rank_chart",
    css=(_HERE / "rank_chart.css").read_text("utf-8"),
    js=(_HERE / "rank_chart.js").read_text("utf-8"),
)


def rank_chart(key: str, ranks: Sequence[tuple[int, int]], words: str) -> None:
    """Show the chart.

    Args:
        key: Of the component.
        ranks: Strokes and the rank after them, in order; one or more.
        words: The same for those who do not see it.
    """
    worst = max(2, *(rank for _, rank in ranks))
    _component(key=key, data={"ranks": list(ranks), "ticks": list(ticks(worst)), "words": words})


def ticks(worst: int) -> Iterator[int]:
    """Marks of an axis from 1 to the worst rank, near one another only where there are few.

    Example:
        >>> list(ticks(40)), list(ticks(3000))
        ([1, 2, 5, 10, 20], [1, 10, 100, 1000])
    """
    steps = (1, 2, 5) if worst < 200 else (1,)
    for power in range(len(str(worst))):
        yield from (step * 10**power for step in steps if step * 10**power <= worst)
