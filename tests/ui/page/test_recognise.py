"""A photo in, its label out, without a browser."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from indexer.choice import EngineChoice
from indexer.disk import DiskCollection
from indexer.recognition import Likely, Recogniser, Recognition
from retrieval.images import decode
from tests.ui.page.at_view import all_data_of, at_view, said
from ui.resources import opened
from ui.views import recognise as view

Opened = Callable[[Path], AppTest]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Opened:
    return lambda folder: at_view(monkeypatch, "recognise", folder)


def png(picture: Image.Image) -> bytes:
    memory = io.BytesIO()
    picture.save(memory, "PNG")
    return memory.getvalue()


def lying() -> bytes:
    picture = Image.new("RGB", (96, 96), "white")
    ImageDraw.Draw(picture).rectangle((15, 40, 81, 55), fill="#357")
    return png(picture)


def stripes() -> bytes:
    picture = Image.new("RGB", (96, 96), "white")
    draw = ImageDraw.Draw(picture)
    for x in range(0, 96, 12):
        draw.line((x, 0, 96 - x, 96), fill="black", width=3)
    return png(picture)


def test_first_it_says_what_it_does(page: Opened, shapes: Path):
    test = page(shapes).run()
    assert "16 labelled pictures of 4 labels" in said(test)
    assert (
        "At most 5 in 100 photos of what is in this collection are wrongly called unknown"
        in said(test)
    )
    assert all_data_of(test, "fgir_pictures") == []


def test_a_photo_gets_its_label_with_evidence(page: Opened, shapes: Path):
    test = page(shapes).run()
    test.file_uploader(key="recognise_photo").upload("a.png", lying(), "image/png")
    test.run()
    assert test.subheader[0].value == "lying"
    assert not test.warning
    this = opened(shapes)
    vector = this.vector_of_photo(decode(lying(), name="a.png"))
    assert vector is not None
    found = Recogniser.fit(this.collection).recognise(vector)
    rows = all_data_of(test, "fgir_pictures")
    assert [row["title"] for row in rows] == [
        f"Nearest pictures of {one.label}" for one in found.labels[: view.SHOWN]
    ]
    assert found.labels[0].label == "lying"
    for row, one in zip(rows, found.labels, strict=False):
        assert len(row["cards"]) == 4
        assert all(card["id"].startswith(f"{one.label}/") for card in row["cards"])
        notes = [float(card["note"]) for card in row["cards"]]
        assert notes == sorted(notes, reverse=True)
        assert not row["choosable"]
    words = said(test)
    assert found.p is not None
    assert f"It may be one of the known labels: {100 * found.p:.1f} %" in words
    assert f"(p = {found.p:.3g}, above 0.05)" in words
    bars = [one.proto.text for one in test.get("progress")]
    assert f"**None of these labels** — {100 * found.none:.1f} %" in bars
    shares = [float(bar.split("— ")[1].removesuffix(" %")) for bar in bars]
    assert shares == sorted(shares, reverse=True)


def test_alpha_decides_whether_it_is_one_of_them(page: Opened, shapes: Path):
    test = page(shapes).run()
    test.file_uploader(key="recognise_photo").upload("b.png", stripes(), "image/png")
    test.run()
    # Of 17 photos the farthest has p = 1/17: above 0.05, below 0.1.
    assert "no p-value is below 0.059" in said(test)
    assert not test.warning
    test.select_slider(key="recognise_alpha").set_value(0.1).run()
    assert test.subheader[0].value == "None of the known labels"
    assert test.warning[0].value.startswith("It is unlike them: no more than 5.9 % of")
    assert "(p = 0.0588)" in test.warning[0].value
    test.select_slider(key="recognise_alpha").set_value(0.02).run()
    assert not test.warning


def test_a_label_that_is_less_likely_than_none_is_a_perhaps(
    page: Opened, shapes: Path, monkeypatch: pytest.MonkeyPatch
):
    told = Recognition((Likely("disc", 0.4), Likely("lying", 0.1)), 0.5, "disc", 0.3)
    monkeypatch.setattr(Recogniser, "recognise", lambda *_: told)
    test = page(shapes).run()
    test.file_uploader(key="recognise_photo").upload("a.png", lying(), "image/png")
    test.run()
    assert test.subheader[0].value == "Perhaps disc"
    assert "none of them is likelier than any one of them" in said(test)
    bars = [one.proto.text.split(" —")[0] for one in test.get("progress")]
    assert bars == ["**None of these labels**", "**disc**", "**lying**"]


def test_a_photo_is_encoded_once(page: Opened, shapes: Path, monkeypatch: pytest.MonkeyPatch):
    test = page(shapes).run()
    test.file_uploader(key="recognise_photo").upload("a.png", lying(), "image/png")
    test.run()
    monkeypatch.setattr("ui.opened.Opened.vector_of_photo", lambda *_: pytest.fail("again"))
    test.select_slider(key="recognise_alpha").set_value(0.1).run()
    assert test.subheader[0].value == "lying"
    assert not test.error


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html>", "x.png must be"),
        (png(Image.new("RGB", (64, 64), "white")), "must show something to compare"),
        (lying()[:200], "x.png must be a whole image"),
    ],
)
def test_what_is_no_photo_is_a_sentence(page: Opened, shapes: Path, content: bytes, sentence: str):
    test = page(shapes).run()
    test.file_uploader(key="recognise_photo").upload("x.png", content, "image/png")
    test.run()
    assert sentence in test.error[0].value.replace("\\", "")
    assert len(test.error) == 1


def test_a_collection_without_labels_says_so(page: Opened, shapes: Path, tmp_path: Path):
    copied = Path(shutil.copytree(shapes.parent, tmp_path / "all")) / shapes.name
    with DiskCollection.open(copied, write=True) as collection:
        keep = [item for item in collection.items if item.label == "disc"]
        collection.remove([item.id for item in collection.items if item.label != "disc"])
    test = page(copied).run()
    assert len(keep) == 4
    assert "must have items of two labels or more to recognise a picture; got 1 in 4 items" in said(
        test
    )


def test_labels_that_are_alone_have_no_p_value(page: Opened, shapes: Path, tmp_path: Path):
    copied = Path(shutil.copytree(shapes.parent, tmp_path / "all")) / shapes.name
    with DiskCollection.open(copied, write=True) as collection:
        collection.choose(EngineChoice("exact"))
        collection.remove([item.id for item in collection.items if "/0" not in item.id])
    test = page(copied).run()
    test.file_uploader(key="recognise_photo").upload("a.png", lying(), "image/png")
    test.run()
    assert "cannot be told: each picture is alone with its label" in test.info[0].value
