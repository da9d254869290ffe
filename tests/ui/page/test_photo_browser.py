"""The view Photo in a real browser."""

import csv
import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.encoder import build_encoder
from tests.ui.page.test_browser import Page, browser, playwright, served  # noqa: F401
from tests.ui.page.test_photo import stocked

pytestmark = pytest.mark.browser

PASTE = """async ([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([bytes], name, { type: "image/png" }));
  document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
}"""


@pytest.fixture(scope="module")
def address(shape_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    encoder = build_encoder("hog", {"name": "grid", "cells": 8}, size=64)
    shop = stocked(shape_photos.parent / "photo_browser_shop", shape_photos, encoder)
    with served(shop, tmp_path_factory.mktemp("log") / "server.txt") as found:
        yield found


class PhotoPage(Page):
    """The view Photo and what one does on it."""

    def open_view(self, address: str, bar: str) -> "PhotoPage":
        self.page.goto(address)
        self.page.locator(bar).get_by_role("link", name="Photo").click()
        self.heading("Which one is it?")
        self.page.wait_for_selector("ol li img")
        return self

    def heading(self, words: str) -> None:
        self.page.get_by_role("heading", name=words).wait_for()

    def upload(self, file: Path) -> None:
        self.page.set_input_files(".st-key-photo_file input", file)

    def says(self, words: str) -> None:
        self.page.get_by_text(words).first.wait_for()

    def best(self, id_: str) -> None:
        """Wait until this is the first hit."""
        self.page.wait_for_selector(f'ol li:first-child > button[title^="{id_}"]')

    def on_photo(self, x: float, y: float) -> tuple[float, float]:
        box = self.page.locator(".photo img").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def drag_by_finger(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Over the photo, in shares of its sides."""
        finger = self.page.context.new_cdp_session(self.page)
        for step in range(9):
            share = step / 8
            at = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
            x, y = self.on_photo(at[0], at[1])
            kind = "touchMove" if step else "touchStart"
            finger.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]}
            )
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        finger.detach()


@pytest.fixture
def desk(browser: Any, address: str) -> Iterator[PhotoPage]:  # noqa: F811
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = PhotoPage(context.new_page()).open_view(address, "header")
    yield opened
    context.close()
    assert opened.complaints == []


@pytest.fixture
def phone(browser: Any, address: str) -> Iterator[PhotoPage]:  # noqa: F811
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    opened = PhotoPage(context.new_page()).open_view(address, ".st-key-fgir_tabs")
    yield opened
    context.close()
    assert opened.complaints == []


def test_from_a_photo_to_the_thing(desk: PhotoPage, shape_photos: Path, tmp_path: Path):
    page = desk.page
    desk.upload(shape_photos / "cross" / "3.png")
    desk.heading("Nearest to your photo")
    desk.best("cross/3.png")

    page.mouse.move(*desk.on_photo(0.02, 0.35))
    page.mouse.down()
    page.mouse.move(*desk.on_photo(0.98, 0.65), steps=4)
    page.mouse.up()
    desk.says("Searching with a box, 96 % of the width and 30 % of the height.")
    page.keyboard.press("Tab")
    page.locator(".photo").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    desk.says("Drag a box, or click on the thing you mean.")
    desk.best("cross/3.png")

    page.get_by_role("button", name="Not like this: cross, cross/3.png").click()
    desk.says("Not like cross")
    more = page.locator("ol li").nth(2).get_by_role("button", name="More like this")
    named = str(more.get_attribute("aria-label"))
    label = named.split(": ")[1].split(",")[0]
    more.click()
    desk.says(f"More like {label}")
    page.get_by_role("button", name=named, pressed=True).wait_for()
    for example in (f"More like {label}", "Not like cross"):
        page.get_by_role("button", name=example).click()
        playwright.expect(page.get_by_text(example, exact=True)).to_have_count(0)
    desk.best("cross/3.png")
    page.wait_for_selector('[data-testid="stStatusWidget"]', state="detached")

    page.get_by_role("button", name="Page 2", exact=True).click()
    page.wait_for_selector('ol[data-number="2"]')
    assert page.locator("ol li .rank").all_inner_texts() == ["13", "14", "15", "16"]

    page.locator("summary", has_text="Filters").click()
    condition = page.get_by_role("textbox", name="Condition")
    condition.fill("price < red")
    condition.press("Enter")
    desk.says("at character 9; got 'red'")
    condition.fill('label = "disc" and price < 70')
    condition.press("Enter")
    desk.says("3 of 16 pictures, filtered, best first")

    saved = {}
    for form in ("CSV", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save as {form}").click()
        saved[form] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[form])
    listed = json.loads(saved["JSON"].read_text("utf-8"))
    assert {one["id"] for one in listed} == {"disc/0.png", "disc/1.png", "disc/2.png"}
    with saved["CSV"].open(encoding="utf-8-sig", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [one["id"] for one in listed]

    page.locator("ol li > button").first.click()
    window = page.get_by_role("dialog")
    window.get_by_text("Contributions", exact=True).wait_for()
    window.get_by_text("the score's own parts, exactly").wait_for()
    window.locator("img").nth(2).wait_for()
    playwright.expect(window.locator("img")).to_have_count(3)
    page.keyboard.press("Escape")
    window.wait_for(state="detached")
    assert desk.wide() == [1280, 1280]


def test_at_its_own_address(browser: Any, address: str, shape_photos: Path):  # noqa: F811
    context = browser.new_context()
    desk = PhotoPage(context.new_page())
    desk.page.goto(f"{address}/photo")
    desk.heading("Which one is it?")
    desk.upload(shape_photos / "cross" / "3.png")
    desk.best("cross/3.png")
    desk.page.get_by_role("link", name="Draw").click()
    desk.says("This collection can be searched with photos only")
    assert desk.page.url.rstrip("/") == address
    desk.page.get_by_role("link", name="Photo").click()
    desk.heading("Nearest to your photo")  # which stays while one looks elsewhere
    assert desk.page.url == f"{address}/photo"
    context.close()
    assert desk.complaints == []


def test_on_a_phone(phone: PhotoPage, shape_photos: Path, tmp_path: Path):
    page = phone.page
    hostile = tmp_path / "a.jpg"
    hostile.write_bytes(b"<script>alert(1)</script>")
    phone.upload(hostile)
    phone.says("25 bytes of something else")
    assert phone.wide() == [390, 390]

    page.locator('ol li > button[title^="standing/2.png"]').tap()
    phone.heading("Nearest to your photo")
    phone.best("standing/2.png")
    page.get_by_role("button", name="Take another photo").tap()
    phone.heading("Which one is it?")

    data = (shape_photos / "lying" / "3.png").read_bytes()
    page.evaluate(PASTE, ["pasted.png", b64encode(data).decode()])
    phone.heading("Nearest to your photo")
    phone.best("lying/3.png")
    page.get_by_role("button", name="Click on it").tap()
    page.wait_for_selector('.view[data-mode="object"] canvas:not([hidden])')
    page.get_by_role("button", name="Whole photo").tap()
    phone.best("lying/3.png")

    page.locator("ol li > button").first.tap()
    window = page.get_by_role("dialog")
    window.locator("img").nth(2).wait_for()
    assert phone.wide() == [390, 390]
    right = window.locator("img").first.bounding_box()
    assert right["x"] + right["width"] <= 390
    window.get_by_role("button", name="Close").tap()
    window.wait_for(state="detached")
    phone.says("16 of 16 pictures, best first")


def test_a_finger_draws_the_box_and_moves_its_corner(phone: PhotoPage, shape_photos: Path):
    page = phone.page
    phone.upload(shape_photos / "cross" / "3.png")
    phone.best("cross/3.png")
    page.get_by_role("button", name="Box").tap()
    page.locator(".photo").scroll_into_view_if_needed()
    before = page.evaluate("document.querySelector('.stMain').scrollTop")

    phone.drag_by_finger((0.1, 0.2), (0.9, 0.7))
    phone.says("Searching with a box, 80 % of the width and 50 % of the height.")
    phone.drag_by_finger((0.9, 0.7), (0.6, 0.9))
    phone.says("Searching with a box, 50 % of the width and 70 % of the height.")
    phone.drag_by_finger((0.3, 0.5), (0.4, 0.5))  # the answer to the corner is still on its way
    page.wait_for_selector('.stApp[data-test-script-state="notRunning"]')
    place, photo = page.locator(".box").bounding_box(), page.locator(".photo img").bounding_box()
    assert (place["x"] - photo["x"]) / photo["width"] == pytest.approx(0.2, abs=0.01)
    phone.says("Searching with a box, 50 % of the width and 70 % of the height.")
    assert page.evaluate("document.querySelector('.stMain').scrollTop") == before
    assert all(
        corner.bounding_box()["width"] >= 44 for corner in page.locator("[data-corner]").all()
    )
