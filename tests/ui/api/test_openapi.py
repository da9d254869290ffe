"""What the server says of itself is so."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ui.api.queries import Query


@pytest.fixture
def described(shop: TestClient) -> dict[str, Any]:
    answer = shop.get("/v1/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from references(one)


def test_every_reference_leads_somewhere(described: dict[str, Any]):
    assert described["openapi"].startswith("3.1")
    found = set(references(described))
    assert found
    for one in found:
        place: Any = described
        for part in one.removeprefix("#/").split("/"):
            place = place[part]
        assert place["type"] == "object"


def test_every_operation_is_described(described: dict[str, Any]):
    operations = {
        (method, path): operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    base = "/v1/collections/{name}"
    assert set(operations) == {
        ("get", "/v1/health"),
        ("get", "/v1/collections"),
        ("get", base),
        ("post", f"{base}/search"),
        ("post", f"{base}/classify"),
        ("get", f"{base}/items"),
        ("post", f"{base}/items"),
        ("delete", f"{base}/items"),
        ("get", f"{base}/items/{{id}}"),
        ("delete", f"{base}/items/{{id}}"),
        ("get", f"{base}/pictures/{{id}}"),
    }
    assert len({one["operationId"] for one in operations.values()}) == len(operations)
    for (_, path), one in operations.items():
        assert one["summary"]
        assert one["description"]
        assert "422" not in one["responses"]
        assert {"400", "401", "404", "429"} <= set(one["responses"])
        named = {part["name"] for part in one.get("parameters", []) if part["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
    for path in ("search", "classify"):
        body = operations["post", f"{base}/{path}"]["requestBody"]["content"]
        assert set(body) == {"multipart/form-data", "application/json"}


def test_examples_are_questions_one_may_ask(described: dict[str, Any]):
    search = described["paths"]["/v1/collections/{name}/search"]["post"]
    examples = search["requestBody"]["content"]["application/json"]["examples"]
    assert len(examples) == 4
    for one in examples.values():
        Query.model_validate(one["value"]).check()
