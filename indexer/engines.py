"""What an engine is, and one order of answers for all of them.

An engine finds near vectors by position. What the answers mean is decided here, once: the score of
a pair is computed again in float64 and rounded to 1e-6, and equal scores are ordered by id. So the
same question has the same answer whatever the engine, the batch it was asked in or the order in
which items were added.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from retrieval.ranking import TIE

from .backends.exact import Exact
from .collection import Vectors

Allowed = NDArray[np.bool_]

_STEPS_IN_ONE = round(1 / TIE)
_EXTRA = 8  # fetched beyond k at first, so that a usual boundary tie needs no second search
_GROWTH = 4
_TRIES = 2  # of an engine that is not exact, before every row is compared
_FLOAT32_ROUNDING = 2.0**-24
# Where so few rows may be found, they are compared one and all. 20,000 rows take milliseconds. A
# tenth of all rows is cheaper to copy and compare than all of them are to look at; and an
# approximate engine, which passes ten neighbours for each one that counts, would have to look much
# further for the same recall.
_FEW_ROWS = 20_000
_SMALL_SHARE = 0.1
_BLOCK_FLOATS = 1 << 16  # rescored at once: half a megabyte as float64, which stays in a cache


class Engine(Protocol):
    """Search over the rows of one array that never changes."""

    @property
    def exact(self) -> bool:
        """Whether it finds the true nearest rows, up to float32 rounding of the scores."""
        ...

    def __init__(self, vectors: Vectors) -> None:
        """Prepare to search ``vectors`` (N, D), N > 0, rows of norm 1."""
        ...

    def search(
        self, queries: Vectors, k: int, allowed: Allowed | None = None
    ) -> tuple[NDArray[np.int64], Vectors]:
        """Positions and inner products of ``k`` different rows, best first.

        An engine that is not exact and finds fewer fills the end of a line with -1.

        Args:
            queries: (Q, D).
            k: From 1 to the number of rows that may be found.
            allowed: (N,), True for the rows that may be found; all of them when left out.

        Shape:
            -> (Q, k), (Q, k).
        """
        ...


@runtime_checkable
class KeptEngine(Protocol):
    """An engine whose preparation is worth keeping in a file."""

    def to_bytes(self) -> memoryview:
        """What :meth:`from_bytes` needs."""
        ...

    @classmethod
    def from_bytes(cls, data: bytes, vectors: Vectors) -> Self:
        """The engine again, for the same vectors.

        Raises:
            ValueError: ``data`` does not describe these vectors.
        """
        ...


@runtime_checkable
class TunableEngine(Protocol):
    """An approximate engine that is worth keeping while the collection changes.

    Its ``__init__`` takes options. One of them says how far a search looks, and buys recall.
    """

    @classmethod
    def tuned_option(cls) -> str:
        """Name of that option."""
        ...

    @classmethod
    def built_with(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options without those that only steer a search: what a kept engine must agree on."""
        ...

    def most(self) -> int:
        """Value of that option from which on nothing more is looked at."""
        ...

    def tuned(self, value: int) -> Self:
        """The same engine with another value of that option."""
        ...

    def over(self, vectors: Vectors) -> Self:
        """The same engine, which reads the vectors of its rows from this array."""
        ...

    def to_bytes(self) -> memoryview:
        """What :meth:`from_file` needs."""
        ...

    @classmethod
    def from_file(cls, path: Path, vectors: Vectors, **options: Any) -> Self:  # noqa: ANN401
        """The engine again, its large parts mapped into memory and read when they are needed.

        Args:
            path: Holds :meth:`to_bytes`, and perhaps more after it.
            vectors: Those that it was made for.
            options: Those that it was made with, but for options that only steer a search.

        Raises:
            ValueError: The file does not describe such an engine.
        """
        ...


