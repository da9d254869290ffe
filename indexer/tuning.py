"""How much of the truth an approximate engine finds in a collection, and how far it must look.

The queries are rows of the collection, drawn with a fixed seed. Each of them is left out of its own
answer, of the exact one and of the engine's alike: a photo that finds itself says nothing. Rows of
the gallery are queries as like the gallery as can be. Sketches, or photos of another kind, are less
like it, and may need the engine to look further; give such queries where there are any.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInputError
from retrieval.statistics import cluster_bootstrap

from .backends.exact import Exact
from .collection import Vectors
from .disk import DiskCollection
from .engines import Engine, nearest
from .grown import tuned_option

K = 10
QUERIES = 1_000
_TIMED = 50
_FURTHEST = 1 << 12  # an engine that has to look further than this is slower than comparing all
_SEED = 0


class _Tunable(Engine, Protocol):
    def most(self) -> int: ...

    def tuned(self, value: int) -> Self: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """What an engine finds with one value of its option.

    Attributes:
        target: Recall that was wanted.
        reached: Whether the lower end of the interval reaches it.
        recall: Share of the true ``k`` nearest that are found, the query itself left out.
        interval: 95 %, by bootstrap over queries.
        k: Answers that were compared.
        queries: How many were asked.
        option: What recall is bought with.
        value: The smallest one that reaches the target; the largest one tried when none does.
        milliseconds: Median time of one query asked alone, of the whole search in a collection.
        count: Items there were.
        date: UTC.
    """

    target: float
    reached: bool
    recall: float
    interval: tuple[float, float]
    k: int
    queries: int
    option: str
    value: int
    milliseconds: float
    count: int
    date: str

    def __str__(self) -> str:
        low, high = self.interval
        verdict = "" if self.reached else f"; {self.target} is not reached"
        return (
            f"{self.option} = {self.value}: recall@{self.k} {self.recall:.4f} [{low:.4f}, "
            f"{high:.4f}] of the exact answers, n = {self.queries:,}, "
            f"{self.milliseconds:.2f} ms a query{verdict}"
        )


def tune(
    collection: DiskCollection,
    target: float,
    *,
    queries: Vectors | None = None,
    on_value: Callable[[int], None] | None = None,
) -> Measured | None:
    """Look as far as a recall asks for and no further, and record what was measured.

    Args:
        collection: Open for writing.
        target: Recall@10 that the lower end of its interval shall reach, in (0, 1].
        queries: (Q, D) of norm 1, in place of rows of the collection.
        on_value: Called with each value that is tried.

    Returns:
        What was measured; None where the engine compares everything and there is nothing to tune.

    Raises:
        BadInputError: The target is out of range, or there are too few items to measure with.
    """
    if not 0 < target <= 1:
        raise BadInputError(f"target recall must be above 0 and at most 1; got {target}.")
    engine = collection.prepared_engine()
    if engine is None or len(collection) < 3:
        raise BadInputError(
            f"{collection.folder} must hold at least 3 items to be measured; "
            f"got {len(collection)}. Add photos first."
        )
    if engine.exact:
        return None
    trial = _Trial(
        collection.vectors,
        [one.encode("utf-8", "surrogateescape") for one in collection.ids()],
        queries,
    )
    option = tuned_option(collection.engine)
    value, recalls = _smallest(cast(_Tunable, engine), trial, target, on_value or (lambda _: None))
    low, high = _interval(recalls)
    measured = Measured(
        target=target,
        reached=low >= target,
        recall=float(recalls.mean()),
        interval=(low, high),
        k=trial.k,
        queries=len(recalls),
        option=option,
        value=value,
        milliseconds=trial.milliseconds(cast(_Tunable, engine).tuned(value)),
        count=len(collection),
        date=datetime.now(UTC).date().isoformat(),
    )
    options = {**collection.choice.options, option: value}
    collection.choose(replace(collection.choice, options=options, measured=asdict(measured)))
    return measured


class _Trial:
    """Queries and the exact answers to them."""

    def __init__(self, vectors: Vectors, ids: Sequence[bytes], queries: Vectors | None) -> None:
        self._vectors = vectors
        self._ids = ids
        self._own: NDArray[np.int64] | None = None
        if queries is None:
            size = min(QUERIES, len(vectors))
            drawn = np.random.default_rng(_SEED).choice(len(vectors), size, replace=False)
            self._own = np.sort(drawn)
            queries = vectors[self._own]
        self._queries = queries
        self.k = min(K, len(vectors) - 1)
        self._last = self._scores(Exact(vectors))[:, -1]

    def recalls(self, engine: Engine) -> NDArray[np.float64]:
        """Share of the nearest that each query finds, (Q,); of equal scores any will do."""
        return np.asarray((self._scores(engine) >= self._last[:, None]).mean(axis=1))

    def milliseconds(self, engine: Engine) -> float:
        """Median time of one query asked alone."""
        took = []
        for query in self._queries[:_TIMED]:
            start = time.perf_counter()
            nearest(engine, self._vectors, self._ids, query[None], self.k)
            took.append(time.perf_counter() - start)
        return float(np.median(took) * 1e3)

    def _scores(self, engine: Engine) -> NDArray[np.float64]:
        """Of the ``k`` nearest (Q, k), the query's own row left out."""
        if self._own is None:
            return nearest(engine, self._vectors, self._ids, self._queries, self.k)[1]
        found, scores = nearest(engine, self._vectors, self._ids, self._queries, self.k + 1)
        itself = found == self._own[:, None]
        itself[~itself.any(axis=1), -1] = True  # beyond its doubles: the last one goes instead
        others: NDArray[np.float64] = scores[~itself].reshape(len(found), self.k)
        return others


def _smallest(
    engine: _Tunable, trial: _Trial, target: float, on_value: Callable[[int], None]
) -> tuple[int, NDArray[np.float64]]:
    """The smallest value that reaches the target, by doubling and halving, and its recalls (Q,)."""

    def tried(value: int) -> tuple[bool, NDArray[np.float64]]:
        on_value(value)
        recalls = trial.recalls(engine.tuned(value))
        return _interval(recalls)[0] >= target, recalls

    most = min(engine.most(), _FURTHEST)
    failed, value = 0, 1
    enough, recalls = tried(value)
    while not enough and value < most:
        failed, value = value, min(2 * value, most)
        enough, recalls = tried(value)
    while enough and value - failed > 1:
        middle = (failed + value) // 2
        good, found = tried(middle)
        if good:
            value, recalls = middle, found
        else:
            failed = middle
    return value, recalls


def _interval(recalls: NDArray[np.float64]) -> tuple[float, float]:
    ((low, high),) = cluster_bootstrap(recalls[:, None], np.arange(len(recalls)))
    return float(low), float(high)
