"""What every view of the page must do, whichever files the folder holds."""

import pytest

from retrieval import plugins
from ui import views
from ui.views._page_view import PageView

NAMES = plugins.names(views)


@pytest.mark.parametrize("name", NAMES)
def test_a_view_says_what_it_is(name: str):
    view = plugins.find(views, name)()
    assert isinstance(view, PageView)
    assert view.title
    assert view.icon.startswith(":material/")  # drawn from files that come with Streamlit
    assert view.icon.endswith(":")
    assert isinstance(view.order, int)


def test_no_two_views_have_one_place_or_one_title():
    found = [plugins.find(views, name) for name in NAMES]
    assert len({view.order for view in found}) == len(found)
    assert len({view.title for view in found}) == len(found)
