"""Browsing, adding, removing and checking, without a browser."""

import io
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from indexer.disk import DiskCollection
from retrieval.images import decode
from tests.ui.page.at_view import all_data_of, at_view, said
from ui.adding import photos_folder
from ui.picture_readers import PictureReaders

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
    assert decode(file).tobytes() == decode(ring()).tobytes()
    assert (shop / item.path).resolve() == file
    assert item.id == f"ring/{file.name}"
    assert item.payload["name"].endswith("ring.png")
    assert not test.file_uploader(key="collection_files_1").value
    test.button_group("collection_part").set_value("Browse").run()
    assert item.id in grid(test)


def added(test: AppTest, *files: tuple[str, bytes, str]) -> AppTest:
    test.button_group("collection_part").set_value("Add").run()
    test.file_uploader(key="collection_files_0").set_value(list(files)).run()
    return test.button(key="collection_add").click().run()


def test_what_is_kept_are_pixels_and_nothing_else(page: Opened, shop: Path):
    """The photo lies on its side, and says where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by a quarter
    exif[0x010E] = "at home"
    memory = io.BytesIO()
    Image.linear_gradient("L").resize((96, 64)).save(memory, "JPEG", exif=exif, comment=b"at home")
    test = added(page(shop).run(), ("a.jpg", memory.getvalue(), "image/jpeg"))
    assert "Added 1 of 1 photos" in said(test)
    (file,) = photos_folder(shop).iterdir()
    assert b"at home" in memory.getvalue()
    assert b"at home" not in file.read_bytes()
    kept, given = (np.asarray(decode(one), int) for one in (file, memory.getvalue()))
    assert kept.shape == (96, 64, 3)
    assert np.abs(kept - given).max() < 8


def test_a_photo_that_ends_its_process_is_a_sentence_and_the_next_one_is_added(
    page: Opened, shop: Path, monkeypatch: pytest.MonkeyPatch
):
    """And nothing that came is decoded where the page lives."""
    real, here = PictureReaders.kept, []

    @contextmanager
    def stopped(readers: PictureReaders) -> Iterator[subprocess.Popen[bytes]]:
        with PictureReaders._process(readers) as process:
            os.kill(process.pid, signal.SIGSTOP)
            yield process

    def dying(readers: PictureReaders, data: bytes, name: str) -> tuple[bytes, str]:
        if name != "b.png":
            return real(readers, data, name)
        with monkeypatch.context() as patch:
            patch.setattr(readers, "_process", lambda: stopped(readers))
            patch.setattr(readers, "_seconds", 0.0)  # by the clock: then it is killed
            return real(readers, data, name)

    def seen(source: Path | bytes, **given: object) -> Image.Image:
        here.append(source)
        return decode(source, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(PictureReaders, "kept", dying)
    for module in ("ui.adding", "retrieval.modalities"):
        monkeypatch.setattr(f"{module}.decode", seen, raising=False)
    test = added(
        page(shop).run(), ("b.png", ring() + b" ", "image/png"), ("c.png", ring(), "image/png")
    )
    assert "b.png was not taken: b.png must be one that can be decoded" in said(test)
    assert "Added 1 of 2 photos" in said(test)
    (file,) = photos_folder(shop).iterdir()
    assert here
    assert all(isinstance(one, Path) and one.samefile(file) for one in here)


def test_a_check_tells_what_it_is_and_whether_it_is_whole(
    page: Opened, shop: Path, monkeypatch: pytest.MonkeyPatch
):
    test = page(shop).run()
    test.button_group("collection_part").set_value("Check").run()
    (about,) = all_data_of(test, "fgir_report_view")
    for fact in ("hog", "exact", "<dt>bytes</dt>"):
        assert fact in about["html"]
    assert str(shop.parent) not in about["html"]  # others may look at the page
    told: list[int] = []
    real = DiskCollection.verify
    monkeypatch.setattr("indexer.store._MANY", 4)

    def verify(self: DiskCollection, advance: Callable[[int], None]) -> list[str]:
        def tell(count: int) -> None:
            told.append(count)
            advance(count)

        return real(self, tell)

    monkeypatch.setattr(DiskCollection, "verify", verify)
    test.button(key="collection_verify").click().run()
    assert told == [4, 4, 4, 4]
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
