"""Exact search: the reference that every index is measured against."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape, check_unit_rows
from .errors import BadInputError

if TYPE_CHECKING:
    from torch import Tensor

TIE = 1e-6
"""Scores that agree when rounded to this are equal: float32 sums tell nothing finer apart."""

BLOCK_BYTES = 64 * 2**20
"""How much the scores of one block of queries may take."""

_TILE_QUERIES = 256  # that share one reading of the gallery
_CROWD = 4096  # candidates of one query above which one matrix product beats gathering them
_CROWD_ROWS = 32  # queries of that kind at once: each takes some forty bytes for every candidate


@dataclass(frozen=True)
class Ranking:
    """The K best gallery images for each of Q queries, best first.

    Attributes:
        indices: (Q, K) int64 positions in the gallery.
        scores: (Q, K) float32 cosine similarity to six decimals, never rising along a row.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float32]


def rank(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    k: int,
    *,
    same_images: bool = False,
) -> Ranking:
    """Rank the gallery for every query by cosine similarity, exactly.

    A hit's score is the product of the two rows in float64, rounded to six decimals; equal scores
    are ordered by gallery position. So an answer depends neither on the number of threads, nor on
    how many queries are asked at once, nor on the order in which a processor adds: those change
    float32 sums in the seventh digit, enough to swap two copies of one picture.

    The work is done by float32 products, a block of queries at a time. They decide only what
    cannot be among the best k, with a margin for the largest error such a sum can have; what is
    left is scored again in float64.

    Args:
        queries: (Q, D) float32, rows of norm 1.
        gallery: (G, D) float32, rows of norm 1.
        k: Hits to keep; at most G, or G - 1 with ``same_images``.
        same_images: Query i is gallery image i and must not find itself.

    Returns:
        (Q, k) positions and scores.

    Raises:
        BadInputError: Rows that are not finite or not of norm 1, two widths, or ``k`` out of range.

    Example:
        >>> rows = np.eye(3, dtype=np.float32)
        >>> rank(rows[:1], rows, 2).indices  # the two wrong answers tie: position decides
        array([[0, 1]])
    """
    check_shape("queries", queries, ("Q", gallery.shape[-1]), "One encoder makes both.")
    check_unit_rows("queries", queries)
    check_unit_rows("gallery", gallery)
    if same_images:
        check_shape("queries", queries, gallery.shape, "same_images means one set of rows.")
    most = len(gallery) - same_images
    if not 1 <= k <= most:
        raise BadInputError(
            f"k must be in 1..{most}, the images a query can find; got {k}. Ask for fewer hits."
            if most > 0
            else "gallery must hold an image that a query can find; got none. Add images."
        )
    return Ranking(*best_of_gallery(queries, gallery, k, same_images=same_images))


