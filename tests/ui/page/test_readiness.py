"""What is loaded before the first visitor comes."""

import gc
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from indexer.disk import DiskCollection
from tests.ui.conftest import ROOT
from ui import readiness, resources
from ui.readiness import make_ready

HEAVY = {"torch", "torchvision", "timm", "faiss", "scipy", "pandas", "pyarrow", "matplotlib"}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readiness, "HEAD_START", 0)
    for cached in (resources._opened, readiness._open):
        cached.clear()
    yield
    gc.unfreeze()
    for cached in (resources._opened, readiness._open):
        cached.clear()


def test_the_visitor_finds_the_collection_open(
    shapes: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    make_ready(shapes, Event())
    monkeypatch.setattr(DiskCollection, "open", None)
    assert len(resources.opened(shapes).collection) == 16
    assert caplog.text == ""  # such as that there is no page to show the progress on


def test_what_stays_is_not_searched_for_garbage(shapes: Path):
    make_ready(shapes, Event())
    kept = {id(one) for one in gc.get_objects()}
    assert id(vars(resources)) not in kept
    assert gc.get_freeze_count() > len(kept)
    assert gc.isenabled()


def test_a_collection_that_is_missing_is_left_to_the_page(tmp_path: Path):
    make_ready(tmp_path / "nowhere", Event())
    assert gc.isenabled()


def test_nothing_is_opened_for_a_page_that_has_ended(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(DiskCollection, "open", lambda *_: pytest.fail("opened"))
    ended = Event()
    ended.set()
    make_ready(shapes, ended)


def printed_by(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_canvas_is_sent_before_anything_heavy_is_loaded(shapes: Path):
    program = f"""
import sys
import ui.app
import ui.readiness
from retrieval import plugins
from retrieval.errors import BadInputError
from streamlit.testing.v1 import AppTest
from ui import canvas, views
for name in plugins.names(views):
    plugins.module(views, name)
from ui.views import draw
before = []
def opened(folder):
    before.extend(sorted({HEAVY!r} & set(sys.modules)))
    raise BadInputError("not now")
draw.opened = opened
sys.argv = ["app.py", {str(shapes)!r}]
test = AppTest.from_file("ui/app.py", default_timeout=60).run()
assert not test.exception, test
sent = [one.proto.component_name for one in test.get("bidi_component")]
print(test.error[0].value, sent, before)
"""
    assert printed_by(program) == r"not now ['fgir_canvas'] []"


def test_a_visit_loads_nothing_heavy(shapes: Path):
    program = f"""
import sys
from pathlib import Path
from threading import Event
import ui.app
from streamlit.testing.v1 import AppTest
from ui import readiness
readiness.HEAD_START = 0
readiness.make_ready(Path({str(shapes)!r}), Event())
before = set(sys.modules)
sys.argv = ["app.py", {str(shapes)!r}]
test = AppTest.from_file("ui/app.py", default_timeout=60).run()
assert not test.exception and not test.error, test
assert test.subheader[0].value == "Draw what you look for"
print(sorted({HEAVY!r} & (set(sys.modules) - before)))
"""
    assert printed_by(program) == "[]"
