"""Items over HTTP: listed, shown, added, removed."""

import hashlib
import io
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from indexer.build import build_collection
from indexer.choice import EngineChoice
from indexer.collection import Item
from indexer.disk import DiskCollection
from indexer.sources import Entry
from retrieval.encoder_folders import open_encoder
from retrieval.errors import StorageError
from tests.ui.api.conftest import Serve, photo, picture
from tests.ui.api.test_search import SEARCH, ids, refused
from ui.api.shelf import Shelf

ITEMS = "/v1/collections/shop/items"


def add(client: TestClient, id_: str, data: bytes | None = None, **fields: str) -> Any:
    sent = picture() if data is None else data
    return client.post(ITEMS, files={"photo": sent}, data={"id": id_, **fields})


def test_facts_of_what_is_served(shop: TestClient, opened: DiskCollection):
    facts = {
        "name": "shop",
        "items": 16,
        "dim": opened.dim,
        "engine": "exact",
        "encoder": opened.fingerprint,
        "generation": opened.generation,
        "sketches": True,
        "writable": False,
    }
    assert shop.get("/v1/collections").json() == {"collections": [facts]}
    assert shop.get("/v1/collections/shop").json() == facts
    assert shop.get("/v1/health").json() == {"status": "ready", "collections": 1}


def test_pages_of_items_join(shop: TestClient, opened: DiskCollection):
    listed = []
    for offset in (0, 7, 14):
        page = shop.get(ITEMS, params={"limit": 7, "offset": offset}).json()
        assert page["total"] == 16
        listed += page["items"]
    assert [one["id"] for one in listed] == opened.ids()
    first = opened.get(listed[0]["id"])
    assert (listed[0]["label"], listed[0]["payload"]) == (first.label, first.payload)
    where = json.dumps({"and": [{"field": "label", "equal": "red"}, {"field": "price", "gt": 5}]})
    page = shop.get(ITEMS, params={"where": where}).json()
    assert [one["id"] for one in page["items"]] == ["red/1.png", "red/2.png", "red/3.png"]
    assert page["total"] == 3
    refused(shop.get(ITEMS, params={"where": "label = red"}), 400, "where must be whole JSON")
    refused(shop.get(ITEMS, params={"limit": 1001}), 400, "limit must be less than or equal to")
    refused(shop.get(ITEMS, params={"offset": -1}), 400, "offset must be greater than")


def test_one_item_and_its_picture(shop: TestClient, made: Path):
    found = shop.get(f"{ITEMS}/{quote('red/2.png', safe='')}").json()
    assert found == shop.get(f"{ITEMS}/red/2.png").json()
    assert (found["id"], found["payload"]) == ("red/2.png", {"price": 20})
    answer = shop.get(found["picture"])
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    sent = np.asarray(Image.open(io.BytesIO(answer.content)), np.float64)
    kept = np.asarray(Image.open(made / "photos" / "red/2.png"), np.float64)
    assert np.abs(sent - kept).mean() < 4
    small = Image.open(io.BytesIO(shop.get(found["picture"], params={"side": 20}).content))
    assert small.size == (20, 18)
    refused(shop.get(found["picture"], params={"side": 9999}), 400, "side must be less than")


@pytest.mark.parametrize(
    "id_", ["gone", "../collection.json", "..%2F..%2Fetc%2Fpasswd", "/etc/passwd", "red", "%00"]
)
@pytest.mark.parametrize("kind", ["items", "pictures"])
def test_only_items_lead_to_files(shop: TestClient, id_: str, kind: str):
    answer = shop.get(f"/v1/collections/shop/{kind}/{quote(id_, safe='%')}")
    assert answer.status_code in (400, 404)
    assert "must" in answer.json()["error"]


@pytest.mark.parametrize("name", ["gone", "..", "%2e%2e", "shop%2F..", "SHOP"])
def test_only_names_lead_to_collections(shop: TestClient, name: str):
    refused(shop.get(f"/v1/collections/{name}/items"), 404, "must be one")
    refused(shop.post(f"/v1/collections/{name}/search", json={"id": "a"}), 404, "must be one")


