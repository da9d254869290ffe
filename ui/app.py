"""The page: its frame. ``fgir ui`` starts it; each view is a file in ``ui/views/``."""

import sys
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from retrieval import plugins
from ui import views
from ui.text import shown
from ui.uploads import forget_unshown
from ui.views._page_view import PageView
from ui.widgets import plain, safely

_HERE = Path(__file__).parent


def main(folder: Path) -> None:
    """Put the page together: style, navigation, name of the collection, the view."""
    st.set_page_config(
        page_title=f"{shown(folder.name)} · fgir", page_icon=str(_HERE / "page.svg"), layout="wide"
    )
    st.html(_HERE / "page.css")
    found = sorted(
        (_view(name) for name in plugins.names(views)), key=lambda one: (one[1].order, one[0])
    )
    pages = [
        st.Page(
            partial(_shown, view, folder),
            title=view.title,
            icon=view.icon,
            url_path=name,
            default=number == 0,
        )
        for number, (name, view) in enumerate(found)
    ]
    page = st.navigation(pages, position="top" if len(pages) > 1 else "hidden")
    with st.container(key="fgir_head"):
        st.markdown(f":primary[**fgir**] {plain(folder.name)}")
    if len(pages) > 1:
        _tabs(pages, page)
    page.run()


def _tabs(pages: list[StreamlitPage], here: StreamlitPage) -> None:
    """The same navigation below the thumb: the style shows it on a narrow screen, and it alone."""
    with st.container(key="fgir_tabs", horizontal=True):
        for page in pages:
            with st.container(key="fgir_tab_here" if page is here else None):
                st.page_link(page)


def _view(name: str) -> tuple[str, PageView]:
    view: PageView = plugins.find(views, name)()
    return name, view


def _shown(view: PageView, folder: Path) -> None:
    st.fragment(_whole)(view, folder)


def _whole(view: PageView, folder: Path) -> None:
    safely(view.show, folder)
    forget_unshown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
