"""The JSON of answers: what is in them, and how they are written."""

import json
from typing import Any
from urllib.parse import quote

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from indexer.collection import Item, SearchHit


class Json(JSONResponse):
    """JSON in ASCII: an id that is no UTF-8 makes the round trip as well."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class ErrorAnswer(BaseModel):
    """What went wrong."""

    error: str = Field(examples=["k must be greater than or equal to 1; got 0."])


class HealthAnswer(BaseModel):
    """Every collection and its encoder are open."""

    status: str = Field(examples=["ready"])
    collections: int = Field(examples=[1])


class CollectionAnswer(BaseModel):
    """Facts of a collection."""

    name: str = Field(examples=["shop"])
    items: int = Field(examples=[419])
    dim: int = Field(description="Length of a vector.", examples=[512])
    engine: str = Field(examples=["exact"])
    encoder: str = Field(description="Fingerprint of the encoder.", examples=["9f2c..."])
    generation: int = Field(description="Counts the changes.", examples=[14])
    sketches: bool = Field(description="Whether it can be searched by sketch.")
    writable: bool = Field(description="Whether items can be added and removed.")


class CollectionsAnswer(BaseModel):
    """All collections that are served."""

    collections: list[CollectionAnswer]


class ItemAnswer(BaseModel):
    """One item."""

    id: str = Field(examples=["boots/17.jpg"])
    label: str = Field(description="Empty when unknown.", examples=["boot"])
    payload: dict[str, Any] = Field(examples=[{"price": 40}])
    picture: str | None = Field(examples=["/v1/collections/shop/pictures/boots%2F17.jpg"])


class HitAnswer(ItemAnswer):
    """One answer of a search."""

    rank: int = Field(description="1 for the best.", examples=[1])
    score: float = Field(description="Cosine similarity, larger is nearer.", examples=[0.8312])


class SearchAnswer(BaseModel):
    """Hits, best first."""

    generation: int = Field(description="Of the collection that was searched.", examples=[14])
    hits: list[HitAnswer]


class ItemsAnswer(BaseModel):
    """A page of items."""

    generation: int = Field(examples=[14])
    total: int = Field(description="Items that there are, or that match.", examples=[419])
    items: list[ItemAnswer]


class WrittenAnswer(BaseModel):
    """A change that is durable."""

    generation: int = Field(examples=[15])
    items: int = Field(description="Left in the collection.", examples=[420])


class LabelAnswer(BaseModel):
    """A label and how sure it is."""

    label: str = Field(examples=["boot"])
    probability: float = Field(examples=[0.91])


class ClassifyAnswer(BaseModel):
    """Labels of the nearest photos, most likely first, and whether any of them fits."""

    model_config = ConfigDict(
        json_schema_extra={"description": "The probabilities and `none` sum to 1."}
    )

    generation: int = Field(examples=[14])
    labels: list[LabelAnswer]
    none: float = Field(description="Probability of none of the labels.", examples=[0.03])
    p_value: float = Field(
        description="Where it is at most alpha, say none of these: at most a share alpha of photos "
        "of known classes is then refused wrongly.",
        examples=[0.42],
    )


def item_answer(name: str, item: Item) -> dict[str, Any]:
    """An item of the collection ``name`` as JSON."""
    return {
        "id": item.id,
        "label": item.label,
        "payload": dict(item.payload),
        "picture": picture_address(name, item) if item.path else None,
    }


def hit_answer(name: str, hit: SearchHit, rank: int) -> dict[str, Any]:
    """A hit as JSON."""
    score = round(float(hit.score), 6)
    return {"rank": rank, "score": score, **item_answer(name, hit.item)}


def picture_address(name: str, item: Item) -> str:
    """Where an item's picture can be had."""
    return f"/v1/collections/{name}/pictures/{quote(item.id, safe='', errors='surrogateescape')}"


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        400: "Something in the request is not what it must be",
        401: "The API key is missing or wrong",
        403: "Not from this host or origin, or the server is not writable",
        404: "There is no such collection or item",
        408: "The body did not arrive in time",
        413: "The body is too large",
        415: "The body is of another content type",
        429: "Too many requests; Retry-After says when to come back",
        503: "The collection cannot be read now",
    }.items()
}
"""What every endpoint may answer."""
