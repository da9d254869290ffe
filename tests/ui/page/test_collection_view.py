"""Browsing, adding, removing and checking, without a browser."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from indexer.disk import DiskCollection
from tests.ui.page.at_view import all_data_of, at_view, said
from ui.adding import photos_folder

Opened = Callable[[Path], AppTest]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Opened:
    return lambda folder: at_view(monkeypatch, "collection", folder)


@pytest.fixture
def shop(shapes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shapes.parent, tmp_path / "all")) / shapes.name


def ring() -> bytes:
    picture = Image.new("RGB", (96, 96), "white")
    ImageDraw.Draw(picture).ellipse((20, 20, 76, 76), outline="#357", width=9)
    memory = io.BytesIO()
    picture.save(memory, "PNG")
    return memory.getvalue()


def grid(test: AppTest) -> list[str]:
    (given,) = all_data_of(test, "fgir_pictures")
    return [card["id"] for card in given["cards"]]


def chosen(test: AppTest, *ids: str) -> AppTest:
    test.session_state["collection.chosen"] = list(ids)
    return test.run()


def test_pictures_are_paged_and_conditions_choose(page: Opened, shop: Path, monkeypatch):
    monkeypatch.setattr("ui.views.collection.PAGE", 6)
    test = page(shop).run()
    with DiskCollection.open(shop) as collection:
        ids = collection.ids()
    assert grid(test) == ids[:6]
    assert test.subheader[0].value == "16 of 16 pictures"
    test.number_input(key="collection_page").set_value(3).run()
    assert grid(test) == ids[12:]
    test.text_input(key="collection_where").set_value("label = 'disc'").run()
    assert grid(test) == [f"disc/{number}.png" for number in range(4)]
    assert test.subheader[0].value == "4 of 16 pictures"
    test.text_input(key="collection_where").set_value("label = ").run()
    assert len(test.error) == 1
    assert "must" in test.error[0].value
    test.text_input(key="collection_where").set_value("label = 'nobody'").run()
    assert "There is no such picture" in said(test)


def test_one_that_is_chosen_is_shown_whole(page: Opened, shop: Path):
    test = chosen(page(shop).run(), "disc/1.png", "cross/2.png", "nobody")
    (item,) = all_data_of(test, "fgir_report_view")
    assert "cross/2.png" in item["html"]
    (given,) = all_data_of(test, "fgir_pictures")
    assert given["chosen"] == ["disc/1.png", "cross/2.png"]
    assert given["choosable"]


def test_chosen_ones_are_removed_after_a_yes(page: Opened, shop: Path):
    test = chosen(page(shop).run(), "disc/1.png", "cross/2.png")
    assert "Remove 2 pictures from the collection?" in said(test)
    test.button(key="collection_remove").click().run()
    assert "Removed 2; 14 pictures are left." in said(test)
    assert not {"disc/1.png", "cross/2.png"} & set(grid(test))
    with DiskCollection.open(shop) as collection:
        assert len(collection) == 14
    assert (shop.parent / "photos" / "disc" / "1.png").exists()
    assert "Removed" not in said(test.run())


def test_while_another_writes_nothing_changes(page: Opened, shop: Path):
    test = chosen(page(shop).run(), "disc/1.png")
    with DiskCollection.open(shop, write=True):
        test.button(key="collection_remove").click().run()
        assert "must have one writer at a time" in said(test)
        assert "Nothing was removed." in said(test)
        test.button_group("collection_part").set_value("Add").run()
        test.file_uploader(key="collection_files_0").upload("ring.png", ring(), "image/png").run()
        test.button(key="collection_add").click().run()
        assert "must have one writer at a time" in said(test)
    assert not photos_folder(shop).exists()
    with DiskCollection.open(shop) as collection:
        assert len(collection) == 16


def test_photos_are_added_with_a_label(page: Opened, shop: Path):
    test = page(shop).run()
    test.button_group("collection_part").set_value("Add").run()
    test.text_input(key="collection_label").set_value("ring")
    files = [
        ("../../ring.png", ring(), "image/png"),
        ("again.png", ring(), "image/png"),
        ("<x>.png", b"no picture", "image/png"),
    ]
    test.file_uploader(key="collection_files_0").set_value(files)
    test.run()
    test.button(key="collection_add").click().run()
    words = said(test)
    assert "Added 1 of 3 photos" in words
    assert "<x>.png was not taken: <x>.png must be" in words
    with DiskCollection.open(shop) as collection:
        (item,) = [one for one in collection.items if one.label == "ring"]
        assert len(collection) == 17
    (file,) = photos_folder(shop).iterdir()
    assert file.read_bytes() == ring()
    assert (shop / item.path).resolve() == file
    assert item.id == f"ring/{file.name}"
    assert item.payload["name"].endswith("ring.png")
    assert not test.file_uploader(key="collection_files_1").value
    test.button_group("collection_part").set_value("Browse").run()
    assert item.id in grid(test)


def test_a_check_tells_what_it_is_and_whether_it_is_whole(page: Opened, shop: Path):
    test = page(shop).run()
    test.button_group("collection_part").set_value("Check").run()
    (about,) = all_data_of(test, "fgir_report_view")
    for fact in ("hog", "exact", "<dt>bytes</dt>"):
        assert fact in about["html"]
    assert str(shop.parent) not in about["html"]  # others may look at the page
    test.button(key="collection_verify").click().run()
    assert "All 16 items are as they were written." in said(test)
    file = shop / "encoder" / "pair.json"
    file.write_bytes(file.read_bytes() + b" ")
    test.button(key="collection_verify").click().run()
    assert "pair.json must be as it was copied" in said(test)
    assert "as they were written" not in said(test)


def test_rejected_pictures_are_listed_with_reasons(page: Opened, shop: Path):
    from indexer.build import build_collection, entries_of
    from ui.building import encoder_of

    (shop.parent / "more").mkdir()
    (shop.parent / "more" / "a<b>.png").write_bytes(b"no picture")
    with DiskCollection.open(shop, write=True) as collection:
        entries, root = entries_of(shop.parent / "more")
        build_collection(collection, entries, root, encoder_of(collection), runtime="eager")
    test = page(shop).run()
    test.button_group("collection_part").set_value("Check").run()
    (about,) = all_data_of(test, "fgir_report_view")
    assert "Not taken: 1 picture." in about["html"]
    assert "a&lt;b&gt;.png" in about["html"]


def test_duplicates_are_shown_in_groups(page: Opened, shop: Path):
    photos = shop.parent / "photos"
    from indexer.build import Entry, build_collection
    from ui.building import encoder_of

    shutil.copy(photos / "disc" / "1.png", photos / "disc" / "9.png")
    with DiskCollection.open(shop, write=True) as collection:
        entry = Entry("disc/9.png", "disc/9.png", "disc")
        build_collection(collection, [entry], photos, encoder_of(collection), runtime="eager")
    test = page(shop).run()
    test.button_group("collection_part").set_value("Check").run()
    test.number_input(key="collection_likeness").set_value(1.0).run()
    test.button(key="collection_duplicates").click().run()
    assert "1 group; 1 of 17 pictures repeat another." in said(test)
    assert grid(test) == ["disc/1.png", "disc/9.png"]
