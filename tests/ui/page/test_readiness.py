"""What is loaded before the first visitor comes."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.disk import DiskCollection
from tests.ui.conftest import ROOT
from ui import readiness, resources
from ui.readiness import make_ready

HEAVY = {"torch", "torchvision", "scipy", "pandas", "pyarrow"}


@pytest.fixture(autouse=True)
def fresh():
    for cached in (resources._opened, readiness._open):
        cached.clear()
    yield
    gc.unfreeze()
    for cached in (resources._opened, readiness._open):
        cached.clear()


def test_the_visitor_finds_the_collection_open(
    shapes: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    make_ready(shapes)
    monkeypatch.setattr(DiskCollection, "open", None)
    assert len(resources.opened(shapes).collection) == 16
    assert caplog.text == ""  # such as that there is no page to show the progress on


def test_what_stays_is_not_searched_for_garbage(shapes: Path):
    make_ready(shapes)
    kept = {id(one) for one in gc.get_objects()}
    assert id(vars(resources)) not in kept
    assert gc.get_freeze_count() > len(kept)
    assert gc.isenabled()


def test_a_collection_that_is_missing_is_left_to_the_page(tmp_path: Path):
    make_ready(tmp_path / "nowhere")
    assert gc.isenabled()


def test_a_visit_loads_nothing_heavy(shapes: Path):
    program = f"""
import sys
from pathlib import Path
import ui.app
from streamlit.testing.v1 import AppTest
from ui.readiness import make_ready
make_ready(Path({str(shapes)!r}))
before = set(sys.modules)
sys.argv = ["app.py", {str(shapes)!r}]
test = AppTest.from_file("ui/app.py", default_timeout=60).run()
assert not test.exception and not test.error, test
assert test.subheader[0].value == "Draw what you look for"
print(sorted({HEAVY!r} & (set(sys.modules) - before)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