def test_an_item_that_leads_to_no_picture_shows_none(serve: Serve, root: Path):
    """Whatever path an item has: only pixels of pictures leave the machine."""
    (root / "secret.txt").write_text("secret")
    with DiskCollection.open(root / "shop", write=True) as collection:
        vector = collection.vector("red/0.png")[None]
        for path in ("../secret.txt", "/etc/passwd", "../gone.png", "../photos", ""):
            item = Item(f"to {path}", path)
            collection.add(vector, [item], fingerprint=collection.fingerprint)
    client = serve(root / "shop")
    for path, status in {
        "../secret.txt": 400,
        "/etc/passwd": 400,
        "../gone.png": 404,
        "../photos": 404,
        "": 404,
    }.items():
        id_ = quote(f"to {path}", safe="")
        answer = client.get(f"/v1/collections/shop/pictures/{id_}")
        refused(answer, status, "must be")
        assert "root:" not in answer.text
        assert str(root) not in answer.text
    assert client.get(f"{ITEMS}/to%20").json()["picture"] is None


def test_names_that_are_no_text_make_the_round_trip(serve: Serve, root: Path):
    ids_ = ["caf\udce9.png", "a b?c#d%2F&e", "<script>", "雪/\u202e.png", "a//b", "x/picture"]
    with DiskCollection.open(root / "shop", write=True) as collection:
        vectors = np.repeat(collection.vector("red/0.png")[None], len(ids_), axis=0)
        items = [Item(one, "../photos/red/0.png") for one in ids_]
        collection.add(vectors, items, fingerprint=collection.fingerprint)
    client = serve(root / "shop")
    listed = client.get(ITEMS, params={"limit": 1000}).json()["items"]
    found = {json.loads(json.dumps(one["id"])): one["picture"] for one in listed}
    for one in ids_:
        assert client.get(found[one]).status_code == 200
        assert client.get(found[one].replace("pictures", "items")).json()["id"] == one
    assert set(ids_) < set(ids(client.post(SEARCH, json={"id": "red/0.png", "k": 16})))


def test_an_added_photo_is_found_at_once_and_kept_without_metadata(serve: Serve, root: Path):
    client = serve(root / "shop", writable=True)
    image = Image.open(io.BytesIO(picture()))
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "the owner", 6
    memory = io.BytesIO()
    image.save(memory, "JPEG", exif=exif, quality=90)
    payload = {"price": 7, "tags": ["new"]}
    answer = add(client, "new/1", memory.getvalue(), label="new", payload=json.dumps(payload))
    assert answer.status_code == 201, answer.text
    assert answer.json()["items"] == 17
    hits = client.post(SEARCH, files={"photo": memory.getvalue()}).json()["hits"]
    assert (hits[0]["id"], hits[0]["label"], hits[0]["payload"]) == ("new/1", "new", payload)
    assert hits[0]["score"] > 0.99
    (kept,) = (root / "shop" / "pictures").iterdir()
    assert b"the owner" not in kept.read_bytes()
    assert Image.open(io.BytesIO(kept.read_bytes())).size == (72, 80)  # upright
    assert client.get(hits[0]["picture"]).status_code == 200
    with DiskCollection.open(root / "shop") as collection:
        row = next(iter(collection.blocks()))[0][-1]
        assert row.content == hashlib.sha256(kept.read_bytes()).digest()
        assert collection.verify() == []


def test_what_is_added_is_what_indexing_would_add(serve: Serve, root: Path):
    client = serve(root / "shop", writable=True)
    add(client, "new")
    (kept,) = (root / "shop" / "pictures").iterdir()
    with DiskCollection.open(root / "shop") as collection:
        sent = collection.vector("new")
    encoder = open_encoder(root / "pair")
    with DiskCollection.create(
        root / "again", dim=encoder.dim, fingerprint=encoder.fingerprint()
    ) as again:
        build_collection(again, [Entry("new", kept.name)], kept.parent, encoder, runtime="eager")
        np.testing.assert_allclose(again.vector("new"), sent, atol=1e-6)


