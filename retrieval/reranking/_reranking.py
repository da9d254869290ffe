"""What every re-ranking offers, and what it is told."""

import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError
from ..neighbours import Neighbours

if TYPE_CHECKING:  # imports PyTorch
    from ..local_descriptors import LocalDescriptors


@dataclass(frozen=True, eq=False)
class Gallery:
    """Where was searched.

    Attributes:
        vectors: (G, D) float32, rows of norm 1.
        neighbours: Nearest others of each image, ``depth`` of the method and as many more as one
            query leaves out.
        maps: Local descriptors by position, for methods that need them.
    """

    vectors: NDArray[np.float32]
    neighbours: Neighbours
    maps: "LocalDescriptors | None" = None


@dataclass(frozen=True, eq=False)
class Query:
    """One query and the hits of the first search.

    Attributes:
        vector: (D,) float32 of norm 1.
        nearest: (F,) int64 positions in the gallery, best first: the candidates, and more where the
            method looks further.
        scores: (F,) float32 their cosine similarity.
        count: N, how many of them are candidates.
        left_out: (H,) int64 positions that are not there for this query: itself and its copies.
            They are among nobody's neighbours.
        position: Its row among the queries, for ``maps``.
        maps: Local descriptors of the queries.
    """

    vector: NDArray[np.float32]
    nearest: NDArray[np.int64]
    scores: NDArray[np.float32]
    count: int
    left_out: NDArray[np.int64]
    position: int = 0
    maps: "LocalDescriptors | None" = None

    @property
    def candidates(self) -> NDArray[np.int64]:
        """(N,) What is to be put into another order."""
        return self.nearest[: self.count]


class Reranking(ABC):
    """Scores the first hits of a query again.

    A part keeps each option of its ``__init__`` under the option's name. It has no state: an answer
    depends on the query and the gallery, never on other queries.

    Attributes:
        needs_maps: Whether it compares local descriptors.
    """

    needs_maps: bool = False

    def __init__(self, candidates: int) -> None:
        if candidates < 1:
            raise BadInputError(f"candidates must be at least 1; got {candidates}.")
        self.candidates = candidates

    @property
    def depth(self) -> int:
        """How many neighbours of the query and of gallery images are looked at."""
        return 0

    @abstractmethod
    def scores(self, query: Query, gallery: Gallery) -> NDArray[np.float64]:
        """(N,) of the candidates, in [-1, 1], larger is nearer."""

    def settings(self) -> dict[str, Any]:
        """Plain values that make this part again: the file's name and every option."""
        options = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        return {"name": type(self).__module__.rsplit(".", 1)[-1], **options}

    def __str__(self) -> str:
        """As one writes it on the command line, without what is at its default."""
        chosen = [
            f"{name}={str(value).lower() if isinstance(value, bool) else value}"
            for name, parameter in inspect.signature(type(self)).parameters.items()
            if (value := getattr(self, name)) != parameter.default
        ]
        name = self.settings()["name"]
        return f"{name}:{','.join(chosen)}" if chosen else str(name)


def check_range(name: str, value: float, low: float, high: float = np.inf) -> None:
    """Raise unless an option is a number in [low, high]."""
    if not low <= value <= high or value == np.inf:
        want = f"in [{low}, {high}]" if high < np.inf else f"at least {low} and finite"
        raise BadInputError(f"{name} must be {want}; got {value}.")
