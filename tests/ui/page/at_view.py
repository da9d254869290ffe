"""One view of the page, without a browser."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.conftest import ROOT


def at_view(
    patch: pytest.MonkeyPatch, view: str, folder: Path, runs: Path | None = None
) -> AppTest:
    """The page of a collection, showing the view of this file name."""
    words = ["app.py", str(folder), *([str(runs)] if runs else [])]
    patch.setattr("sys.argv", words)
    test = AppTest.from_file(str(ROOT / "ui" / "app.py"), default_timeout=60)
    return test.switch_page(f"views/{view}.py")


def all_data_of(test: AppTest, name: str) -> list[dict[str, Any]]:
    """What each of our components of a name was given, from the top of the page."""
    assert not test.exception
    return [
        json.loads(one.proto.json)
        for one in test.get("bidi_component")
        if one.proto.component_name == name
    ]


def said(test: AppTest) -> str:
    """All text of a page, without the marks that keep Markdown from reading it."""
    kinds = (test.markdown, test.subheader, test.caption, test.info, test.warning, test.error)
    texts = [one.value for kind in kinds for one in kind]
    return "\n".join([*texts, *(one.value for one in test.success)]).replace("\\", "")
