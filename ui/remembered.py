"""What a session made last, so that a touch of another widget does not make it again."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

Made = TypeVar("Made")


def remembered(name: str, of: object, make: Callable[[], Made]) -> Made:
    """What was made of something: made again when it is of something else.

    Args:
        name: Under which the session keeps one; deleting it from the session's state forgets it.
        of: Tells what it is made of from everything else it could be made of.
        make: Makes it.
    """
    kept: tuple[object, Made] | None = st.session_state.get(name)
    if kept is None or kept[0] != of:
        kept = of, make()
        st.session_state[name] = kept
    return kept[1]