def test_replacing_needs_to_be_said(serve: Serve, root: Path):
    client = serve(root / "shop", writable=True)
    add(client, "new")
    refused(add(client, "new"), 409, "id must be a new one; got 'new'", "replace=true")
    (before,) = (root / "shop" / "pictures").iterdir()
    answer = add(client, "new", picture(colour="#1f1", form="JPEG"), replace="true", label="l")
    assert answer.json()["items"] == 17
    (after,) = (root / "shop" / "pictures").iterdir()
    assert (before.suffix, after.suffix) == (".png", ".jpg")
    assert client.get(f"{ITEMS}/new").json()["label"] == "l"


def test_removed_items_are_gone_and_only_our_pictures_with_them(serve: Serve, root: Path):
    client = serve(root / "shop", writable=True)
    add(client, "new")
    assert client.delete(f"{ITEMS}/new").json()["items"] == 16
    assert list((root / "shop" / "pictures").iterdir()) == []
    refused(client.get(f"{ITEMS}/new"), 404, "got 'new'")
    refused(client.delete(f"{ITEMS}/new"), 404, "got 'new'")
    answer = client.delete(ITEMS, params={"id": ["red/0.png", "red/1.png"]})
    assert answer.json()["items"] == 14
    assert (root / "photos" / "red/0.png").exists()
    refused(client.delete(ITEMS, params={"id": ["red/2.png", "gone"]}), 404, "got 'gone'")
    refused(client.delete(ITEMS), 400, "id must be")
    assert client.get(ITEMS).json()["total"] == 14
    found = ids(client.post(SEARCH, json={"id": "red/2.png", "k": 100}))
    assert len(found) == 13


def test_nothing_is_written_unless_it_is_allowed(shop: TestClient, made: Path):
    refused(add(shop, "new"), 403, "shop must be served for writing", "--writable")
    refused(shop.delete(f"{ITEMS}/red/0.png"), 403, "--writable")
    refused(shop.delete(ITEMS, params={"id": "red/0.png"}), 403, "--writable")
    assert shop.get(ITEMS).json()["total"] == 16


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "id must be"),
        ({"id": ""}, "id must be"),
        ({"id": "a" * 1025}, "id must be"),
        ({"id": "a\0b"}, "must have no NUL character"),
        ({"id": "a", "payload": "[1]"}, "payload must be a JSON object"),
        ({"id": "a", "payload": '{"x": NaN}'}, "payload must be whole JSON"),
        ({"id": "a", "payload": '{"x":' * 70 + "1" + "}" * 70}, "nested at most 64 levels"),
        ({"id": "a", "payload": '{"x":' * 5000 + "1" + "}" * 5000}, "payload must be nested"),
        ({"id": "a", "payload": json.dumps({"x": "y" * 70_000})}, "at most 65,536 bytes"),
        ({"id": "a", "path": "/etc/passwd"}, "no field called 'path'"),
        ({"id": "a", "replace": "perhaps"}, "replace must be"),
    ],
)
def test_fields_of_a_new_item_are_checked(
    serve: Serve, root: Path, fields: dict[str, str], words: str
):
    client = serve(root / "shop", writable=True)
    refused(client.post(ITEMS, files={"photo": picture()}, data=fields), 400, words)
    assert client.get(ITEMS).json()["total"] == 16
    assert not (root / "shop" / "pictures").exists() or not list(
        (root / "shop" / "pictures").iterdir()
    )


