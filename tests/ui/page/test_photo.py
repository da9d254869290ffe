"""The view Photo, without a browser."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from indexer.build import build_collection
from indexer.choice import EngineChoice
from indexer.collection import Item, SearchHit
from indexer.sources import Entry
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.errors import BadInputError
from retrieval.images import decode
from retrieval.joined import JoinedEncoder
from retrieval.regions import cropped
from retrieval.relevance_feedback import moved_query
from tests.ui.page.test_page import data_of, shown
from ui import asked
from ui.building import create_or_resume_folder
from ui.resources import opened
from ui.result_list import as_csv, as_json


def stocked(folder: Path, photos: Path, encoder: Encoder | EncoderPair) -> Path:
    """A collection whose items have prices, colours and more."""
    entries = [
        Entry(
            f"{path.parent.name}/{path.name}",
            f"{path.parent.name}/{path.name}",
            path.parent.name,
            {
                "price": 10 * number + 0.5,
                "size": number,
                "colour": ("red", "blue")[number % 2],
                "new": number < 3,
            },
        )
        for number, path in enumerate(sorted(photos.rglob("*.png")))
    ]
    with create_or_resume_folder(folder, encoder, EngineChoice("exact")) as collection:
        build_collection(collection, entries, photos, encoder, runtime="eager")
    return folder


@pytest.fixture(scope="module")
def shop(shape_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoder = build_encoder("hog", {"name": "grid", "cells": 8}, size=64)
    return stocked(shape_photos.parent / "photo_view_shop", shape_photos, encoder)


APP = """
from pathlib import Path
import streamlit as st
from ui.views.photo import Photo
from ui.widgets import safely
st.fragment(safely)(Photo().show, Path({folder!r}))
"""


def view(folder: Path, photo: Path | None = None, region: dict[str, Any] | None = None) -> AppTest:
    """The view on a collection, asked with a photo where one is given."""
    test = AppTest.from_string(APP.format(folder=str(folder)), default_timeout=120)
    if photo is not None:
        given = asked.taken(photo.read_bytes(), photo.name)
        test.session_state["photo.asked"] = given
        test.session_state["photo.of"] = given.mark
        if region is not None:
            test.session_state["photo_region"] = {"region": {"photo": given.mark, **region}}
    return test


def ids(test: AppTest) -> list[str]:
    return [card["id"] for card in shown(test)["hits"]]


def scores(test: AppTest) -> dict[str, float]:
    return {card["id"]: card["score"] for card in shown(test)["hits"]}


def expected(folder: Path, vector: np.ndarray) -> list[SearchHit]:
    this = opened(folder)
    return this.search(vector.reshape(1, -1), 12)


def agree(test: AppTest, hits: list[SearchHit]) -> None:
    found = scores(test)
    assert {hit.item.id for hit in hits} == set(found)
    for hit in hits:
        assert found[hit.item.id] == pytest.approx(hit.score, abs=1e-5)


def said(test: AppTest) -> str:
    """All sentences, without the marks of Markdown."""
    parts = [*test.error, *test.info, *test.caption, *test.markdown, *test.code]
    return " ".join(one.value for one in parts).replace("\\", "")


def test_without_a_photo_one_is_asked_for(shop: Path):
    test = view(shop).run()
    found = shown(test)
    assert len(found["hits"]) == 16
    assert all(card["rank"] is None for card in found["hits"])
    assert found["actions"] == []
    assert "one of the 16 here" in said(test)
    assert data_of(test, "fgir_region") is None


def test_a_photo_finds_what_search_finds(shop: Path, shape_photos: Path):
    photo = shape_photos / "cross" / "2.png"
    test = view(shop, photo).run()
    vector = encode_files(opened(shop).encoder, [photo], runtime="eager").vectors
    agree(test, expected(shop, vector))
    assert ids(test)[0] == "cross/2.png"
    first = shown(test)["hits"][0]
    assert first["facts"] == ["price 20.5", "size 2", "colour red"]
    region = data_of(test, "fgir_region")
    assert region is not None
    assert region["picture"].startswith("data:image/jpeg;base64,")
    assert (region["mode"], region["regions"]) == ("whole", None)


def test_a_box_is_what_is_encoded(shop: Path, shape_photos: Path):
    photo, box = shape_photos / "cross" / "3.png", (0.0, 0.3, 1.0, 0.7)
    test = view(shop, photo, {"mode": "box", "box": list(box)}).run()
    vector = opened(shop).vector_of_photo(cropped(decode(photo), box))
    assert vector is not None
    agree(test, expected(shop, vector))
    assert scores(test) != scores(view(shop, photo).run())


def test_what_is_clicked_on_is_what_is_encoded(shop: Path, shape_photos: Path):
    photo = shape_photos / "cross" / "1.png"
    test = view(shop, photo, {"mode": "object", "number": 1}).run()
    region = data_of(test, "fgir_region")
    assert region is not None
    assert region["regions"]["count"] >= 1
    assert len(region["regions"]["labels"]) == 4  # 64 pixels, 16 a cell
    assert scores(test) != scores(view(shop, photo).run())


@pytest.mark.parametrize(
    ("region", "sentence"),
    [
        ({"mode": "object", "number": 99}, "got 99. Click on the picture"),
        ({"mode": "box", "box": [0.1, 0.1, 0.12, 0.9]}, "Draw a larger box"),
        ({"mode": "box", "box": [0.9, 0.1, 0.1, 0.9]}, "in order"),
    ],
)
def test_a_region_that_is_none_is_a_sentence(shop: Path, shape_photos: Path, region, sentence):
    test = view(shop, shape_photos / "disc" / "1.png", region).run()
    assert not test.exception
    assert sentence in said(test)
    assert data_of(test, "fgir_region") is not None
    assert data_of(test, "fgir_hits") is None


@pytest.mark.parametrize(
    "region",
    [
        {"mode": "box", "box": [0, 0, "1", 1]},
        {"mode": "box", "box": [True, 0, 1, 1]},
        {"mode": "circle"},
        {"mode": "object", "number": 1.5},
        {"photo": "another", "mode": "box", "box": [0, 0, 0.1, 0.1]},
    ],
)
def test_a_message_of_the_wrong_kind_is_the_whole_photo(shop: Path, shape_photos: Path, region):
    photo = shape_photos / "disc" / "1.png"
    assert scores(view(shop, photo, region).run()) == scores(view(shop, photo).run())


def test_filters_are_made_from_what_items_have(shop: Path, shape_photos: Path):
    test = view(shop, shape_photos / "disc" / "1.png").run()
    test.multiselect("photo_by_label").set_value(["cross", "lying"]).run()
    assert {one.split("/")[0] for one in ids(test)} == {"cross", "lying"}
    test.slider("photo_by_size").set_value((1, 5)).run()
    assert set(ids(test)) == {"cross/1.png", "cross/2.png", "cross/3.png"}
    test.multiselect("photo_by_colour").set_value(["red"]).run()
    assert ids(test) == ["cross/2.png"]
    assert "1 of 16 pictures, filtered" in said(test)
    test.text_input("photo_where").set_value("price < 3").run()
    assert "No picture fulfils the filters" in said(test)
    assert data_of(test, "fgir_hits") is None


def test_a_condition_that_is_none_is_a_sentence(shop: Path, shape_photos: Path):
    test = view(shop, shape_photos / "disc" / "1.png").run()
    test.text_input("photo_where").set_value("price < red").run()
    assert not test.exception
    assert "at character 9; got 'red'" in said(test)
    assert data_of(test, "fgir_hits") is None
    test.text_input("photo_where").set_value("not price > 20").run()
    assert set(ids(test)) == {"cross/0.png", "cross/1.png"}


def test_pages_follow_one_another(shop: Path, shape_photos: Path):
    test = view(shop, shape_photos / "disc" / "1.png").run()
    first = ids(test)
    test.session_state["photo_page"] = 2
    test.run()
    second = shown(test)
    assert [card["rank"] for card in second["hits"]] == [13, 14, 15, 16]
    assert not set(first) & {card["id"] for card in second["hits"]}
    test.text_input("photo_where").set_value("size > 1").run()  # another list begins at its top
    assert shown(test)["hits"][0]["rank"] == 1


def test_examples_move_the_query_and_are_taken_back(shop: Path, shape_photos: Path):
    photo = shape_photos / "lying" / "3.png"
    test = view(shop, photo)
    test.session_state["photo.examples"] = {"standing/3.png": "more", "disc/0.png": "less"}
    test.run()
    collection = opened(shop).collection
    vector = encode_files(opened(shop).encoder, [photo], runtime="eager").vectors[0]
    wanted, unwanted = collection.vector("standing/3.png"), collection.vector("disc/0.png")
    agree(test, expected(shop, moved_query(vector, wanted[None], unwanted[None])))
    pressed = {card["id"]: card["pressed"] for card in shown(test)["hits"] if card["pressed"]}
    assert pressed["standing/3.png"] == ["more"]
    labels = [one.label for one in test.button if (one.key or "").startswith("photo_example_")]
    assert labels == ["More like standing", "Not like disc"]
    for id_ in ("standing/3.png", "disc/0.png"):
        test.button(f"photo_example_{id_}").click().run()
    agree(test, expected(shop, vector))


def test_another_photo_begins_without_examples(shop: Path, shape_photos: Path):
    test = view(shop, shape_photos / "lying" / "3.png")
    test.session_state["photo.examples"] = {"standing/3.png": "more"}
    test.session_state["photo.of"] = "another photo"
    test.run()
    assert not [one for one in test.button if (one.key or "").startswith("photo_example_")]


def test_why_is_told_in_a_window(shop: Path, shape_photos: Path):
    test = view(shop, shape_photos / "lying" / "3.png")
    test.session_state["photo.why"] = "lying/2.png"
    test.run()
    assert not test.exception
    text = said(test)
    for words in (
        "each other's nearest",
        "orange for it, blue against it",
        "the score's own parts, exactly",
        "query: places",
        '"price": 100.5',
    ):
        assert words in text, words
    score = scores(test)["lying/2.png"]
    assert f"score {score:.4f}" in text
    sums = next(one.value for one in test.code if one.value.startswith("query: places"))
    places, constant, total = (
        float(word) for word in sums.splitlines()[0].replace("=", "").split() if word[-1].isdigit()
    )
    assert places + constant == pytest.approx(total, abs=2e-4)
    assert total == pytest.approx(score, abs=2e-4)


def test_an_encoder_that_cannot_tell_why_says_so(shape_photos: Path, tmp_path_factory):
    parts = [build_encoder("hog", {"name": "grid", "cells": n}, size=64) for n in (4, 8)]
    folder = shape_photos.parent / "joined_shop"
    stocked(folder, shape_photos, JoinedEncoder(parts, [0.5, 0.5]).eval())
    test = view(folder, shape_photos / "lying" / "3.png")
    test.session_state["photo.why"] = "lying/2.png"
    test.run()
    assert not test.exception
    assert "got a joined one, whose parts have their own" in said(test)
    test = view(folder, shape_photos / "lying" / "3.png", {"mode": "object", "number": 1}).run()
    assert "got a joined encoder, which has none. Choose the region with a box" in said(test)


def test_an_item_is_an_example_to_ask_with(shop: Path):
    test, this = view(shop), opened(shop)
    data = this.picture_of(this.collection.get("disc/2.png"))
    given = asked.taken(data, "a disc", example="disc/2.png")
    test.session_state["photo.asked"] = given
    test.run()
    assert ids(test)[0] == "disc/2.png"
    next(one for one in test.button if one.label == "Take another photo").click().run()
    assert data_of(test, "fgir_region") is None


def test_a_missing_collection_is_a_sentence(tmp_path: Path):
    test = view(tmp_path / "none").run()
    assert not test.exception
    assert "must" in test.error[0].value


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (b"", "a.png", "a.png must be a JPEG, PNG, WebP, BMP or GIF image; got 0 bytes"),
        (b"MZ" + b"x" * 99, "a.jpg", "a.jpg must be .*; got 101 bytes of something else"),
        (b"<svg onload=alert(1)>", "a.svg", "something else"),
        (b"x" * 20_000_001, "a.png", "at most 20,000,000 bytes; got 20,000,001"),
        (b"", "../" * 40 + "passwd", "^the photo must be"),
        (b"", "a\x1b[2Jb.png", r"a\\x1b\[2Jb.png must be"),
    ],
)
def test_what_is_no_photo_is_refused_by_its_content(data: bytes, name: str, sentence: str):
    with pytest.raises(BadInputError, match=sentence):
        asked.taken(data, name)


def test_a_photo_is_known_by_its_content_and_shown_anew(shape_photos: Path):
    data = (shape_photos / "disc" / "1.png").read_bytes()
    given = asked.taken(data + b"PK\x03\x04 and more", "page.html")
    assert given.picture.startswith("data:image/jpeg;base64,")
    with pytest.raises(BadInputError, match="cut short"):
        asked.taken(data[:-40], "a.png")


HITS = [
    SearchHit(Item("a,1", "p/ä.png", "=1+1", {"price": 2.5, "tags": ["x"]}), 0.98765432, 1),
    SearchHit(Item('b"2', "p/b.png"), -0.5, 2),
]


def test_the_list_is_saved_as_a_table():
    data = as_csv(HITS)
    assert data.startswith("\ufeff".encode())
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == ["a,1", 'b"2']
    assert rows[0]["label"] == "'=1+1"  # a spreadsheet would compute it
    assert rows[0]["path"] == "p/ä.png"
    assert json.loads(rows[0]["payload"]) == {"price": 2.5, "tags": ["x"]}
    assert [float(row["score"]) for row in rows] == [0.987654, -0.5]


def test_the_list_is_saved_as_json():
    first, second = json.loads(as_json(HITS))
    assert first == {
        "rank": 1,
        "score": 0.987654,
        "id": "a,1",
        "label": "=1+1",
        "path": "p/ä.png",
        "payload": {"price": 2.5, "tags": ["x"]},
    }
    assert second["payload"] == {}
