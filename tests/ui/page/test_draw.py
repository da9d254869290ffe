"""Filters and explanations of the view Draw, without a browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from indexer.filters import Equal
from retrieval.data import Modality
from retrieval.encoder import build_encoder
from retrieval.encoder_pair import EncoderPair, door_of
from retrieval.explain import explain
from retrieval.images import decode
from retrieval.joined import JoinedEncoder
from retrieval.modalities import picture_of
from retrieval.strokes import Drawing, Stroke
from tests.ui.page.at_view import at_view, said
from tests.ui.page.test_page import LYING, STANDING, data_of, message, shown
from tests.ui.page.test_photo import stocked
from ui.resources import opened

Open = Callable[..., AppTest]

BAR = Drawing(tuple(Stroke([row[:2] for row in one + one[:1]]) for one in LYING))
"""What the message LYING draws."""


def pair() -> EncoderPair:
    photo, sketch = (build_encoder("hog", {"name": "grid", "cells": 8}, size=64) for _ in range(2))
    return EncoderPair(photo, sketch)


@pytest.fixture(scope="module")
def shop(shape_photos: Path) -> Path:
    """Shapes with prices, sizes and colours, and a door for sketches."""
    return stocked(shape_photos.parent / "draw_shop", shape_photos, pair())


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Open:
    def at(folder: Path, *strokes: list[list[float]]) -> AppTest:
        test = at_view(monkeypatch, "draw", folder)
        if strokes:
            test.session_state["draw_canvas"] = message(1, list(strokes))
        return test

    return at


def ids(test: AppTest) -> list[str]:
    return [card["id"] for card in shown(test)["hits"]]


def canvas_shows(test: AppTest) -> int:
    canvas = data_of(test, "fgir_canvas")
    assert canvas is not None
    return int(canvas["shown"])


def test_every_stroke_is_answered_within_the_filters(draw: Open, shop: Path):
    test = draw(shop, *LYING).run()
    test.multiselect("draw_by_label").set_value(["cross", "disc"]).run()
    vector = opened(shop).vector_of(BAR)
    assert vector is not None
    every = [hit.item.id for hit in opened(shop).search(vector, 16)]
    assert ids(test) == [one for one in every if one.split("/")[0] in ("cross", "disc")]
    assert "8 of 16 pictures, filtered, best first" in said(test)
    test.session_state["draw_canvas"] = message(2, LYING + STANDING)
    test.run()
    assert ids(test)[0].startswith("cross/")
    assert len(ids(test)) == 8
    assert canvas_shows(test) == 2
    test.slider("draw_by_size").set_value((0, 1)).run()
    assert set(ids(test)) == {"cross/0.png", "cross/1.png"}


def test_before_a_drawing_some_of_what_fulfils_the_filters_is_shown(draw: Open, shop: Path):
    test = draw(shop).run()
    test.multiselect("draw_by_label").set_value(["lying"]).run()
    assert ids(test) == [f"lying/{number}.png" for number in range(4)]
    assert "some of 16 pictures, filtered." in said(test)
    assert shown(test)["actions"] == []  # nothing was found that could be explained


def test_filters_that_leave_nothing_and_a_condition_that_is_none_are_sentences(
    draw: Open, shop: Path
):
    test = draw(shop, *LYING).run()
    test.text_input("draw_where").set_value("price < 0").run()
    assert "No picture fulfils the filters" in said(test)
    assert ids(test) == []
    test.text_input("draw_where").set_value("price < red").run()
    assert not test.exception
    assert "at character 9; got 'red'" in said(test)
    assert data_of(test, "fgir_hits") is None
    assert canvas_shows(test) == 1  # or the browser would send no further stroke
    test.text_input("draw_where").set_value("size = 7 and label = 'disc'").run()
    assert ids(test) == ["disc/3.png"]


def test_a_filter_does_not_encode_the_drawing_again(
    draw: Open, shop: Path, monkeypatch: pytest.MonkeyPatch
):
    encoded = []
    real = opened(shop).vector_of

    def counted(_: object, drawing: Drawing) -> object:
        encoded.append(drawing)
        return real(drawing)

    monkeypatch.setattr("ui.opened.Opened.vector_of", counted)
    test = draw(shop, *LYING).run()
    test.multiselect("draw_by_label").set_value(["disc"]).run()
    assert len(encoded) == 1
    test.session_state["draw_canvas"] = message(2, STANDING)
    test.run()
    assert len(encoded) == 2


def test_the_rank_of_the_meant_item_is_that_within_the_filters(draw: Open, shop: Path):
    test = draw(shop, *LYING)
    test.session_state["draw.meant"] = "disc/2.png"
    test.run()
    test.multiselect("draw_by_label").set_value(["disc"]).run()
    vector = opened(shop).vector_of(BAR)
    assert vector is not None
    (rank,) = (
        hit.rank
        for hit in opened(shop).search(vector, 16, Equal("label", "disc"))
        if hit.item.id == "disc/2.png"
    )
    assert f"rank **{rank}** of 4" in said(test)
    cards = {card["id"]: card["rank"] for card in shown(test)["hits"]}
    assert cards["disc/2.png"] == rank
    test.multiselect("draw_by_label").set_value(["cross"]).run()
    assert "**disc**, which the filters leave out" in said(test)


def test_why_compares_the_drawing_as_the_encoder_sees_it(draw: Open, shop: Path):
    test = draw(shop, *LYING)
    test.session_state["draw.why"] = "cross/3.png"
    test.run()
    assert not test.exception
    this = opened(shop)
    hit = decode(shop / this.collection.get("cross/3.png").path)
    seen = picture_of(BAR, door_of(this.encoder, Modality.SKETCH)[0].transform)
    want = explain(this.encoder, seen, hit, modality=Modality.SKETCH)
    card = next(one for one in shown(test)["hits"] if one["id"] == "cross/3.png")
    assert card["score"] == pytest.approx(want.score, abs=1e-4)
    sums = next(one.value for one in test.code if one.value.startswith("query: places"))
    assert sums.splitlines()[0].endswith(f"=  {want.score:.4f}")
    assert f"places {want.query.contributions.sum():.4f}" in sums.splitlines()[0].replace("+", "")
    assert "orange for it, blue against it" in said(test)
    assert shown(test)["actions"][0]["name"] == "why"


def test_a_hit_that_is_none_any_more_is_not_explained_later(draw: Open, shop: Path):
    test = draw(shop, *LYING)
    test.session_state["draw.why"] = "cross/3.png"
    test.run()
    assert "Rank " in said(test)
    test.multiselect("draw_by_label").set_value(["disc"]).run()
    assert "Rank " not in said(test)
    test.multiselect("draw_by_label").set_value([]).run()
    assert "cross/3.png" in ids(test)
    assert "Rank " not in said(test)


def test_an_encoder_that_cannot_tell_why_says_so(draw: Open, shape_photos: Path):
    parts = [build_encoder("hog", {"name": "grid", "cells": n}, size=64) for n in (4, 8)]
    joined = JoinedEncoder(parts, [0.5, 0.5]).eval()
    folder = shape_photos.parent / "joined_draw_shop"
    stocked(folder, shape_photos, EncoderPair(joined, joined))
    test = draw(folder, *LYING)
    test.session_state["draw.why"] = "lying/2.png"
    test.run()
    assert not test.exception
    assert "got a joined one, whose parts have their own" in said(test)
