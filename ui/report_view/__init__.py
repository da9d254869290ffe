"""Parts of a report page, inside the page: a component of our own."""

from collections.abc import Sequence
from importlib.resources import files

import streamlit as st

from retrieval.html_page import style

_HERE = files(__name__)
_component = st.components.v2.component(
    "fgir_report_view",
    css=style(root=":host", body="main") + (_HERE / "report_view.css").read_text("utf-8"),
    js=(_HERE / "report_view.js").read_text("utf-8"),
)


def report_view(key: str, parts: Sequence[str]) -> None:
    """Show parts of a page.

    Args:
        key: Of the component.
        parts: HTML of :mod:`retrieval.report`, :mod:`retrieval.comparison_page` and the like, which
            escape every name; the browser leaves out scripts and handlers all the same.
    """
    _component(key=key, data={"html": "".join(parts)})
