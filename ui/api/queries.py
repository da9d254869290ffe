"""What a search asks for, and how it becomes hits."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from indexer.collection import SearchHit, Vectors
from indexer.disk import DiskCollection
from indexer.filter_records import condition_of
from indexer.filters import Condition
from indexer.reranked import reranked_search
from retrieval.data import Modality
from retrieval.errors import BadInputError
from retrieval.reranking import Reranking
from ui import options

from .errors import RequestError
from .limits import Limits
from .service import Service
from .shelf import Shelf

LIMITS = Limits()

_WAYS = ("drawing", "id", "vector", "positive")

DRAWING = {"width": 256, "height": 256, "strokes": [{"p": [[40, 60], [200, 60], [120, 190]]}]}


class Answered(BaseModel):
    """How hits are chosen and cut, however one searches."""

    model_config = ConfigDict(extra="forbid")

    k: int = Field(10, ge=1, le=LIMITS.hits, description="Hits to send.")
    offset: int = Field(
        0, ge=0, le=LIMITS.window, description="Hits to leave out before these; for paging."
    )
    where: dict[str, Any] | None = Field(
        None,
        description="Only items that this condition holds for; see docs/filters.md.",
        examples=[{"field": "price", "lt": 50}],
    )
    rerank: str | None = Field(
        None,
        max_length=500,
        description="Put the first hits into another order: a method of docs/reranking.md that "
        "works on vectors, with options after a colon.",
        examples=["k_reciprocal:k1=20"],
    )

    @model_validator(mode="after")
    def _in_window(self) -> "Answered":
        if self.offset + self.k > LIMITS.window:
            raise ValueError(f"at most {LIMITS.window} in offset + k")
        return self

    def check(self) -> None:
        """Raise unless the condition and the re-ranking are ones, before there is any work."""
        self.condition()
        self.reranking()

    def condition(self) -> Condition | None:
        """What ``where`` says."""
        return None if self.where is None else condition_of(self.where)

    def reranking(self) -> Reranking | None:
        """What ``rerank`` says.

        Raises:
            BadInputError: It is no method, or one that this door does not offer.
        """
        chosen = options.reranking(self.rerank)
        if chosen is None:
            return None
        if chosen.needs_maps:
            raise BadInputError(
                f"rerank must be a method that works on vectors; got {self.rerank}, which reads "
                "pictures again. Use fgir search for it."
            )
        if max(chosen.candidates, chosen.depth) > LIMITS.candidates:
            raise BadInputError(
                f"rerank must look at {LIMITS.candidates} hits or fewer; got {self.rerank}. "
                "Lower its options."
            )
        return chosen


class PhotoQuery(Answered):
    """Fields beside the picture in a form."""


class Query(Answered):
    """A search without a picture file: give one of drawing, id, vector and positive."""

    drawing: dict[str, Any] | None = Field(
        None, description="Strokes as in docs/sketches.md, canvas.", examples=[DRAWING]
    )
    id: str | None = Field(None, description="More like this item, which is left out.")
    vector: list[float] | None = Field(
        None, description="Made by the collection's encoder; scaled to norm 1."
    )
    positive: list[str] | None = Field(
        None,
        min_length=1,
        max_length=LIMITS.hits,
        description="More like these items: the mean of their vectors, less that of `negative`, "
        "scaled to norm 1. The items are left out.",
    )
    negative: list[str] = Field(
        [], max_length=LIMITS.hits, description="And less like these; only with `positive`."
    )

    @model_validator(mode="after")
    def _one_way(self) -> "Query":
        given = [name for name in _WAYS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"searched by one of {', '.join(_WAYS)}, not {len(given)} of them")
        if self.negative and self.positive is None:
            raise ValueError("searched by positive items where there are negative ones")
        return self


@dataclass(frozen=True)
class Asked:
    """A query as a vector.

    Attributes:
        vector: (1, D) float32 of norm 1.
        left_out: Ids of items that it is made of.
    """

    vector: Vectors
    left_out: frozenset[str] = frozenset()


def asked_by(query: Query, service: Service, shelf: Shelf, collection: DiskCollection) -> Asked:
    """The vector that a query means.

    Raises:
        BadInputError: It means none.
        RequestError: An item is not there.
    """
    if query.drawing is not None:
        return Asked(service.vector_of_drawing(shelf, query.drawing))
    if query.vector is not None:
        return Asked(scaled("vector", np.array(query.vector, np.float64), collection.dim))
    if query.id is not None:
        return Asked(_vectors(collection, [query.id]), frozenset([query.id]))
    positive = query.positive or []
    wanted = _vectors(collection, positive).astype(np.float64).mean(axis=0)
    if query.negative:
        wanted -= _vectors(collection, query.negative).astype(np.float64).mean(axis=0)
    vector = scaled("positive - negative", wanted, collection.dim)
    return Asked(vector, frozenset([*positive, *query.negative]))


def hits_of(
    query: Answered, asked: Asked, shelf: Shelf, collection: DiskCollection
) -> list[SearchHit]:
    """Hits of one page, best first."""
    reranking, where = query.reranking(), query.condition()
    end = query.offset + query.k
    fetched = end + len(asked.left_out)
    if reranking is None:
        found = collection.search(
            asked.vector, fetched, fingerprint=shelf.fingerprint, where=where
        )[0]
    else:
        found = reranked_search(
            collection,
            shelf.encoder,
            asked.vector,
            [],
            fetched,
            reranking,
            modality=Modality.PHOTO,
            where=where,
        )[0]
    return [hit for hit in found if hit.item.id not in asked.left_out][query.offset : end]


def _vectors(collection: DiskCollection, ids: list[str]) -> Vectors:
    for one in ids:
        if one not in collection:
            raise RequestError(
                404, f"id must be that of an item; got {one!r}, which is not in the collection."
            )
    return np.stack([collection.vector(one) for one in ids])


def scaled(name: str, vector: np.ndarray[Any, np.dtype[np.float64]], dim: int) -> Vectors:
    """A vector at norm 1, (1, D).

    Raises:
        BadInputError: It is of another length, or has no direction.
    """
    if vector.shape != (dim,):
        raise BadInputError(
            f"{name} must have {dim} numbers; got {len(vector)}. "
            "Make it with the collection's encoder."
        )
    norm = float(np.linalg.norm(vector))
    if not 1e-6 < norm < 1e30:
        raise BadInputError(
            f"{name} must have a direction; got a vector of norm {norm:g}. Give another one."
        )
    return (vector / norm).astype(np.float32)[None]
