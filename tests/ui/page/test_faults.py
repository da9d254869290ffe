"""What goes wrong is a sentence in its place, and the page lives on."""

import logging
import shutil
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from indexer.disk import DiskCollection
from indexer.manifest import STORE
from retrieval import plugins
from tests.ui.page.at_view import all_data_of, at_view, said
from ui import views

SECRET = "/secret/path/of/somebody"


@pytest.mark.parametrize("name", plugins.names(views))
@pytest.mark.parametrize("fault", [RuntimeError(SECRET), KeyError(SECRET)], ids=["runtime", "key"])
def test_g11_a_mistake_of_ours_is_an_id(
    name: str,
    fault: Exception,
    shapes: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    def broken(*_: object) -> None:
        raise fault

    monkeypatch.setattr(plugins.find(views, name), "show", broken)
    with caplog.at_level(logging.ERROR, "fgir.ui"):
        test = at_view(monkeypatch, name, shapes).run()
    assert not test.exception
    assert test.error[0].value.startswith("This is a bug")
    assert "secret" not in said(test)
    (mark,) = (one.getMessage()[-6:] for one in caplog.records if one.name == "fgir.ui")
    assert mark in test.error[0].value
    assert SECRET in caplog.text


def test_g11_a_mistake_of_a_callback_is_not_shown(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError(SECRET)

    test = at_view(monkeypatch, "collection", shapes).run()
    monkeypatch.setattr("ui.views.collection._first_page", broken)
    before = config.get_option("client.showErrorDetails")
    config.set_option("client.showErrorDetails", "none")
    try:
        test.run()
        test.text_input(key="collection_where").set_value("label = 'disc'").run()
    finally:
        config.set_option("client.showErrorDetails", before)
    (shown,) = test.exception
    assert "secret" not in shown.proto.SerializeToString().decode("utf-8", "replace")


@pytest.fixture
def shop(shapes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shapes.parent, tmp_path / "all")) / shapes.name


def opened(monkeypatch: pytest.MonkeyPatch, shop: Path, view: str = "draw") -> AppTest:
    test = at_view(monkeypatch, view, shop).run()
    assert not test.exception
    return test


@pytest.mark.parametrize("view", ["draw", "photo", "recognise", "collection"])
def test_g14_a_damaged_collection_is_named(view: str, shop: Path, monkeypatch: pytest.MonkeyPatch):
    data = bytearray((shop / STORE).read_bytes())
    data[len(data) // 2] ^= 1
    (shop / STORE).write_bytes(data)
    test = opened(monkeypatch, shop, view)
    assert f"{STORE} must be as it was written" in said(test)
    assert all_data_of(test, "fgir_hits") == []


def test_g14_another_encoder_in_its_folder_is_named(shop: Path, monkeypatch: pytest.MonkeyPatch):
    (file,) = (shop / "encoder").glob("pair.json")
    file.write_bytes(file.read_bytes() + b" ")
    assert "pair.json must be as it was copied" in said(opened(monkeypatch, shop))


@pytest.mark.parametrize("view", ["draw", "photo"])
def test_g14_an_empty_collection_says_how_to_fill_it(
    view: str, shop: Path, monkeypatch: pytest.MonkeyPatch
):
    with DiskCollection.open(shop, write=True) as collection:
        collection.remove(collection.ids())
    assert "This collection is empty. Add photos with fgir add" in said(
        opened(monkeypatch, shop, view)
    )


def test_g14_one_that_took_its_place_is_shown(
    shop: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch
):
    with DiskCollection.open(shop, write=True) as collection:
        collection.remove([one for one in collection.ids() if not one.startswith("disc")])
    test = opened(monkeypatch, shop)
    assert len(all_data_of(test, "fgir_hits")[0]["hits"]) == 4
    shutil.rmtree(shop)
    test.run()
    assert "must" in test.error[0].value
    shutil.copytree(shapes, shop)
    test.run()
    assert len(all_data_of(test, "fgir_hits")[0]["hits"]) == 12
