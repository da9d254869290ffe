"""What a search sees: one snapshot and the engine prepared for it."""

import threading
from collections.abc import Callable
from functools import cached_property

from retrieval.errors import BadInputError

from .collection import SearchHit, Vectors
from .engines import Allowed, Engine, nearest
from .filter_columns import Columns
from .filters import Condition
from .mapped import rows_at
from .rows import as_stored
from .snapshot import Snapshot


class View:
    """Searches one generation. Replaced as a whole by the next one, never changed.

    Args:
        snapshot: The generation.
        prepare: Makes the engine for it, when it is first needed.
    """

    def __init__(self, snapshot: Snapshot, prepare: Callable[[Snapshot], Engine]) -> None:
        self.snapshot = snapshot
        self._prepare = prepare
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    def search(
        self, queries: Vectors, k: int, where: Condition | None = None
    ) -> list[list[SearchHit]]:
        """For each checked row of ``queries`` at most ``k`` hits, best first."""
        snapshot = self.snapshot
        allowed = None if where is None else self.matching(where)
        count = snapshot.state.count if allowed is None else int(allowed.sum())
        if not count or not len(queries):
            return [[] for _ in queries]
        positions, scores = nearest(
            self.engine(), snapshot.vectors, snapshot.ids, queries, min(k, count), allowed
        )
        rows = iter(rows_at(snapshot.rows, positions.ravel()))
        return [
            [SearchHit(next(rows).item(), score, rank) for rank, score in enumerate(line, 1)]
            for line in scores.tolist()
        ]

    def matching(self, where: Condition) -> Allowed:
        """(N,) True for the rows that a checked condition holds for."""
        return self._columns.matching(where)

    def engine(self) -> Engine:
        """The engine for this snapshot, which has at least one row."""
        with self._lock:
            if self._engine is None:
                self._engine = self._prepare(self.snapshot)
            return self._engine

    def position(self, id_: str) -> int:
        """Where an item is in the snapshot.

        Raises:
            BadInputError: It is not there.
        """
        position = self.snapshot.positions.get(as_stored("an item's id", id_))
        if position is None:
            raise BadInputError(f"ids must be in the collection; got {id_!r}, which is not.")
        return position

    @cached_property
    def _columns(self) -> Columns:
        return Columns(self.snapshot.rows)
