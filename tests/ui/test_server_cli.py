"""The commands of a collection, told to work on a server."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.indexer.qdrant_stub import QdrantStub, running
from tests.ui.conftest import SMALL, Fgir
from tests.ui.test_cli import said

pytest.importorskip("qdrant_client")


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantStub]:
    """A server that ``qdrant:NAME`` reaches."""
    with running(QdrantStub(key="a-secret")) as stub:
        monkeypatch.setenv("QDRANT_URL", stub.url)
        monkeypatch.setenv("QDRANT_API_KEY", "a-secret")
        yield stub


@pytest.fixture(scope="session")
def encoder(fgir: Fgir, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoders") / "small"
    done = fgir("encoder", folder, *[word for word in SMALL if word not in ("--runtime", "eager")])
    assert done.returncode == 0, done.stderr
    return folder


def hits_of(stdout: str) -> list[tuple[str, float]]:
    return [(hit["id"], hit["score"]) for hit in json.loads(stdout)[0]["hits"]]


def test_from_photos_to_hits_and_back(
    fgir: Fgir, stub: QdrantStub, photos: Path, encoder: Path, tmp_path: Path
):
    mine = ["--encoder", encoder, "--runtime", "eager"]
    query = photos / "red" / "0.png"
    place = "qdrant:shop?shard_number=2&fields=colour:keyword"
    done = fgir("index", photos, "--out", place, *mine)
    assert "indexed 16; 16 items in http://127.0.0.1:" in done.stdout, done.stderr
    assert "unchanged 16" in fgir("index", photos, "--collection", place, *mine).stdout
    assert stub.collections["shop"].settings["shard_number"] == 2

    folder = tmp_path / "shop"
    fgir("index", photos, "--out", folder, *mine)
    found = [
        hits_of(fgir("search", where, query, "-k", 16, "--json", *mine).stdout)
        for where in (folder, "qdrant:shop")
    ]
    assert found[0] == found[1]
    assert found[0][0][0] == "red/0.png"

    more = tmp_path / "more"
    more.mkdir()
    shutil.copy(query, more / "new.png")
    assert "indexed 1; 17 items" in fgir("add", "qdrant:shop", more, *mine).stdout
    assert "16 items are left in qdrant:shop" in fgir("remove", "qdrant:shop", "new.png").stdout
    said(fgir("remove", "qdrant:shop", "new.png"), 3, "got 'new.png', which is not")

    out = tmp_path / "hits.html"
    fgir("search", "qdrant:shop", query, "-k", 2, "--gallery", out, *mine)
    assert out.read_text().count("<img ") == 3  # the query and both hits: their files were found

    info = json.loads(fgir("collection", "info", "qdrant:shop", "--json").stdout)
    assert (info["items"], info["shards"], info["server"]) == (16, 2, "1.16.3")
    assert info["fields"] == "colour:keyword"
    assert "all 16 items" in fgir("collection", "verify", "qdrant:shop").stdout

    copied = tmp_path / "copied"
    assert "copied 16" in fgir("collection", "copy", "qdrant:shop", copied).stdout
    again = fgir("search", copied, query, "-k", 16, "--json", *mine)
    assert hits_of(again.stdout) == found[0]
    assert "copied 16" in fgir("collection", "copy", folder, "qdrant:second").stdout
    assert fgir("collection", "alias", "qdrant:second", "live").returncode == 0
    live = fgir("search", "qdrant:live", query, "-k", 16, "--json", *mine)
    assert hits_of(live.stdout) == found[0]

    file = tmp_path / "shop.snapshot"
    assert "snapshot shoes-0" in fgir("collection", "snapshot", "qdrant:shop", "--out", file).stdout
    assert len(json.loads(file.read_bytes())) == 16
    assert "shoes-0.snapshot" in fgir("collection", "snapshots", "qdrant:shop").stdout


def test_what_a_server_cannot_do_is_said(
    fgir: Fgir, stub: QdrantStub, photos: Path, encoder: Path, tmp_path: Path
):
    query = photos / "red" / "0.png"
    said(fgir("search", "qdrant:shop", query), 3, "must be a collection; got none of this name")
    fgir("index", photos, "--out", "qdrant:shop", "--encoder", encoder, "--runtime", "eager")
    said(fgir("search", "qdrant:shop", query), 3, "with --encoder FOLDER")
    mine = ["--encoder", encoder, "--runtime", "eager"]
    said(fgir("search", "qdrant:shop", query, "--engine", "exact", *mine), 3, "--engine must be l")
    said(
        fgir("search", "qdrant:shop", query, "--rerank", "k_reciprocal", *mine),
        3,
        "--rerank must have a collection in a folder",
    )
    said(fgir("collection", "info", "qdrant:shop?shard_number=9"), 3, "must have shard_number 9")
    said(fgir("collection", "snapshots", tmp_path), 3, "must be on a server")
    other = ["--backbone", "small", "--untrained", "--size", "32", "--runtime", "eager"]
    said(fgir("index", photos, "--out", "qdrant:shop", *other), 4, "encoder of the collection")


def test_nobody_there_and_wrong_key(
    fgir: Fgir, stub: QdrantStub, monkeypatch: pytest.MonkeyPatch, photos: Path
):
    monkeypatch.setenv("QDRANT_API_KEY", "another-secret")
    done = fgir("collection", "info", "qdrant:shop")
    said(done, 3, "must accept the key in QDRANT_API_KEY")
    assert "secret" not in done.stderr + done.stdout
    done = fgir("collection", "info", "qdrant://127.0.0.1:1/shop")
    said(done, 8, "unavailable: http://127.0.0.1:1 must tell its version; got no connection")


def test_an_interrupted_index_goes_on(
    fgir: Fgir, stub: QdrantStub, photos: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
):
    from indexer.qdrant.server import Patience

    monkeypatch.setattr(Patience.__init__, "__defaults__", (1, 0.3, 0.01, 0.05))
    mine = ["--encoder", encoder, "--runtime", "eager", "--batch-size", 4]
    stub.fail("", on="PUT points", times=2)
    stub.fail("503", on="PUT points", times=99)
    said(fgir("index", photos, "--out", "qdrant:shop", *mine), 8, "must store 4 items; got 503")
    assert len(stub.collections["shop"].points) == 8
    stub.heal()
    done = fgir("index", photos, "--out", "qdrant:shop", *mine)
    assert "indexed 8, unchanged 8; 16 items" in done.stdout, done.stderr
