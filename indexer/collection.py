"""What a collection is: one meaning of item, add, search and score for every engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .filters import Condition

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Item:
    """One gallery image as the collection remembers it.

    Attributes:
        id: Unique in the collection, any text.
        path: Where the picture is, POSIX; in a collection on disk relative to its folder, so that
            pictures of several folders can be in one collection and be found again.
        label: Class or product, empty when unknown.
        payload: What else is known of it; values as JSON has them.
    """

    id: str
    path: str = ""
    label: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One answer."""

    item: Item
    score: float  # cosine similarity in [-1, 1], larger is nearer, whatever the engine
    rank: int  # 1 for the best


class Collection(Protocol):
    """Gallery vectors of one encoder, searchable by cosine similarity."""

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of the encoder that made every vector."""
        ...

    def __len__(self) -> int:
        """Count the items."""
        ...

    def add(
        self, vectors: Vectors, items: Sequence[Item], *, fingerprint: str, replace: bool = False
    ) -> None:
        """Add N items with their vectors (N, dim), rows of norm 1; durable when it returns.

        ``replace`` overwrites items whose id is there already; without it they are an error and
        nothing is written. ``fingerprint`` names the encoder of the vectors.
        """
        ...

    def remove(self, ids: Sequence[str]) -> None:
        """Remove items by id; durable when it returns. An unknown id is an error."""
        ...

    def get(self, id: str) -> Item:
        """The item of this id. An unknown id is an error."""
        ...

    def search(
        self, queries: Vectors, k: int, *, fingerprint: str, where: "Condition | None" = None
    ) -> list[list[SearchHit]]:
        """For each row of ``queries`` (Q, dim) at most ``k`` hits, best first.

        Scores are rounded to 1e-6; equal ones are ordered by id. ``fingerprint`` names the encoder
        of the queries; another one than the collection's is refused. ``where`` leaves out items, as
        if they were not there; what it means is written in :mod:`indexer.filters`.
        """
        ...
