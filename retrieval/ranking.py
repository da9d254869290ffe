"""Exact search: the reference that every index is measured against."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape, check_unit_rows
from .errors import BadInputError

TIE = 1e-6
"""Scores that agree when rounded to this are equal: float32 sums tell nothing finer apart."""

BLOCK_BYTES = 64 * 2**20
"""How much the scores of one block of queries may take."""

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
    indices = np.empty((len(queries), k), np.int64)
    scores = np.empty((len(queries), k), np.float32)
    for start, block in score_blocks(queries, gallery):
        rows = slice(start, start + len(block))
        if same_images:
            np.fill_diagonal(block[:, start:], -np.inf)
        indices[rows], scores[rows] = best_of_block(block, queries[rows], gallery, k)
    return Ranking(indices, scores)


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
    memory = np.empty((2, size, len(gallery)), np.float32)

    def scored(start: int) -> NDArray[np.float32]:
        rows = queries[start : start + size]
        return np.matmul(rows, gallery.T, out=memory[start // size % 2, : len(rows)])

    with ThreadPoolExecutor(1) as executor:
        ahead = executor.submit(scored, 0)
        for start in range(0, len(queries), size):
            block = ahead.result()
            ahead = executor.submit(scored, start + size)  # an empty product at the end
            yield start, block


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
    indices = np.full((len(block), k), -1, np.int64)
    scores = np.full((len(block), k), -np.inf, np.float32)
    floor = _floor(block, k) - np.float32(2 * _largest_error(gallery.shape[1]) + TIE)
    # (number of candidates,) positions in the flattened block, row after row
    flat = np.flatnonzero(block >= np.maximum(floor, np.finfo(np.float32).min)[:, None])
    rows, columns = np.divmod(flat, block.shape[1])
    crowded = np.bincount(rows, minlength=len(block)) > max(_CROWD, 8 * k)
    if crowded.any():
        chosen = np.flatnonzero(crowded)
        for start in range(0, len(chosen), _CROWD_ROWS):
            some = chosen[start : start + _CROWD_ROWS]
            indices[some], scores[some] = _best_of_crowd(block[some], queries[some], gallery, k)
        rows, columns = rows[~crowded[rows]], columns[~crowded[rows]]
    exact = np.round(_products(queries, gallery, rows, columns) / TIE) * TIE
    order = np.lexsort((columns, -exact, rows))
    rows, columns, exact = rows[order], columns[order], exact[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)  # 0 for the best of each row
    kept = place < k
    indices[rows[kept], place[kept]] = columns[kept]
    scores[rows[kept], place[kept]] = exact[kept]
    return indices, scores


def _floor(block: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """(B,) A score that at least k entries of each row reach.

    The k-th largest of the maxima of many small groups of entries: nearly as high as the k-th
    largest entry, and far cheaper to find.
    """
    groups = max(512, 8 * k)
    size = block.shape[1] // groups
    if size > 1:  # a group is a column of a (size, groups) table: that way around is fastest
        block = block[:, : size * groups].reshape(len(block), size, groups).max(axis=1)
    last = block.shape[1] - k
    return np.asarray(np.partition(block, last, axis=1)[:, last])


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
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """As :func:`best_of_block`, for rows in which thousands of scores are nearly equal."""
    exact = np.empty(block.shape)
    wide = queries.astype(np.float64)
    step = max(1, BLOCK_BYTES // (8 * gallery.shape[1]))
    for start in range(0, len(gallery), step):
        some = slice(start, start + step)
        exact[:, some] = wide @ gallery[some].T.astype(np.float64)
    np.round(exact / TIE, out=exact)
    exact[np.isneginf(block)] = -np.inf
    order = np.argsort(-exact, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(exact, order, axis=1) * TIE
    order[np.isneginf(best)] = -1
    return order, best.astype(np.float32)
