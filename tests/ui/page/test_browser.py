"""The page in a real browser: mouse, touch and keyboard, with a server of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import ROOT

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs playwright: pip install -e '.[dev]'"
)
pytestmark = pytest.mark.browser

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT = 60_000  # ms, for a machine that is busy with something else
playwright.expect.set_options(timeout=WAIT)

WATCH = """() => {
  const find = (node) => {
    const found = node.querySelector('ol[data-number]');
    if (found) return found;
    for (const one of node.querySelectorAll('*')) {
      const inner = one.shadowRoot && find(one.shadowRoot);
      if (inner) return inner;
    }
    return null;
  };
  const list = find(document);
  window.seen = [];
  new MutationObserver(() => window.seen.push(Number(list.dataset.number)))
    .observe(list, { attributes: true, attributeFilter: ['data-number'] });
}"""

Point = tuple[float, float]
LYING: list[Point] = [(20, 112), (236, 112), (236, 144), (20, 144), (20, 112)]
STANDING: list[Point] = [(112, 20), (112, 236), (144, 236), (144, 20), (112, 20)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = os.environ.get("FGIR_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("needs Chromium: install it, or set FGIR_CHROMIUM to it.")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(shapes, tmp_path_factory.mktemp("log") / "server.txt") as found:
        yield found


@contextmanager
def served(folder: Path, log: Path) -> Iterator[str]:
    """Address of ``fgir ui``, ended with Ctrl-C as a person does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "ui", "ui", str(folder), "--port", str(port), "--no-browser"]
    with log.open("w") as out:
        server = subprocess.Popen(
            words, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_until_served(f"http://127.0.0.1:{port}/_stcore/health", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    assert server.returncode in (0, 130)
    assert "Traceback" not in log.read_text()


def wait_until_served(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text()}")


class Page:
    """A page and what one does on it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(WAIT)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.complaints.append(f"asked {request.url}")

    def open(self, address: str) -> "Page":
        self.page.goto(address)
        self.page.wait_for_selector("ol li img")
        return self

    def at(self, point: Point) -> Point:
        box = self.page.locator("canvas").bounding_box()
        return box["x"] + point[0] * box["width"] / 256, box["y"] + point[1] * box["width"] / 256

    def draw(self, points: list[Point], steps: int = 5) -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.at(point), steps=steps)
        mouse.up()

    def answered(self, number: int) -> list[str]:
        """Labels of what the drawing of that number found, best first."""
        self.page.wait_for_selector(f'ol[data-number="{number}"]')
        return list(self.page.locator("ol li .label").all_inner_texts())

    def count(self) -> str:
        return str(self.page.locator(".count").inner_text())

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def pressed(self, name: str) -> bool:
        button = self.page.get_by_role("button", name=name, exact=True)
        return bool(button.get_attribute("aria-pressed") == "true")

    def wide(self) -> list[int]:
        return list(self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]"))


@pytest.fixture(scope="module")
def desk(browser) -> Iterator[Any]:
    """A window; each tab begins with an empty paper."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(desk, address) -> Iterator[Page]:
    opened = Page(desk.new_page()).open(address)
    yield opened
    opened.page.close()
    assert opened.complaints == []


@pytest.fixture
def phone(browser, address) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        device_scale_factor=2,
        color_scheme="dark",
    )
    opened = Page(context.new_page()).open(address)
    yield opened
    context.close()
    assert opened.complaints == []


def test_results_change_stroke_by_stroke_and_back(page: Page):
    page.draw(LYING)
    assert page.answered(1)[0] == "lying"
    page.draw(STANDING)
    assert page.answered(2)[0] == "cross"
    page.press("Undo")
    assert page.answered(3)[0] == "lying"
    page.press("Redo")
    assert page.answered(4)[0] == "cross"
    page.press("Eraser")
    page.draw([(20, 60), (60, 118)])  # over the lying bar's corner
    assert page.answered(5)[0] == "standing"
    assert page.count() == "1 stroke"
    page.press("Undo")
    assert page.answered(6)[0] == "cross"
    page.press("Clear")
    page.answered(7)
    page.page.wait_for_selector("text=Draw what you look for")
    assert page.page.locator(".hint").is_visible()
    assert page.wide() == [1280, 1280]


def test_a_finger_draws_and_the_page_stays_where_it_is(phone: Page):
    touch = phone.page.context.new_cdp_session(phone.page)

    def send(kind: str, *points: Point) -> None:
        places = [{"x": x, "y": y} for x, y in map(phone.at, points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    send("touchStart", STANDING[0])
    for before, after in pairwise(STANDING):
        for step in range(1, 9):
            part = step / 8
            send(
                "touchMove",
                (
                    before[0] + part * (after[0] - before[0]),
                    before[1] + part * (after[1] - before[1]),
                ),
            )
    send("touchEnd")
    assert phone.answered(1)[0] == "standing"
    assert phone.page.evaluate("scrollY + document.querySelector('.stMain').scrollTop") == 0
    assert phone.wide() == [390, 390]
    paper = phone.page.locator("canvas").bounding_box()
    assert paper["width"] > 330
    assert paper["x"] + paper["width"] <= 390


def test_fast_drawing_never_shows_an_old_answer(page: Page):
    page.page.evaluate(WATCH)
    strokes = 24
    for number in range(strokes):
        page.draw([(20, 10 + 10 * number), (236, 10 + 10 * number)], steps=1)
    page.answered(strokes)
    page.page.wait_for_selector(".busy", state="hidden")
    seen = page.page.evaluate("window.seen")
    assert seen == sorted(seen)
    assert seen[-1] == strokes
    assert page.count() == "24 strokes"
    page.draw([(128, 10), (128, 240)])
    assert page.answered(strokes + 1)


def test_a_reload_keeps_the_drawing(page: Page):
    page.draw(LYING)
    page.draw(STANDING)
    before = page.answered(2)
    page.page.reload()
    assert page.answered(2) == before
    assert page.count() == "2 strokes"
    page.draw([(10, 10), (20, 20)])
    page.answered(3)
    assert page.count() == "3 strokes"


def test_the_keyboard_draws(page: Page):
    keyboard = page.page.keyboard
    page.page.locator("canvas").focus()
    for key in ["ArrowUp", "Space", *["Shift+ArrowRight"] * 6, "Shift+ArrowDown", "Space"]:
        keyboard.press(key)
    page.answered(1)
    keyboard.press("Control+z")
    page.answered(2)
    assert page.count() == ""
    keyboard.press("Control+Shift+Z")
    page.answered(3)
    assert page.count() == "1 stroke"
    keyboard.press("e")
    assert (
        page.page.get_by_role("button", name="Eraser", exact=True).get_attribute("aria-pressed")
        == "true"
    )
    keyboard.press("p")
    assert (
        page.page.get_by_role("button", name="Pen", exact=True).get_attribute("aria-pressed")
        == "true"
    )
    keyboard.press("Delete")
    page.answered(4)
    assert page.count() == ""


def test_the_meant_item_is_followed(page: Page):
    page.draw(LYING)
    page.answered(1)
    page.page.locator('ol li button[title^="cross/"]').first.click()
    page.page.wait_for_selector("figure svg circle")
    page.draw(STANDING)
    page.answered(2)
    page.page.wait_for_selector("figure svg circle >> nth=1")
    playwright.expect(page.page.locator('ol button[aria-pressed="true"]')).to_have_count(1)
    page.page.locator('ol button[aria-pressed="true"]').click()
    page.page.wait_for_selector("figure", state="detached")


def test_a_drawing_is_saved_and_opened(page: Page, tmp_path: Path):
    page.draw(LYING)
    page.answered(1)
    saved = {}
    page.page.get_by_role("button", name="Save").click()
    for form in ("JSON", "SVG", "PNG"):
        with page.page.expect_download() as download:
            page.page.get_by_role("button", name=form, exact=True).click()
        saved[form] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[form])
    (stroke,) = json.loads(saved["JSON"].read_text())["strokes"]
    assert stroke["p"][0][:2] == pytest.approx(LYING[0], abs=1)
    times = [row[2] for row in stroke["p"]]
    assert times == sorted(times)
    assert saved["SVG"].read_bytes().startswith(b"<svg")
    assert saved["PNG"].read_bytes().startswith(b"\x89PNG")
    page.page.keyboard.press("Escape")
    page.press("Clear")
    page.answered(2)
    page.page.get_by_role("button", name="Open").click()
    page.page.set_input_files('[data-testid="stFileUploader"] input', saved["SVG"])
    assert page.answered(3)[0] == "lying"
    assert page.count() == "1 stroke"


def test_a_picture_to_trace_is_no_part_of_the_query(page: Page, shape_photos: Path):
    page.draw(LYING)
    before = page.answered(1)
    page.page.set_input_files("input[data-trace]", shape_photos / "disc" / "3.png")
    page.page.wait_for_selector(".tracing", state="visible")
    assert page.page.locator(".paper img").is_visible()
    assert page.answered(1) == before
    page.press("Remove")
    assert not page.page.locator(".paper img").is_visible()