def test_a_failed_write_leaves_no_picture_and_the_next_one_works(
    serve: Serve, root: Path, monkeypatch: pytest.MonkeyPatch
):
    client = serve(root / "shop", writable=True)
    add(client, "first")
    with monkeypatch.context() as patch:
        from indexer.store import Store

        def full(*_: Any) -> None:
            raise StorageError(f"{root} must have room; got none.")

        patch.setattr(Store, "write", full)
        answer = add(client, "new")
    refused(answer, 503, "the collection must be in order; got storage")
    assert str(root) not in answer.text
    assert len(list((root / "shop" / "pictures").iterdir())) == 1
    assert add(client, "new").status_code == 201
    assert client.get(ITEMS).json()["total"] == 18


def test_a_reader_sees_what_another_process_has_added(serve: Serve, root: Path):
    client = serve(root / "shop")
    before = client.get("/v1/collections/shop").json()
    with DiskCollection.open(root / "shop", write=True) as collection:
        collection.remove(["red/0.png"])
    after = client.get("/v1/collections/shop").json()
    assert (before["items"], after["items"]) == (16, 15)
    assert after["generation"] > before["generation"]
    refused(client.post(SEARCH, json={"id": "red/0.png"}), 404, "got 'red/0.png'")


def test_a_collection_made_anew_takes_the_place(serve: Serve, root: Path):
    import shutil

    from ui.building import create_or_resume_folder

    client = serve(root / "shop")
    pair = open_encoder(root / "pair")
    with create_or_resume_folder(root / "anew", pair, EngineChoice("exact")) as collection:
        entries = [Entry("one", "red/0.png")]
        build_collection(collection, entries, root / "photos", pair, runtime="eager")
    shutil.rmtree(root / "shop")
    refused(client.get(ITEMS), 503, "the collection must be in order")
    refused(client.get("/v1/health"), 503, "collections must be in order")
    (root / "anew").rename(root / "shop")
    assert [one["id"] for one in client.get(ITEMS).json()["items"]] == ["one"]
    assert client.get("/v1/health").status_code == 200


def test_a_damaged_collection_is_not_answered_from(serve: Serve, root: Path):
    client = serve(root / "shop")
    with DiskCollection.open(root / "shop", write=True) as collection:
        collection.remove(["red/0.png"])
    path = root / "shop" / "collection.sqlite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    answer = client.post(SEARCH, json={"id": "red/1.png"})
    refused(answer, 503, "got damaged-data")
    assert str(root) not in answer.text


def test_searches_go_on_while_items_come_and_go(serve: Serve, root: Path):
    """Every answer is of one generation: no half of a change, no item twice, no error."""
    client = serve(root / "shop", writable=True)
    stop, answers = threading.Event(), []
    rerank = {"rerank": "k_reciprocal:k1=4,k2=2,candidates=8"}

    def search() -> None:
        while not stop.is_set():
            for extra in ({}, rerank):
                answers.append(client.post(SEARCH, json={"id": "grey/0.png", "k": 100, **extra}))

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(6):
        assert add(client, f"new {number}", picture(colour=f"#{number}00")).status_code == 201
    gone = {"id": [f"new {number}" for number in range(6)]}
    assert client.delete(ITEMS, params=gone).json()["items"] == 16
    stop.set()
    for thread in threads:
        thread.join()
    assert len(answers) > 3
    for answer in answers:
        found = ids(answer)
        assert len(set(found)) == len(found)
        assert len([one for one in found if not one.startswith("new")]) == 15


def test_two_servers_cannot_write(serve: Serve, root: Path):
    from retrieval.errors import BusyError

    serve(root / "shop", writable=True)
    with pytest.raises(BusyError, match="shop"):
        Shelf(root / "shop", open_encoder(root / "pair"), writable=True)
    assert serve(root / "shop").get(ITEMS).json()["total"] == 16


def test_photos_of_a_folder_are_shown_from_where_they_are(shop: TestClient, made: Path):
    sent = shop.post(SEARCH, files=photo(made, "red/0.png")).json()["hits"][0]
    assert shop.get(sent["picture"]).content[:2] == b"\xff\xd8"