def nearest(
    engine: Engine,
    vectors: Vectors,
    ids: Sequence[bytes],
    queries: Vectors,
    k: int,
    allowed: Allowed | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The ``k`` best rows for each query, by (score rounded to 1e-6 descending, id ascending).

    An exact engine is asked for more rows until no row it has left out could take part in the tie
    at the end of the list. Where another one finds too few rows, or few are allowed, the allowed
    rows are compared one and all, so that nobody gets fewer hits than there are.

    Args:
        engine: Made for ``vectors``.
        vectors: (N, D), N > 0.
        ids: N ids as UTF-8, which sorts like the text.
        queries: (Q, D).
        k: From 1 to the number of rows that may be found.
        allowed: (N,), True for the rows that may be found; all of them when left out.

    Shape:
        -> positions (Q, k), scores (Q, k).
    """
    most = len(vectors) if allowed is None else int(np.count_nonzero(allowed))
    if allowed is not None and most <= max(_FEW_ROWS, _SMALL_SHARE * len(vectors)):
        engine = Exact(vectors)
    positions = np.empty((len(queries), k), np.int64)
    scores = np.empty((len(queries), k))
    fetch = min(most, k + k // 8 + _EXTRA)
    tries = 0
    open_ = np.arange(len(queries))
    if len(queries) == 1:
        best_of_one = _nearest_at_once(engine, vectors, ids, queries, k, allowed, fetch, most)
        if best_of_one is not None:
            return best_of_one
        tries, fetch = 1, min(most, fetch * _GROWTH)
    while len(open_):
        found, near = engine.search(queries[open_], fetch, allowed)
        steps = _steps(vectors, queries[open_], found)
        done = np.count_nonzero(found >= 0, axis=1) >= k
        if engine.exact and fetch < most:
            left_out = near[:, -1].astype(np.float64) + _largest_error(vectors.shape[1])
            last = -np.partition(-steps, k - 1, axis=1)[:, k - 1]
            done = _rounded(left_out) < last
        lines = np.flatnonzero(done)
        best = _ordered(steps, found, ids)[lines, :k]
        positions[open_[lines]] = found[lines[:, None], best]
        scores[open_[lines]] = steps[lines[:, None], best] / _STEPS_IN_ONE
        open_ = open_[~done]
        tries += 1
        if not engine.exact and (tries == _TRIES or fetch == most):
            engine = Exact(vectors)
        fetch = min(most, fetch * _GROWTH)
    return positions, scores


def _nearest_at_once(
    engine: Engine,
    vectors: Vectors,
    ids: Sequence[bytes],
    query: Vectors,
    k: int,
    allowed: Allowed | None,
    fetch: int,
    most: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """What :func:`nearest` finds at its first try for one query (1, D); None where it asks again.

    For so few numbers a call of numpy costs more than its work, so they are sorted without it.
    """
    found, near = engine.search(query, fetch, allowed)
    rows = found[0].tolist()
    steps = _steps(vectors, query, found)[0].tolist()
    order = sorted(range(fetch), key=steps.__getitem__, reverse=True)
    if len(set(steps)) < fetch:
        order.sort(key=lambda one: (-steps[one], ids[rows[one]]))
    best = order[:k]
    last = best[-1]
    if engine.exact and fetch < most:
        left_out = float(near[0, -1]) + _largest_error(vectors.shape[1])
        done = round(min(max(left_out, -1.0), 1.0) / TIE) < steps[last]
    else:
        done = rows[last] >= 0
    if not done:
        return None
    scores = np.array([[steps[one] for one in best]]) / _STEPS_IN_ONE
    return np.array([[rows[one] for one in best]], np.int64), scores


def _largest_error(dim: int) -> float:
    """How far an exact engine's score may be from ours: float32 sums of D terms, and rounding."""
    return 1.01 * dim * _FLOAT32_ROUNDING + TIE


def _steps(vectors: Vectors, queries: Vectors, found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Scores in whole steps, (Q, F), the same for a pair whatever stands beside it."""
    steps = np.empty(found.shape, np.int64)
    block = max(1, _BLOCK_FLOATS // max(1, found.shape[1] * vectors.shape[1]))
    for start in range(0, len(queries), block):
        part = slice(start, start + block)
        candidates = vectors[found[part]].astype(np.float64)  # (block, F, D)
        products = np.einsum("qfd,qd->qf", candidates, queries[part].astype(np.float64))
        steps[part] = _rounded(products)
    steps[found < 0] = -_STEPS_IN_ONE - 1  # no row: after every row
    return steps


def _rounded(products: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(np.minimum(np.maximum(products, -1), 1) / TIE).astype(np.int64)


def _ordered(
    steps: NDArray[np.int64], found: NDArray[np.int64], ids: Sequence[bytes]
) -> NDArray[np.intp]:
    """(Q, F) Columns of each row by score, best first; equal scores by id."""
    order = np.argsort(-steps, axis=1, kind="stable")
    ranked = steps[np.arange(len(steps))[:, None], order]
    tied = ranked[:, 1:] == ranked[:, :-1]
    if tied.any():
        for row in np.flatnonzero(tied.any(axis=1)):
            score, position = steps[row].tolist(), found[row].tolist()
            order[row] = sorted(order[row], key=lambda one: (-score[one], ids[position[one]]))
    return order
