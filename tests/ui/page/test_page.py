"""The frame and its views, without a browser."""

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from indexer.disk import DiskCollection
from tests.ui.conftest import ROOT

LYING = [[[20, 110, 0, 0.5], [236, 110, 50, 0.5], [236, 146, 90, 0.5], [20, 146, 120, 0.5]]]
STANDING = [[[110, 20, 0, 0.5], [110, 236, 50, 0.5], [146, 236, 90, 0.5], [146, 20, 120, 0.5]]]


def message(number: int, strokes: list[list[list[float]]]) -> dict[str, Any]:
    listed = [{"w": 2.5, "erase": False, "p": one + one[:1]} for one in strokes]
    canvas = json.dumps({"width": 256, "height": 256, "strokes": listed})
    return {"drawing": {"number": number, "canvas": canvas, "loaded": ""}}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch):
    def at(folder: Path) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["app.py", str(folder)])
        return AppTest.from_file(str(ROOT / "ui" / "app.py"), default_timeout=60)

    return at


def data_of(test: AppTest, name: str) -> dict[str, Any] | None:
    """What a component of ours was given."""
    for element in test.get("bidi_component"):
        if element.proto.component_name == name:
            data: dict[str, Any] = json.loads(element.proto.json)
            return data
    return None


def shown(test: AppTest) -> dict[str, Any]:
    assert not test.exception
    found = data_of(test, "fgir_hits")
    assert found is not None
    return found


def test_an_empty_page_invites_and_shows_some_of_the_collection(page, shapes: Path):
    test = page(shapes).run()
    found = shown(test)
    assert [one.value for one in test.subheader] == ["Draw what you look for"]
    assert any("some of 16 pictures" in one.value for one in test.caption)
    assert len(found["hits"]) == 12
    assert {card["label"] for card in found["hits"]} == {"disc", "lying", "standing", "cross"}
    assert all(card["rank"] is None for card in found["hits"])
    assert all(card["picture"].startswith("data:image/jpeg;base64,") for card in found["hits"])
    canvas = data_of(test, "fgir_canvas")
    limits = {"most_strokes": 500, "most_points": 20_000}
    assert canvas == {"shown": 0, "loaded": None, **limits}


@pytest.mark.parametrize(("drawn", "label"), [(LYING, "lying"), (STANDING, "standing")])
def test_a_drawing_finds_what_was_drawn(page, shapes: Path, drawn, label: str):
    test = page(shapes)
    test.session_state["draw_canvas"] = message(7, drawn)
    found = shown(test.run())
    assert found["number"] == 7
    assert [card["rank"] for card in found["hits"]] == list(range(1, 13))
    assert {card["label"] for card in found["hits"][:3]} == {label}
    scores = [card["score"] for card in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    canvas = data_of(test, "fgir_canvas")
    assert canvas is not None
    assert canvas["shown"] == 7


def test_the_number_of_results_is_chosen(page, shapes: Path):
    test = page(shapes)
    test.session_state["draw_canvas"] = message(1, LYING)
    test.run()
    test.button_group("draw_count").set_value(24).run()
    assert len(shown(test)["hits"]) == 16


def test_the_meant_item_is_followed_stroke_by_stroke(page, shapes: Path):
    test = page(shapes)
    test.session_state["draw_canvas"] = message(2, LYING + STANDING)
    test.session_state["draw.meant"] = "cross/3.png"
    found = shown(test.run())
    chart = data_of(test, "fgir_rank_chart")
    assert chart is not None
    (first, before), (last, after) = chart["ranks"]
    assert (first, last) == (1, 2)
    assert before > after >= 1  # the second stroke makes the cross
    ranks = {card["id"]: card["rank"] for card in found["hits"]}
    assert ranks["cross/3.png"] == after
    assert found["chosen"] == "cross/3.png"
    assert f"rank **{after}** of 16, {before} after 1 stroke" in test.markdown[1].value


def test_a_collection_without_a_door_for_sketches_says_what_to_do(page, photos_only: Path):
    test = page(photos_only).run()
    assert not test.exception
    assert "no door for sketches" in test.info[0].value
    assert "fgir index" in test.info[0].value
    assert data_of(test, "fgir_hits") is None


def test_a_missing_collection_is_a_sentence(page, tmp_path: Path):
    test = page(tmp_path / "none").run()
    assert not test.exception
    assert "must" in test.error[0].value
    assert data_of(test, "fgir_canvas") is not None


def test_a_refused_drawing_is_a_sentence_and_the_canvas_stays(page, shapes: Path):
    test = page(shapes)
    test.session_state["draw_canvas"] = {
        "drawing": {"number": 5, "canvas": '{"strokes": 1}', "loaded": ""}
    }
    test.run()
    assert not test.exception
    assert "the drawing must be" in test.error[0].value.replace("\\", "")
    canvas = data_of(test, "fgir_canvas")
    assert canvas is not None
    assert canvas["shown"] == 5  # or the browser would wait for ever


def test_a_drawing_beside_the_paper_has_nothing_to_compare(page, shapes: Path):
    test = page(shapes)
    test.session_state["draw_canvas"] = message(1, [[[900, 900], [950, 900]]])
    found = shown(test.run())
    assert any("draw a little more" in one.value for one in test.caption)
    assert all(card["rank"] is None for card in found["hits"])


def test_a_mistake_of_ours_is_told_by_an_id_only(
    page, shapes: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(*_: object) -> None:
        raise RuntimeError("/secret/path")

    test = page(shapes).run()
    monkeypatch.setattr("ui.opened.Opened.vector_of", broken)
    test.session_state["draw_canvas"] = message(1, LYING)
    with caplog.at_level(logging.ERROR, "fgir.ui"):
        test.run()
    assert not test.exception
    sentence = test.error[0].value
    assert sentence.startswith("This is a bug")
    assert "secret" not in sentence
    (mark,) = (one.getMessage()[-6:] for one in caplog.records if one.name == "fgir.ui")
    assert mark in sentence
    assert "/secret/path" in caplog.text


def test_a_change_of_the_collection_is_seen(page, shapes: Path, tmp_path: Path):
    copied = Path(shutil.copytree(shapes.parent, tmp_path / "all")) / shapes.name
    test = page(copied)
    test.session_state["draw_canvas"] = message(1, LYING)
    first = shown(test.run())["hits"][0]["id"]
    with DiskCollection.open(copied, write=True) as collection:
        collection.remove([first])
    hits = shown(test.run())["hits"]
    assert first not in {card["id"] for card in hits}
    shutil.rmtree(copied)
    test.run()
    assert not test.exception
    assert "must" in test.error[0].value


def test_a_picture_that_is_gone_leaves_its_place(page, shapes: Path, tmp_path: Path):
    copied = Path(shutil.copytree(shapes.parent, tmp_path / "all"))
    (copied / "photos" / "lying" / "2.png").unlink()
    test = page(copied / shapes.name)
    test.session_state["draw_canvas"] = message(1, LYING)
    cards = {card["id"]: card for card in shown(test.run())["hits"]}
    assert cards["lying/2.png"]["picture"] is None
    assert cards["lying/1.png"]["picture"]


def test_names_are_shown_as_text(page, shapes: Path, tmp_path: Path):
    odd = "a_*b* :red[c] <b>"
    copied = Path(shutil.copytree(shapes.parent, tmp_path / "all"))
    (copied / shapes.name).rename(copied / odd)
    test = page(copied / odd).run()
    assert not test.exception
    assert r"a\_\*b\*" in test.markdown[0].value
    assert r"\:red\[c\]" in test.markdown[0].value
    assert r"\<b\>" in test.markdown[0].value