def best_of_gallery(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    k: int,
    *,
    same_images: bool = False,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The work of :func:`rank`, for rows that were checked, among the ``allowed`` (G,) ones.

    Scores are computed for some queries and a part of the gallery at a time: many queries share
    one reading of the gallery, whose bytes cost more than the products when queries are few.

    Shape:
        queries (Q, D), gallery (G, D) -> positions (Q, k), scores (Q, k).
    """
    indices = np.empty((len(queries), k), np.int64)
    scores = np.empty((len(queries), k), np.float32)
    height = max(1, min(_TILE_QUERIES, len(queries)))
    for start, first, tile in _score_tiles(queries, gallery, height, BLOCK_BYTES // (4 * height)):
        rows = slice(start, start + len(tile))
        if first == 0:
            shortlist = _Shortlist(queries[rows], gallery, k)
        if same_images:
            itself = np.arange(start, start + len(tile)) - first  # its column, if in this tile
            here = np.flatnonzero((itself >= 0) & (itself < tile.shape[1]))
            tile[here, itself[here]] = -np.inf
        if allowed is not None:
            np.copyto(tile, -np.inf, where=~allowed[first : first + tile.shape[1]])
        shortlist.add(tile, first)
        if first + tile.shape[1] == len(gallery):
            indices[rows], scores[rows] = shortlist.best()
    return indices, scores


def score_blocks(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], most_rows: int | None = None
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Scores of all queries against all of the gallery, some queries at a time.

    The next block is computed while the caller works on this one.

    Args:
        queries: (Q, D) float32.
        gallery: (G, D) float32.
        most_rows: Queries in a block; as many as ``BLOCK_BYTES`` allows when left out.

    Yields:
        The first query's number, and (B, G) float32 scores. The array may be written to, and is
        used again for the block after the next.
    """
    fitting = max(1, BLOCK_BYTES // (4 * max(1, len(gallery))))
    size = min(fitting, most_rows or fitting, max(1, len(queries)))
    for start, _, block in _score_tiles(queries, gallery, size, len(gallery)):
        yield start, block


def _score_tiles(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], height: int, width: int
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """The first query's and the first column's number of a tile, and its scores.

    All tiles of some queries come before those of the next. The next tile is computed while the
    caller works on this one; its memory is used again for the tile after the next.
    """
    width = max(1, min(width, len(gallery)))
    starts = range(0, len(queries), height)
    corners = [(row, column) for row in starts for column in range(0, max(1, len(gallery)), width)]
    memory = np.empty((min(2, len(corners)), min(height, len(queries)) * width), np.float32)

    def scored(number: int) -> NDArray[np.float32]:
        row, column = corners[number]
        left, right = queries[row : row + height], gallery[column : column + width]
        out = memory[number % 2, : len(left) * len(right)].reshape(len(left), len(right))
        return _product(left, right, out)

    if len(corners) <= 1:  # starting a thread takes longer than a small gallery
        yield from ((row, column, scored(0)) for row, column in corners)
        return
    with ThreadPoolExecutor(1) as executor:
        ahead = executor.submit(scored, 0)
        for number, (row, column) in enumerate(corners, 1):
            tile = ahead.result()
            if number < len(corners):
                ahead = executor.submit(scored, number)
            yield row, column, tile


def _product(
    left: NDArray[np.float32], right: NDArray[np.float32], out: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``left @ right.T`` by PyTorch where it runs already, for its products are the fastest."""
    torch = sys.modules.get("torch")
    if torch is None or len(left) == 1:  # one row: memory decides, and numpy reads at its speed
        return np.matmul(left, right.T, out=out)
    torch.mm(_tensor(torch, left), _tensor(torch, right).T, out=torch.from_numpy(out))
    return out


def _tensor(torch: ModuleType, rows: NDArray[np.float32]) -> "Tensor":
    """A tensor over the same memory, said to be writable: PyTorch warns otherwise."""
    memory = np.ascontiguousarray(rows)
    facts = memory.__array_interface__ | {"data": (memory.ctypes.data, False)}
    tensor: Tensor = torch.from_numpy(np.asarray(SimpleNamespace(__array_interface__=facts)))
    return tensor


def best_of_block(
    block: NDArray[np.float32], queries: NDArray[np.float32], gallery: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k best of each row of a block, as :func:`rank` defines them.

    Args:
        block: (B, G) float32 scores; minus infinity where a pair is left out.
        queries: (B, D) float32, the rows that were scored.
        gallery: (G, D) float32.
        k: 1 to G.

    Returns:
        (B, k) positions and scores; -1 and minus infinity where a row has fewer than k left.
    """
    shortlist = _Shortlist(queries, gallery, k)
    shortlist.add(block, 0)
    return shortlist.best()


class _Shortlist:
    """What can be among the k best of each query, tile after tile of its scores.

    Args:
        queries: (B, D) float32.
        gallery: (G, D) float32, all of it.
        k: 1 to G.
    """

    def __init__(self, queries: NDArray[np.float32], gallery: NDArray[np.float32], k: int) -> None:
        self._queries, self._gallery, self._k = queries, gallery, k
        self._margin = np.float32(2 * _largest_error(gallery.shape[1]) + TIE)
        # (B, k) scores that different entries of each row reach; the first is the least
        self._reached = np.full((len(queries), k), -np.inf, np.float32)
        self._found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []

    def add(self, tile: NDArray[np.float32], first: int) -> None:
        """Take notice of the scores (B, W) of the gallery from ``first`` on."""
        maxima = _group_maxima(tile, self._k)
        reached = np.concatenate([self._reached, maxima], axis=1)
        last = reached.shape[1] - self._k
        self._reached = np.partition(reached, last, axis=1)[:, last:]
        rows, columns = _at_least(self._floor(), tile, maxima)
        crowded = np.bincount(rows, minlength=len(tile)) > max(_CROWD, 8 * self._k)
        if crowded.any():
            chosen = np.flatnonzero(crowded)
            part = self._gallery[first : first + tile.shape[1]]
            for start in range(0, len(chosen), _CROWD_ROWS):
                some = chosen[start : start + _CROWD_ROWS]
                best = _best_of_crowd(tile[some], self._queries[some], part, self._k)
                places, ranks = np.nonzero(best >= 0)
                self._keep(tile, some[places], best[places, ranks], first)
            rows, columns = rows[~crowded[rows]], columns[~crowded[rows]]
        self._keep(tile, rows, columns, first)

    def best(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """As :func:`best_of_block`."""
        indices = np.full(self._reached.shape, -1, np.int64)
        scores = np.full(self._reached.shape, -np.inf, np.float32)
        rows, columns, near = (np.concatenate(part) for part in zip(*self._found, strict=True))
        able = near >= self._floor()[rows]
        rows, columns = rows[able], columns[able]
        exact = np.round(_products(self._queries, self._gallery, rows, columns) / TIE) * TIE
        order = np.lexsort((columns, -exact, rows))
        rows, columns, exact = rows[order], columns[order], exact[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)  # 0 for the best of each row
        kept = place < self._k
        indices[rows[kept], place[kept]] = columns[kept]
        scores[rows[kept], place[kept]] = exact[kept]
        return indices, scores

    def _floor(self) -> NDArray[np.float32]:
        """(B,) A float32 score below which nothing can be among the k best."""
        floor = self._reached[:, 0] - self._margin
        return np.asarray(np.maximum(floor, np.finfo(np.float32).min))

    def _keep(
        self,
        tile: NDArray[np.float32],
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        first: int,
    ) -> None:
        self._found.append((rows, columns + first, tile[rows, columns]))


def _group_maxima(block: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """(B, M) The maxima of many small groups of entries of each row.

    The k-th largest of them is nearly as high as the k-th largest entry, and far cheaper to find.
    """
    groups = max(512, 8 * k)
    size = block.shape[1] // groups
    if size <= 1:
        return block
    # a group is a column of a (size, groups) table: that way around is fastest
    table = block[:, : size * groups].reshape(len(block), size, groups)
    return np.asarray(table.max(axis=1))


def _at_least(
    floor: NDArray[np.float32], block: NDArray[np.float32], maxima: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the entries that reach their row's floor.

    Only groups whose maximum reaches it are looked into, and the columns that no group holds.
    """
    groups = maxima.shape[1]
    size = block.shape[1] // groups
    rows, members = np.nonzero(maxima >= floor[:, None])
    if size <= 1:
        return rows, members
    table = block[:, : size * groups].reshape(len(block), size, groups)
    chosen, steps = np.nonzero(table[rows, :, members] >= floor[rows, None])
    rest, columns = np.nonzero(block[:, size * groups :] >= floor[:, None])
    return (
        np.concatenate([rows[chosen], rest]),
        np.concatenate([steps * groups + members[chosen], columns + size * groups]),
    )


def _largest_error(dim: int) -> float:
    """Largest error of a float32 product of two rows of norm 1, whatever the order of adding.

    References:
        Higham, Accuracy and Stability of Numerical Algorithms, 2002, equation 3.5, with the
        Cauchy-Schwarz inequality for the sum of magnitudes; rows may be 0.1 % too long.
    """
    return 1.01 * dim * 2.0**-24


def _products(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Products in float64 of chosen pairs; equal rows give equal bits."""
    products = np.empty(len(rows))
    step = max(1, BLOCK_BYTES // (32 * queries.shape[1]))
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        left = queries[rows[some]].astype(np.float64)
        right = gallery[columns[some]].astype(np.float64)
        products[some] = np.einsum("nd,nd->n", left, right)
    return products


def _best_of_crowd(
    block: NDArray[np.float32], queries: NDArray[np.float32], gallery: NDArray[np.float32], k: int
) -> NDArray[np.int64]:
    """(B, k) positions of the best, for rows in which thousands of scores are nearly equal.

    Fewer columns where there are fewer images; -1 where fewer are left.
    """
    exact = np.empty(block.shape)
    wide = queries.astype(np.float64)
    step = max(1, BLOCK_BYTES // (8 * gallery.shape[1]))
    for start in range(0, len(gallery), step):
        some = slice(start, start + step)
        exact[:, some] = wide @ gallery[some].T.astype(np.float64)
    np.round(exact / TIE, out=exact)
    exact[np.isneginf(block)] = -np.inf
    order = np.argsort(-exact, axis=1, kind="stable")[:, :k]
    order[np.isneginf(np.take_along_axis(exact, order, axis=1))] = -1
    return order
