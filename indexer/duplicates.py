"""Items of a collection that show the same, told by their vectors and by the bytes of their files.

Where :mod:`retrieval.leaks` looks at thumbnails of any photos, this asks the collection's own
encoder: what it cannot tell apart, no search in this collection can.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from retrieval.errors import BadInputError
from retrieval.ranking import TIE

from .collection import Item, Vectors
from .disk import DiskCollection

_BLOCK_BYTES = 64 * 2**20
"""How much the scores of one block may take; what is found in it may take a few times that."""


@dataclass(frozen=True)
class Duplicate:
    """One item of a group.

    Attributes:
        item: The item.
        likeness: Cosine similarity to the first item of the group, rounded to 1e-6.
        identical: Whether another picture of the group is the same file byte for byte.
    """

    item: Item
    likeness: float
    identical: bool


def duplicate_groups(
    collection: DiskCollection,
    likeness: float = 0.98,
    *,
    on_progress: Callable[[int], None] = lambda count: None,
) -> list[list[Duplicate]]:
    """Groups of items that are connected by pairs of near or byte-identical pictures.

    Two items are a pair when the cosine similarity of their vectors, rounded to 1e-6 as in a
    search, is at least ``likeness``, or when their files are known to be the same. Within a group
    two items may be less alike than that: a chain of pairs connects them.

    Vectors are compared with those that come after them, a block at a time: N (N - 1) / 2 products
    in memory that does not grow with N^2.

    Args:
        collection: Open.
        likeness: Least similarity of a pair, in (0, 1].
        on_progress: Called with the number of items compared since the last call.

    Returns:
        Groups in the order of their first items, items in the order of the collection.

    Raises:
        BadInputError: A likeness outside of (0, 1].
    """
    if not 0 < likeness <= 1:
        raise BadInputError(f"likeness must be in (0, 1]; got {likeness}.")
    groups = connected(collection.vectors, likeness, _same_files(collection), on_progress)
    items = collection.items
    contents = [row.content for rows, _ in collection.blocks() for row in rows]
    return [_group(places, items, contents, collection.vectors) for places in groups]


def connected(
    vectors: Vectors,
    likeness: float,
    known: NDArray[np.int64],
    on_progress: Callable[[int], None] = lambda count: None,
    block_bytes: int = _BLOCK_BYTES,
) -> list[list[int]]:
    """Positions of vectors that pairs connect, in groups of two and more.

    Args:
        vectors: (N, D), rows of norm 1.
        likeness: Least similarity of a pair.
        known: (P, 2) further pairs.
        on_progress: Called with the number of vectors compared since the last call.
        block_bytes: Most that the scores of one block may take.
    """
    count = len(vectors)
    groups = _joined(np.arange(count), known)
    size = max(1, block_bytes // (4 * max(1, count)))
    for start in range(0, count, size):
        pairs = _near_pairs(vectors, start, min(start + size, count), likeness)
        if len(pairs):
            groups = _joined(groups, pairs)
        on_progress(min(size, count - start))
    return list(_members(groups))


def _near_pairs(vectors: Vectors, start: int, end: int, likeness: float) -> NDArray[np.int64]:
    """Pairs (P, 2) of one of rows ``start`` to ``end`` and a later row."""
    scores = vectors[start:end] @ vectors[start:].T  # (B, N - start)
    error = np.float32(1.01 * vectors.shape[1] * 2.0**-24 + TIE)  # of a float32 sum of D terms
    rows, columns = np.nonzero(scores >= np.float32(likeness) - error)
    later = columns > rows
    rows, columns = rows[later] + start, columns[later] + start
    # Near the threshold float32 cannot decide; elsewhere it has.
    near = scores[rows - start, columns - start] < np.float32(likeness) + error
    good = ~near
    good[near] = _likeness(vectors, rows[near], columns[near]) >= _rounded(likeness)
    return np.stack([rows[good], columns[good]], axis=1)


def _likeness(
    vectors: Vectors, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Similarity of pairs in float64, rounded as in a search; (P,)."""
    values = np.empty(len(rows))
    step = max(1, _BLOCK_BYTES // (16 * vectors.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        left, right = vectors[rows[part]].astype(np.float64), vectors[columns[part]]
        values[part] = np.einsum("nd,nd->n", left, right.astype(np.float64))
    return _rounded(np.clip(values, -1, 1))


def _rounded(values: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(np.rint(np.asarray(values) / TIE) * TIE)


def _joined(groups: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of N positions the first one it is connected with, after more pairs."""
    count = len(groups)
    rows = np.concatenate([np.arange(count), pairs[:, 0]])
    columns = np.concatenate([groups, pairs[:, 1]])
    graph = coo_matrix((np.ones(len(rows), bool), (rows, columns)), (count, count))
    _, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.asarray(first[labels], np.int64)


def _members(groups: NDArray[np.int64]) -> Iterator[list[int]]:
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    for part in np.split(order, starts[1:]):
        if len(part) > 1:
            yield part.tolist()


def _same_files(collection: DiskCollection) -> NDArray[np.int64]:
    """Pairs (P, 2) that connect items whose files are the same byte for byte."""
    first: dict[bytes, int] = {}
    pairs = []
    place = 0
    for rows, _ in collection.blocks():
        for row in rows:
            if row.content and first.setdefault(row.content, place) != place:
                pairs.append((first[row.content], place))
            place += 1
    return np.array(pairs, np.int64).reshape(-1, 2)


def _group(
    places: list[int], items: list[Item], contents: list[bytes], vectors: Vectors
) -> list[Duplicate]:
    chosen = np.array(places, np.int64)
    likeness = _likeness(vectors, np.full(len(chosen), chosen[0]), chosen).tolist()
    copies = Counter(contents[place] for place in places if contents[place])
    return [
        Duplicate(items[place], one, copies[contents[place]] > 1)
        for place, one in zip(places, likeness, strict=True)
    ]
