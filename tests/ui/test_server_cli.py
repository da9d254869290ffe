"""The commands of a collection, told to work on a server."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.indexer.qdrant_stub import QdrantStub, running
from tests.ui.conftest import SMALL, Fgir
from tests.ui.test_cli import said

pytest.importorskip("qdrant_client", reason="needs the extra qdrant: pip install -e '.[qdrant]'")


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
    assert "snapshot shoes-0" in fgir("collection", "snapshot", "qdrant:shop", file).stdout
    assert len(json.loads(file.read_bytes())) == 16
    assert "shoes-0.snapshot" in fgir("collection", "snapshots", "qdrant:shop").stdout


def test_what_is_known_of_items_is_asked_of_a_server(
    fgir: Fgir, stub: QdrantStub, photos: Path, encoder: Path
):
    mine = ["--encoder", encoder, "--runtime", "eager"]
    query = photos / "red" / "0.png"
    fgir("index", photos, "--out", "qdrant:shop", *mine)
    asked = ["--where", 'label = "red" or id = "blue/2.png"']
    done = fgir("search", "qdrant:shop", query, "-k", 99, "--json", *asked, *mine)
    wanted = {f"red/{number}.png" for number in range(4)} | {"blue/2.png"}
    assert {id_ for id_, _ in hits_of(done.stdout)} == wanted
    done = fgir("collection", "items", "qdrant:shop", "--json", *asked)
    assert {one["id"] for one in json.loads(done.stdout)} == wanted
    assert "listed 5 items" in done.stderr
    done = fgir("collection", "items", "qdrant:shop", "--limit", 2, *asked)
    assert (len(done.stdout.splitlines()), "listed 2 of 5 items" in done.stderr) == (2, True)
    done = fgir("collection", "items", "qdrant:shop", "--limit", 2)
    assert "listed 2 of 16 items" in done.stderr
    done = fgir("collection", "items", "qdrant:shop", "--where", "price > 3")
    assert "no index of price: the server reads every item" in done.stderr

    said(fgir("remove", "qdrant:shop", *asked), 3, "removing 5 of 16 items of qdrant:shop must be")
    done = fgir("remove", "qdrant:shop", *asked, "--yes")
    assert "removed 5; 11 items are left" in done.stdout
    assert "removed 4; 7 items" in fgir("remove", "qdrant:shop", "--label=grey", "--yes").stdout
    done = fgir("collection", "items", "qdrant:shop", "--json")
    assert {one["label"] for one in json.loads(done.stdout)} == {"green", "blue"}
    done = fgir("add", "qdrant:shop", photos / "red", "--label", "rouge", *mine)
    assert "indexed 4; 11 items" in done.stdout
    done = fgir("collection", "items", "qdrant:shop", "--json", "--where", 'label = "rouge"')
    assert {one["id"] for one in json.loads(done.stdout)} == {f"rouge/{n}.png" for n in range(4)}


def test_exported_from_a_server_and_imported_into_one(
    fgir: Fgir, stub: QdrantStub, photos: Path, encoder: Path, tmp_path: Path
):
    mine = ["--encoder", encoder, "--runtime", "eager"]
    query = photos / "red" / "0.png"
    fgir("index", photos, "--out", "qdrant:shop", *mine)

    def answer(place: object) -> list[tuple[str, float]]:
        return hits_of(fgir("search", place, query, "-k", 99, "--json", *mine).stdout)

    exported = tmp_path / "else" / "exported"
    assert "exported 16" in fgir("collection", "export", "qdrant:shop", exported).stdout
    assert "imported 16" in fgir("collection", "import", exported, tmp_path / "folder").stdout
    for _ in range(2):  # again: as after an interruption
        assert "imported 16" in fgir("collection", "import", exported, "qdrant:again").stdout
    assert answer(tmp_path / "folder") == answer("qdrant:again") == answer("qdrant:shop")

    from_folder = tmp_path / "from folder"
    assert "exported 16" in fgir("collection", "export", tmp_path / "folder", from_folder).stdout
    assert "imported 16" in fgir("collection", "import", from_folder, "qdrant:third").stdout
    items = [
        sorted(fgir("collection", "items", place, "--csv").stdout.splitlines())
        for place in ("qdrant:shop", "qdrant:again", "qdrant:third")
    ]
    assert items[0] == items[1] == items[2]
    done = fgir("collection", "import", exported, "qdrant:more", "--engine", "exact")
    said(done, 3, "--engine must be left out")
    explained = fgir("explain", "qdrant:third", query, "--hit", "blue/1.png", "--encoder", encoder)
    assert "score" in explained.stdout, explained.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("collection", "compact", "qdrant:shop"),
        ("collection", "duplicates", "qdrant:shop"),
        ("collection", "merge", "qdrant:shop", "folder"),
        ("collection", "merge", "folder", "qdrant:shop"),
        ("index", "PHOTOS", "--out", "qdrant:shop", "--sync"),
        ("index", "PHOTOS", "--out", "qdrant:shop", "--sync", "--watch", "1"),
        ("replay", "drawing.json", "qdrant:shop"),
    ],
    ids=" ".join,
)
def test_what_only_a_folder_can_do_is_said(fgir: Fgir, photos: Path, words: tuple[str, ...]):
    done = fgir(*(photos if word == "PHOTOS" else word for word in words))
    said(done, 3, "must be in a folder for this; got qdrant:shop. Copy it into one with")


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
    from indexer.qdrant.server import Patience

    monkeypatch.setattr(Patience.__init__, "__defaults__", (1, 0.3, 0.01, 0.05))
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
