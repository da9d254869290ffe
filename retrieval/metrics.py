"""Numbers that judge a ranking. Every one is a fraction in [0, 1]; percent exists only in print.

The whole ranking is judged, not its first hits, and nothing is sorted for it: the rank of a right
answer is a count of the wrong ones in front of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape
from .errors import BadInputError
from .ranking import TIE, Ranking, best_of_block, score_blocks

_PAIRS = 2**20  # right answers handled at once, 100 bytes each
_ABOVE = 3  # new scores, in [-1, 1], are lifted by this above all cosine similarities
_MANY = 64  # right answers of one query above which sorting its wrong ones pays


class Rescore(Protocol):
    """Scores the first hits of a query again: :class:`retrieval.reranker.Reranker`."""

    @property
    def reach(self) -> int:
        """Hits to hand in."""
        ...

    def __call__(
        self,
        query: int,
        nearest: NDArray[np.int64],
        scores: NDArray[np.float32],
        left_out: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """(N,) new scores of the first N of ``nearest``, in [-1, 1]."""
        ...


@dataclass(frozen=True)
class Outcomes:
    """What came of each of Q queries; every figure, interval and test is made of these.

    Attributes:
        right_answers: (Q,) int64. R, the right answers there are in the gallery.
        first_rank: (Q,) int64. Rank of the first right answer, from 1; one more than the size of
            the gallery when it is never found, 0 when there is none.
        average_precision: (Q,) float64. NaN where R is 0.
        average_precision_at_r: (Q,) float64. NaN where R is 0.
        r_precision: (Q,) float64. NaN where R is 0.
        hits: The best hits, as many as were asked for; -1 where the gallery has no more.
        gallery_size: G.
    """

    right_answers: NDArray[np.int64]
    first_rank: NDArray[np.int64]
    average_precision: NDArray[np.float64]
    average_precision_at_r: NDArray[np.float64]
    r_precision: NDArray[np.float64]
    hits: Ranking
    gallery_size: int

    def __len__(self) -> int:
        return len(self.right_answers)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """(Q,) Whether there is a right answer to find; other queries count in no figure."""
        return self.right_answers > 0

    def found(self, k: int) -> NDArray[np.bool_]:
        """(Q,) Whether a right answer is among the first ``k`` hits."""
        if not 1 <= k <= self.gallery_size:
            raise BadInputError(
                f"k must be in 1..{self.gallery_size}, the size of the gallery; got {k}."
            )
        return self.judged & (self.first_rank <= k)


def recall_at_k(outcomes: Outcomes, k: int) -> float:
    r"""Share of queries with a right answer among their first ``k`` hits.

    .. math:: \text{Recall@}k = \frac1Q \sum_{q=1}^{Q} [\text{first rank}_q \le k]

    This is the Recall@K of the fine-grained retrieval papers [1]: one right answer is enough. It is
    not the recall of information retrieval (right answers found / right answers there are). With
    instance relevance it is the acc@K of the sketch papers [2]: same formula, other targets.

    Args:
        outcomes: From :func:`judge`. Queries without a right answer in the gallery are left out.
        k: 1 to G.

    Returns:
        Fraction in [0, 1]. Never falls as ``k`` grows.

    Raises:
        BadInputError: ``k`` is out of range, or no query has a right answer.

    References:
        [1] Oh Song et al., Deep metric learning via lifted structured feature embedding, CVPR 2016.
        [2] Yu et al., Sketch me that shoe, CVPR 2016.
    """
    return _mean(outcomes.found(k), outcomes)


def mean_average_precision(outcomes: Outcomes) -> float:
    r"""MAP over the whole ranking.

    .. math:: \text{AP}_q = \frac1{R_q} \sum_{i=1}^{R_q} \frac{i}{\text{rank}_{q,i}}

    where rank_{q,i} is the rank of the i-th right answer of query q.
    """
    return _mean(outcomes.average_precision, outcomes)


def mean_average_precision_at_r(outcomes: Outcomes) -> float:
    r"""MAP@R: as MAP, with only the right answers among the first R hits.

    .. math:: \text{AP@R}_q = \frac1{R_q} \sum_{i:\, \text{rank}_{q,i} \le R_q}
        \frac{i}{\text{rank}_{q,i}}

    References:
        Musgrave, Belongie, Lim, A metric learning reality check, ECCV 2020, section 3.2.
    """
    return _mean(outcomes.average_precision_at_r, outcomes)


def mean_r_precision(outcomes: Outcomes) -> float:
    """R-precision: share of right ones among the first R hits, where R right answers exist."""
    return _mean(outcomes.r_precision, outcomes)


def judge(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_targets: NDArray[np.int64],
    gallery_targets: NDArray[np.int64],
    *,
    same_images: bool = False,
    same_files: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    keep: int = 0,
    rescore: Rescore | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Outcomes:
    """Rank the whole gallery for every query and say what came of each.

    The rank of the i-th right answer is i plus the number of wrong ones whose score reaches its
    own. **Ties count against the system**: a wrong answer within 1e-6 of a right one stands in
    front of it, so an encoder that gives every image one vector finds nothing. Scores are float32
    products. A row with NaN or infinity is never a hit, and a query with one finds nothing.

    Memory beyond the vectors stays near 200 MB, and below 600 MB where all scores are equal.

    Args:
        queries: (Q, D) float32, rows of norm 1.
        gallery: (G, D) float32, rows of norm 1.
        query_targets: (Q,) int64.
        gallery_targets: (G,) int64; a gallery image is right when its target is the query's. A
            negative target is unknown: right for nobody, as distractors are.
        same_images: Query i is gallery image i; the pair is left out.
        same_files: A number for the content of each query file (Q,) and of each gallery file (G,).
            Pairs with equal numbers are left out: a copy of the query is no answer to it.
        keep: Best hits to keep for each query, ordered as :func:`retrieval.ranking.rank` does, or
            as ``rescore`` says; their scores are cosine similarities either way.
        rescore: Puts the first hits of each query into another order before they are judged.
        on_progress: Called with the number of queries judged so far.

    Raises:
        BadInputError: Arrays that do not fit together.
    """
    identities = _identities(len(queries), len(gallery), same_images, same_files)
    check_shape("queries", queries, ("Q", gallery.shape[-1]), "One encoder makes both.")
    check_shape("query_targets", query_targets, (len(queries),))
    check_shape("gallery_targets", gallery_targets, (len(gallery),))
    queries, lost_queries = _without_nonfinite(queries)
    gallery, lost_gallery = _without_nonfinite(gallery)
    wanted = np.maximum(query_targets, -1)  # unknown: a number that no gallery image has
    right = _Members(np.where(gallery_targets < 0, -2, gallery_targets))
    copies = _Members(identities[1])
    keep = min(keep, len(gallery))
    done: list[_Block] = []
    most_rows = max(1, _PAIRS // right.most)
    for start, scores in score_blocks(queries, gallery, most_rows):
        chosen = slice(start, start + len(scores))
        scores[:, lost_gallery] = -np.inf
        scores[lost_queries[chosen]] = -np.inf
        scores[copies.of(identities[0][chosen])] = -np.inf
        best = None
        if rescore is not None:
            fetched = min(max(keep, rescore.reach), len(gallery))
            best = best_of_block(scores, queries[chosen], gallery, fetched)
            pairs = copies.of(identities[0][chosen])
            best = _rescored(rescore, start, scores, best, pairs, keep)
        elif keep:
            best = best_of_block(scores, queries[chosen], gallery, keep)
        rows, columns = right.of(wanted[chosen])
        kept = identities[0][start + rows] != identities[1][columns]
        done.append(_judge_block(scores, rows[kept], columns[kept], best))
        if on_progress:
            on_progress(start + len(scores))
    return _joined(done, len(queries), len(gallery), keep)


@dataclass(frozen=True)
class _Block:
    """Outcomes of the queries of one block."""

    right_answers: NDArray[np.int64]
    first_rank: NDArray[np.int64]
    precisions: NDArray[np.float64]  # (3, B) average precision, at R, R-precision
    best: tuple[NDArray[np.int64], NDArray[np.float32]] | None


class _Members:
    """Finds the gallery images that carry given numbers."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]
        self.most = int(np.unique(numbers, return_counts=True)[1].max(initial=1))

    def of(self, wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(row in ``wanted``, gallery position) of every pair with equal numbers, row by row."""
        first = np.searchsorted(self._sorted, wanted, side="left")
        counts = np.searchsorted(self._sorted, wanted, side="right") - first
        ends = np.cumsum(counts)
        rows = np.repeat(np.arange(len(wanted)), counts)
        within = np.arange(len(rows)) - np.repeat(ends - counts, counts)
        return rows, self._order[np.repeat(first, counts) + within]


def _identities(
    queries: int,
    gallery: int,
    same_images: bool,
    same_files: tuple[NDArray[np.int64], NDArray[np.int64]] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers that are equal exactly where a pair must be left out."""
    if same_images and queries != gallery:
        raise BadInputError(
            f"queries must be the gallery with same_images; got {queries} and {gallery} rows."
        )
    if same_files is None:
        if same_images:
            return np.arange(queries), np.arange(gallery)
        return np.full(queries, -1), np.zeros(gallery, np.int64)
    check_shape("same_files[0]", same_files[0], (queries,))
    check_shape("same_files[1]", same_files[1], (gallery,))
    if same_images and not np.array_equal(*same_files):
        raise BadInputError("same_files must hold the same numbers twice with same_images.")
    return same_files


def _without_nonfinite(
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rows fit for a matrix product, and which of them had NaN or infinity."""
    lost = np.asarray(~np.isfinite(rows).all(axis=1))
    if lost.any():
        rows = rows.copy()
        rows[lost] = 0
    return rows, lost


def _rescored(
    rescore: Rescore,
    start: int,
    scores: NDArray[np.float32],
    best: tuple[NDArray[np.int64], NDArray[np.float32]],
    left_out: tuple[NDArray[np.int64], NDArray[np.int64]],
    keep: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Lift the first hits of B queries in ``scores`` (B, G), and the best hits in their new order.

    ``start`` is the first query's number, ``left_out`` the pairs that do not count, row by row.
    """
    indices, similarities = best
    for row in range(len(scores)):
        there = int(np.count_nonzero(indices[row] >= 0))
        nearest, near = indices[row, :there], similarities[row, :there]
        columns = left_out[1][slice(*np.searchsorted(left_out[0], [row, row + 1]))]
        new = rescore(start + row, nearest, near, columns)
        scores[row, nearest[: len(new)]] = _ABOVE + new
        order = np.argsort(-new, kind="stable")
        indices[row, : len(new)], similarities[row, : len(new)] = nearest[order], near[order]
    return indices[:, :keep], similarities[:, :keep]


def _judge_block(
    scores: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    best: tuple[NDArray[np.int64], NDArray[np.float32]] | None,
) -> _Block:
    """Judge B queries; ``scores`` (B, G) is used up. (rows, columns) are the right answers."""
    right_scores = scores[rows, columns]
    scores[rows, columns] = -np.inf  # only wrong answers are left
    order = np.lexsort((-right_scores, rows))  # rows stay together; the best answer comes first
    right_scores = right_scores[order]
    counts = np.bincount(rows, minlength=len(scores))
    ends = np.cumsum(counts)
    starts = ends - counts
    wrong = np.empty(len(rows), np.int64)
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start < end:
            thresholds = right_scores[start:end] - np.float32(TIE)
            wrong[start:end] = _count_at_least(scores[row], thresholds)
    place = np.arange(1, len(rows) + 1) - starts[rows]  # i, from 1 in each row
    ranks = place + wrong  # behind the whole gallery where the score is minus infinity
    precision = np.where(right_scores > -np.inf, place / ranks, 0)
    early = ranks <= counts[rows]
    sums = [np.bincount(rows, weight, len(scores)) for weight in (precision, precision * early)]
    sums.append(np.bincount(rows[early], minlength=len(scores)))
    first_rank = np.zeros(len(scores), np.int64)
    first_rank[counts > 0] = ranks[starts[counts > 0]]
    means = np.full((3, len(scores)), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return _Block(counts, first_rank, means, best)


def _count_at_least(
    scores: NDArray[np.float32], thresholds: NDArray[np.float32]
) -> NDArray[np.int64]:
    """For each threshold, how many scores reach it; thresholds fall."""
    if len(thresholds) <= _MANY:
        return np.array([np.count_nonzero(scores >= threshold) for threshold in thresholds])
    ordered = np.sort(scores[scores >= thresholds[-1]])
    return len(ordered) - np.searchsorted(ordered, thresholds, side="left")


def _joined(blocks: list[_Block], queries: int, gallery: int, keep: int) -> Outcomes:
    right_answers, first_rank = np.zeros((2, queries), np.int64)
    precisions = np.empty((3, queries))
    hits = Ranking(np.empty((queries, keep), np.int64), np.empty((queries, keep), np.float32))
    start = 0
    for block in blocks:
        rows = slice(start, start := start + len(block.first_rank))
        right_answers[rows], first_rank[rows] = block.right_answers, block.first_rank
        precisions[:, rows] = block.precisions
        if block.best:
            hits.indices[rows], hits.scores[rows] = block.best
    average, at_r, r_precision = precisions
    return Outcomes(right_answers, first_rank, average, at_r, r_precision, hits, gallery)


def _mean(values: NDArray[np.float64] | NDArray[np.bool_], outcomes: Outcomes) -> float:
    if not outcomes.judged.any():
        raise BadInputError(
            "a query must have a right answer in the gallery; "
            f"got none in {len(outcomes)} queries. Check the targets."
        )
    return float(values[outcomes.judged].mean())
