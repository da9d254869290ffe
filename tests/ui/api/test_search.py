"""Searching over HTTP: the answers are those of the collection."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw

from indexer.choice import EngineChoice
from indexer.disk import DiskCollection
from indexer.filters import Equal
from indexer.reranked import reranked_search
from retrieval.data import Modality
from retrieval.drawing_files import format_called
from retrieval.encoder_folders import open_encoder
from retrieval.encoding import encode_drawings, encode_files
from retrieval.reranking import k_reciprocal
from tests.ui.api.conftest import STROKES, Serve, photo

SEARCH = "/v1/collections/shop/search"


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["hits"]]


def refused(answer: Any, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    for word in words:
        assert word in answer.json()["error"]
    assert "Traceback" not in answer.text


def expected(opened: DiskCollection, vectors: Any, k: int, **options: Any) -> list[str]:
    found = opened.search(vectors, k, fingerprint=opened.fingerprint, **options)[0]
    return [hit.item.id for hit in found]


def test_a_photo_finds_what_the_collection_finds(
    shop: TestClient, made: Path, opened: DiskCollection
):
    answer = shop.post(SEARCH, files=photo(made, "blue/2.png"), data={"k": "5"})
    encoded = encode_files(
        open_encoder(made / "pair"), [made / "photos" / "blue/2.png"], modality=Modality.PHOTO
    )
    want = opened.search(encoded.vectors, 5, fingerprint=opened.fingerprint)[0]
    assert answer.json() == {
        "generation": opened.generation,
        "hits": [
            {
                "rank": hit.rank,
                "score": pytest.approx(hit.score, abs=2e-6),
                "id": hit.item.id,
                "label": hit.item.label,
                "payload": hit.item.payload,
                "picture": f"/v1/collections/shop/pictures/{hit.item.id.replace('/', '%2F')}",
            }
            for hit in want
        ],
    }
    assert want[0].item.id == "blue/2.png"


def test_strokes_and_a_sketch_enter_by_their_door(
    shop: TestClient, made: Path, opened: DiskCollection
):
    encoder = open_encoder(made / "pair")
    drawing = format_called("canvas").drawing(STROKES)
    want = expected(opened, encode_drawings(encoder, [drawing]).vectors, 16)
    assert ids(shop.post(SEARCH, json={"drawing": STROKES, "k": 16})) == want
    memory = io.BytesIO()
    drawing.raster(64).save(memory, "PNG")
    sent = shop.post(SEARCH, files={"sketch": memory.getvalue()}, data={"k": "16"})
    assert ids(sent) == want


def test_more_like_this_leaves_it_out(shop: TestClient, opened: DiskCollection):
    want = expected(opened, opened.vector("red/1.png")[None], 16)[1:]
    answer = shop.post(SEARCH, json={"id": "red/1.png", "k": 16})
    assert ids(answer) == want
    assert [hit["rank"] for hit in answer.json()["hits"]] == list(range(1, 16))


def test_a_vector_is_scaled(shop: TestClient, opened: DiskCollection):
    vector = opened.vector("grey/0.png")
    want = expected(opened, vector[None], 4)
    assert ids(shop.post(SEARCH, json={"vector": (7 * vector).tolist(), "k": 4})) == want


def test_positive_and_negative_items_are_means(shop: TestClient, opened: DiskCollection):
    positive, negative = ["red/0.png", "red/1.png"], ["blue/0.png", "blue/3.png", "grey/1.png"]
    total = [0.0] * opened.dim
    for group, sign in ((positive, 1), (negative, -1)):
        for one in group:
            for place, value in enumerate(opened.vector(one).tolist()):
                total[place] += sign * value / len(group)
    norm = sum(value * value for value in total) ** 0.5
    vector = np.array([[value / norm for value in total]], np.float32)
    want = [one for one in expected(opened, vector, 16) if one not in positive + negative]
    asked = {"positive": positive, "negative": negative, "k": 16}
    assert ids(shop.post(SEARCH, json=asked)) == want


def test_pages_join_to_one_list(shop: TestClient):
    whole = shop.post(SEARCH, json={"id": "red/1.png", "k": 16}).json()["hits"]
    pages = [
        hit
        for offset in (0, 6, 12)
        for hit in shop.post(SEARCH, json={"id": "red/1.png", "k": 6, "offset": offset}).json()[
            "hits"
        ]
    ]
    assert pages == whole


def test_conditions_leave_out(shop: TestClient, made: Path, opened: DiskCollection):
    vector = opened.vector("red/1.png")[None]
    want = expected(opened, vector, 4, where=Equal("label", "green"))
    where = {"field": "label", "equal": "green"}
    asked = {"vector": vector[0].tolist(), "where": where}
    assert ids(shop.post(SEARCH, json=asked)) == want
    sent = shop.post(SEARCH, files=photo(made, "red/1.png"), data={"where": json.dumps(where)})
    assert ids(sent) == want


def test_hits_are_reranked(shop: TestClient, made: Path, opened: DiskCollection):
    vector = opened.vector("red/1.png")[None]
    method = k_reciprocal.KReciprocal(k1=4, k2=2, candidates=12)
    encoder = open_encoder(made / "pair")
    found = reranked_search(opened, encoder, vector, [], 16, method)[0]
    asked = {"id": "red/1.png", "k": 16, "rerank": "k_reciprocal:k1=4,k2=2,candidates=12"}
    want = [hit.item.id for hit in found if hit.item.id != "red/1.png"]
    assert ids(shop.post(SEARCH, json=asked)) == want
    assert want != ids(shop.post(SEARCH, json={"id": "red/1.png", "k": 16}))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"id": "red/1.png", "k": 0}, "k must be greater than or equal to 1; got 0"),
        ({"id": "red/1.png", "k": "ten"}, "k must be a valid integer"),
        ({"id": "red/1.png", "k": 1001}, "k must be less than or equal to 1000; got 1001"),
        ({"id": "red/1.png", "k": 10, "offset": 9999}, "at most 10000 in offset + k"),
        ({"id": "red/1.png", "key": 1}, "no field called 'key'"),
        ({"id": "red/1.png", "vector": [1]}, "searched by one of drawing, id, vector, positive"),
        ({}, "searched by one of drawing, id, vector, positive"),
        ({"id": "red/1.png", "negative": ["a"]}, "searched by positive items"),
        ({"vector": [1, 2]}, "vector must have"),
        ({"vector": [0.0] * 4}, "vector must have"),
        ({"vector": ["a"]}, "vector.0 must be a valid number"),
        ({"positive": ["red/1.png"], "negative": ["red/1.png"]}, "must have a direction"),
        ({"drawing": {"strokes": []}}, "drawing must be"),
        ({"drawing": {"strokes": [{"p": [[1, "a"]]}]}}, "drawing must be a drawing whose stroke 0"),
        ({"drawing": {"strokes": 3}}, 'drawing must be a drawing whose "strokes" is a list'),
        ({"id": "red/1.png", "where": {"and": []}}, "and must have conditions"),
        ({"id": "red/1.png", "where": {"field": "price", "in": 3}}, "'price' must be compared by"),
        ({"id": "red/1.png", "rerank": "magic"}, "called 'magic'"),
        ({"id": "red/1.png", "rerank": "local_max_sim"}, "works on vectors"),
        ({"id": "red/1.png", "rerank": "k_reciprocal:candidates=5000"}, "1000 hits or fewer"),
    ],
)
def test_a_question_that_means_nothing_is_explained(
    shop: TestClient, asked: dict[str, Any], words: str
):
    refused(shop.post(SEARCH, json=asked), 400, words)


def test_a_zero_vector_has_no_direction(shop: TestClient, opened: DiskCollection):
    asked = {"vector": [0.0] * opened.dim}
    refused(shop.post(SEARCH, json=asked), 400, "vector must have a direction")


@pytest.mark.parametrize("asked", [{"id": "gone"}, {"positive": ["red/0.png", "gone"]}])
def test_an_unknown_item_is_not_found(shop: TestClient, asked: dict[str, Any]):
    refused(shop.post(SEARCH, json=asked), 404, "got 'gone', which is not in the collection")


def test_an_encoder_of_photos_takes_no_sketch(serve: Serve, root: Path):
    from retrieval.encoder import build_encoder
    from ui.building import create_or_resume_folder

    encoder = build_encoder("small", size=64, dim=12)
    create_or_resume_folder(root / "other", encoder, EngineChoice("exact")).close()
    client = serve(root / "other")
    assert client.get("/v1/collections/other").json()["sketches"] is False
    answer = client.post("/v1/collections/other/search", json={"drawing": STROKES})
    refused(answer, 400, "must have an encoder with a door for sketches")
    answer = client.post("/v1/collections/other/search", files=photo(root))
    assert ids(answer) == []  # an empty collection


def test_a_blank_sketch_is_refused(shop: TestClient):
    memory = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(memory, "PNG")
    refused(shop.post(SEARCH, files={"sketch": memory.getvalue()}), 400, "blank")


def test_a_transparent_canvas_keeps_its_lines(shop: TestClient):
    lines = []
    for mode, paper in (("RGBA", (0, 0, 0, 0)), ("RGB", "white")):
        image = Image.new(mode, (64, 64), paper)
        ImageDraw.Draw(image).line((5, 8, 50, 40), fill="black", width=3)
        memory = io.BytesIO()
        image.save(memory, "PNG")
        lines.append(shop.post(SEARCH, files={"sketch": memory.getvalue()}).json()["hits"])
    assert lines[0] == lines[1]
