"""Filters, explanations and saved pictures of the view Draw in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.encoder import build_encoder
from retrieval.encoder_pair import EncoderPair
from tests.ui.page.test_browser import (  # noqa: F401
    LYING,
    STANDING,
    WATCH,
    Page,
    browser,
    playwright,
    served,
)
from tests.ui.page.test_photo import stocked

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(shape_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    encoder = build_encoder("hog", {"name": "grid", "cells": 8}, size=64)
    shop = stocked(
        shape_photos.parent / "draw_browser_shop", shape_photos, EncoderPair(encoder, encoder)
    )
    with served(shop, tmp_path_factory.mktemp("log") / "server.txt") as found:
        yield found


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = Page(context.new_page()).open(address)
    yield opened
    context.close()
    assert opened.complaints == []


def labels(page: Page, number: int, *wanted: str) -> None:
    """Wait until the answer to the drawing of that number has these labels, best first."""
    found = page.page.locator(f'ol[data-number="{number}"] li .label')
    playwright.expect(found).to_have_text(list(wanted))


def only(page: Page, condition: str) -> None:
    """Show what this condition holds for."""
    page.page.get_by_role("button", name="Filters").click()
    written = page.page.get_by_role("textbox", name="Condition")
    written.fill(condition)
    written.press("Enter")
    page.page.keyboard.press("Escape")
    playwright.expect(written).to_be_hidden()


def test_filters_hold_while_one_draws(page: Page):
    only(page, "label in ('disc', 'lying') and size in (4, 5, 8, 9)")
    labels(page, 0, "disc", "disc", "lying", "lying")
    page.draw(LYING)
    labels(page, 1, "lying", "lying", "disc", "disc")
    page.page.evaluate(WATCH)
    for number in range(12):  # faster than answers come
        page.draw([(60, 60 + 12 * number), (196, 60 + 12 * number)], steps=1)
    playwright.expect(page.page.locator('ol[data-number="13"] li')).to_have_count(4)
    playwright.expect(page.page.locator(".busy")).to_be_hidden()
    seen = page.page.evaluate("window.seen")
    assert seen == sorted(seen)
    assert seen[-1] == 13
    only(page, "label = 'cross'")
    labels(page, 13, *["cross"] * 4)
    page.press("Clear")
    labels(page, 14, *["cross"] * 4)
    only(page, "")
    playwright.expect(page.page.locator('ol[data-number="14"] li')).to_have_count(12)


def test_why_a_drawing_found_a_hit_is_told_in_a_window(page: Page):
    page.draw(LYING)
    page.page.locator("ol li").first.get_by_role("button", name="Why this hit").click()
    window = page.page.get_by_role("dialog")
    playwright.expect(window.get_by_text("Rank 1, score")).to_be_visible()
    playwright.expect(window.get_by_text("the score's own parts, exactly")).to_be_visible()
    playwright.expect(window.locator("img")).to_have_count(3)
    page.page.keyboard.press("Escape")
    playwright.expect(window).to_have_count(0)
    page.draw(STANDING)
    assert page.answered(2)[0] == "cross"
    playwright.expect(window).to_have_count(0)
    assert page.wide() == [1280, 1280]
