"""Labels and none of these, over HTTP."""

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from indexer.disk import DiskCollection
from retrieval.nearest_labels import NearestLabels
from retrieval.openset import Openset
from tests.ui.api.conftest import Serve, photo
from tests.ui.api.test_search import refused

CLASSIFY = "/v1/collections/shop/classify"


def test_labels_are_those_of_the_nearest_photos(shop: TestClient, opened: DiskCollection):
    vector = opened.vectors[3] + 0.4 * opened.vectors[9]
    vector = (vector / np.linalg.norm(vector))[None]
    names = sorted({item.label for item in opened.items})
    targets = np.array([names.index(item.label) for item in opened.items])
    want = NearestLabels.fit(opened.vectors, targets).probabilities(vector)
    answer = shop.post(CLASSIFY, json={"vector": (3 * vector[0]).tolist()}).json()
    likely = [
        {"label": names[target], "probability": pytest.approx(share, abs=2e-6)}
        for target, share in zip(want.labels[0], want.probabilities[0], strict=True)
        if target >= 0
    ]
    assert answer["labels"] == likely
    assert answer["none"] == pytest.approx(want.none[0], abs=2e-6)
    total = answer["none"] + sum(one["probability"] for one in answer["labels"])
    assert total == pytest.approx(1, abs=1e-5)
    p = Openset.fit(opened.vectors, targets).p_values(vector).p[0]
    assert answer["p_value"] == pytest.approx(p, abs=1e-6)


def test_a_photo_of_the_gallery_fits(shop: TestClient, made: Path):
    answer = shop.post(CLASSIFY, files=photo(made, "green/1.png")).json()
    assert answer["p_value"] == 1
    assert answer["none"] < 0.5


def test_a_generation_has_its_own_labels(serve: Serve, root: Path):
    client = serve(root / "shop", writable=True)
    assert client.post(CLASSIFY, files=photo(root)).status_code == 200
    gone = [f"{label}/{number}.png" for label in ("red", "green") for number in range(4)]
    client.delete("/v1/collections/shop/items", params={"id": gone})
    answer = client.post(CLASSIFY, files=photo(root)).json()
    assert {one["label"] for one in answer["labels"]} <= {"blue", "grey"}


def test_without_labels_there_is_nothing_to_say(serve: Serve, root: Path):
    client = serve(root / "shop", writable=True)
    gone = [f"{label}/{number}.png" for label in ("red", "green", "blue") for number in range(4)]
    gone += [f"grey/{number}.png" for number in range(1, 4)]
    client.delete("/v1/collections/shop/items", params={"id": gone})
    answer = client.post(CLASSIFY, files=photo(root))
    refused(answer, 400, "must have a label with two items to classify with")


def test_only_photos_are_classified(shop: TestClient, made: Path):
    sketch = {"sketch": photo(made)["photo"]}
    refused(shop.post(CLASSIFY, files=sketch), 400, "a file called photo; got 'sketch'")
    refused(shop.post(CLASSIFY, json={"id": "red/0.png"}), 400, "vector must be")
    refused(shop.post(CLASSIFY, json={"vector": [1.0]}), 400, "vector must have")
    refused(shop.post(CLASSIFY, files=photo(made), data={"k": "1"}), 400, "no field called 'k'")
