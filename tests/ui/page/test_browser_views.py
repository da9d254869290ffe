"""Recognise, Benchmarks and Collection in a real browser, at a desk and on a phone."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval import plugins
from tests.retrieval.runs import made_report
from tests.ui.conftest import ROOT
from ui import views

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs playwright: pip install -e '.[dev]'"
)
pytestmark = pytest.mark.browser

from tests.ui.page.test_browser import FLAGS, Page, wait_until_served  # noqa: E402

UPLOAD = '[data-testid="stFileUploader"] input'


@pytest.fixture(scope="module")
def shop(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection that may change, and runs beside it."""
    copied = Path(shutil.copytree(shapes.parent, tmp_path_factory.mktemp("views") / "all"))
    for name, noise in (("plain", 2.0), ("better", 0.8)):
        made_report(name=f"net {name}", noise=noise).save(copied / "runs" / name)
    return copied / shapes.name


@pytest.fixture(scope="module")
def address(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "ui", "ui", str(shop), "--port", str(port), "--no-browser"]
    log = tmp_path_factory.mktemp("log") / "server.txt"
    with log.open("w") as out:
        server = subprocess.Popen(
            [*words, "--runs", str(shop.parent / "runs")],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_served(f"http://127.0.0.1:{port}/_stcore/health", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    assert "Traceback" not in log.read_text()


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
def desk(browser, address) -> Iterator[Page]:
    """One tab: the views are looked at one after the other, as a person does."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = Page(context.new_page()).open(address)
    yield opened
    context.close()
    assert opened.complaints == []


def go(page: Page, title: str) -> None:
    page.page.get_by_role("link", name=title).first.click()


def test_a_photo_is_recognised(desk: Page, shape_photos: Path):
    go(desk, "Recognise")
    desk.page.wait_for_selector("text=What is on the photo?")
    desk.page.set_input_files(UPLOAD, shape_photos / "standing" / "2.png")
    desk.page.wait_for_selector("h3:has-text('standing')")
    first = desk.page.get_by_role("list", name="Nearest pictures of standing")
    playwright.expect(first.locator("img")).to_have_count(4)
    assert first.locator(".note").first.inner_text() == "1.000"
    assert first.evaluate("list => list.querySelector('img').naturalWidth") > 0
    desk.page.wait_for_selector("text=None of these labels")
    assert desk.wide() == [1280, 1280]


def test_two_evaluations_are_compared(desk: Page):
    go(desk, "Benchmarks")
    desk.page.wait_for_selector("text=All evaluations")
    desk.page.wait_for_selector("svg[aria-label='Recall@K'] polyline")
    desk.page.get_by_role("combobox", name="Compare with").click()
    desk.page.get_by_role("option").first.click()
    desk.page.wait_for_selector("text=exact McNemar")
    desk.page.wait_for_selector("h2:has-text('Won by B'), h2:has-text('Lost by B')")
    assert desk.wide() == [1280, 1280]


def test_the_map_shows_a_picture(desk: Page):
    go(desk, "Benchmarks")
    desk.page.get_by_role("radio", name="Map").click()
    desk.page.wait_for_selector("circle >> nth=15", state="attached")
    desk.page.get_by_role("img", name="Map of 16 pictures").focus()
    desk.page.keyboard.press("ArrowRight")
    card = desk.page.locator(".map .card")
    desk.page.wait_for_selector(".map .card img[src^='data:image/jpeg']")
    assert desk.page.locator(".map .card span").inner_text().endswith(", one of 4")
    first = points_of(desk)[0]
    assert desk.page.locator("circle.chosen").get_attribute("cx") == str(first[0])
    playwright.expect(desk.page.locator("circle.same")).to_have_count(4)
    desk.page.keyboard.press("ArrowRight")
    assert desk.page.locator("circle.chosen").get_attribute("cx") == str(points_of(desk)[1][0])
    desk.page.keyboard.press("Escape")
    playwright.expect(card).to_be_hidden()
    desk.page.locator("circle").nth(7).hover(force=True)
    playwright.expect(card).to_be_visible()
    desk.page.mouse.move(0, 0)
    playwright.expect(card).to_be_hidden()
    assert desk.page.locator(".map .keys span").all_inner_texts() == [
        "cross", "disc", "lying", "standing",
    ]  # fmt: skip
    shades = desk.page.locator("circle").evaluate_all(
        "dots => dots.map((dot) => getComputedStyle(dot).fill)"
    )
    assert len(set(shades)) == 4


def points_of(page: Page) -> list[tuple[float, float]]:
    """Places of the map's points, from left to right."""
    found = page.page.locator("circle").evaluate_all(
        "dots => dots.map((dot) => ['cx', 'cy'].map((name) => Number(dot.getAttribute(name))))"
    )
    return sorted((x, y) for x, y in found)


def test_a_photo_is_added(desk: Page, shape_photos: Path, tmp_path: Path):
    go(desk, "Collection")
    desk.page.wait_for_selector("text=16 of 16 pictures")
    desk.page.get_by_role("radio", name="Add", exact=True).click()
    desk.page.get_by_role("textbox", name="Label of all of them").fill("bar")
    new = tmp_path / "new.png"
    content = (shape_photos / "lying" / "1.png").read_bytes()
    new.write_bytes(content + b"\0")  # another file of the same picture
    desk.page.set_input_files(UPLOAD, new)
    desk.press("Add 1 photo")
    desk.page.wait_for_selector("text=Added 1 of 1 photos")
    desk.page.get_by_role("radio", name="Browse").click()
    desk.page.wait_for_selector("text=17 of 17 pictures")
    playwright.expect(desk.page.locator("ol .label", has_text="bar")).to_have_count(1)


def test_a_picture_is_removed_after_a_yes(desk: Page):
    go(desk, "Collection")
    for label in ("bar", "disc"):
        desk.page.locator("ol button", has_text=label).first.click()
    desk.page.wait_for_selector("text=Remove 2 pictures")
    desk.page.locator("ol button", has_text="disc").first.click()
    desk.page.get_by_role("button", name="Remove 1 picture").click()
    desk.press("Yes, remove 1 picture")
    desk.page.wait_for_selector("text=Removed 1; 16 pictures are left.")
    desk.page.wait_for_selector("text=16 of 16 pictures")
    playwright.expect(desk.page.locator("ol .label", has_text="bar")).to_have_count(0)
    playwright.expect(desk.page.locator("ol button[aria-pressed='true']")).to_have_count(0)


@pytest.fixture(scope="module")
def phone(browser, address) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        color_scheme="dark",
    )
    opened = Page(context.new_page()).open(address)
    yield opened
    context.close()
    assert opened.complaints == []


THERE = {
    "Draw": ".paper canvas",
    "Photo": "text=Which one is it?",
    "Recognise": "text=Allow more, and more strangers are told.",
    "Benchmarks": "text=Hardest classes",
    "Collection": "ol button img",
}


def test_the_phones_are_asked_about_every_view():
    assert sorted(THERE) == sorted(plugins.find(views, name).title for name in plugins.names(views))


@pytest.mark.parametrize("title", THERE)
def test_nothing_moves_sideways_on_a_phone(phone: Page, title: str):
    tab = phone.page.get_by_role("link", name=title)
    playwright.expect(tab).to_have_count(1)
    place = tab.bounding_box()
    assert place["height"] >= 44
    assert place["y"] + place["height"] <= 844
    tab.tap()
    phone.page.wait_for_selector(THERE[title])
    phone.page.wait_for_selector('.stApp[data-test-script-state="notRunning"]')
    assert phone.wide() == [390, 390]
    assert phone.page.evaluate("document.querySelector('.stMain').scrollWidth") <= 390


def test_a_desk_has_one_navigation(desk: Page):
    playwright.expect(desk.page.get_by_role("link", name="Photo")).to_have_count(1)


def test_on_a_phone_the_hits_come_before_the_files_of_drawings(phone: Page):
    go(phone, "Draw")
    hits = phone.page.locator("ol li img").first.bounding_box()
    assert phone.page.locator(".paper").bounding_box()["y"] < hits["y"]
    assert hits["y"] < phone.page.get_by_role("button", name="Save").bounding_box()["y"]


def test_on_a_phone_what_is_chosen_can_be_removed_at_once(phone: Page):
    go(phone, "Collection")
    phone.page.locator("ol button").first.tap()
    remove = phone.page.get_by_role("button", name="Remove 1 picture")
    playwright.expect(remove).to_be_in_viewport()
    phone.page.get_by_role("button", name="Choose none").tap()
    playwright.expect(remove).to_have_count(0)


def test_a_finger_reads_the_map(phone: Page):
    go(phone, "Benchmarks")
    phone.page.get_by_text("Map", exact=True).tap()
    phone.page.wait_for_selector("circle >> nth=15", state="attached")
    phone.page.locator("circle").first.tap(force=True)
    phone.page.wait_for_selector(".map .card img[src^='data:image/jpeg']")
    card, points = (phone.page.locator(one).bounding_box() for one in (".map .card", ".map svg"))
    assert card["y"] >= points["y"] + points["height"]  # it hides no point
    assert phone.wide() == [390, 390]
