"""One generation of a collection: what a search sees, and nothing else."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .collection import Vectors
from .manifest import State
from .mapped import column
from .rows import Row
from .store import Change, Content


@dataclass(frozen=True)
class _Merged:
    vectors: Vectors
    rows: Sequence[Row]


class Snapshot:
    """Rows and vectors that never change; a change makes a new snapshot.

    A search that began keeps its snapshot to the end, so it cannot see half of a change, and no
    index is ever written to while it is searched. Changes are only noted; rows and vectors are put
    together when they are first asked for, so that adding in many batches costs each batch once.

    Args:
        content: What the store held at one moment.
        changes: What was done to it since, in order.
        state: The state after them.
    """

    def __init__(
        self, content: Content, changes: tuple[Change, ...] = (), state: State | None = None
    ) -> None:
        self.state = state or content.state
        self._content = content
        self._changes = changes
        self._lock = threading.Lock()
        self._merged: _Merged | None = None

    def changed(self, change: Change, state: State) -> "Snapshot":
        """The snapshot after one more change."""
        with self._lock:
            return Snapshot(self._content, (*self._changes, change), state)

    @property
    def vectors(self) -> Vectors:
        """(N, D), read-only."""
        return self._whole().vectors

    @property
    def rows(self) -> Sequence[Row]:
        """N rows, in the order of ``vectors``; one that lies in a file is read at each asking."""
        return self._whole().rows

    @cached_property
    def positions(self) -> dict[bytes, int]:
        """Where each id is."""
        return {id_: position for position, id_ in enumerate(self.ids)}

    @cached_property
    def ids(self) -> Sequence[bytes]:
        """N ids, in the order of ``vectors``."""
        return self.column("id")

    def column(self, field: str) -> Sequence[bytes]:
        """One field of each row, in the order of ``vectors``."""
        return column(self.rows, field)

    def _whole(self) -> _Merged:
        with self._lock:
            if self._merged is None:
                self._merged = _merged(self._content, self._changes)
                self._content = replace(
                    self._content, rows=self._merged.rows, vectors=self._merged.vectors
                )
                self._changes = ()
            return self._merged


def _merged(content: Content, changes: tuple[Change, ...]) -> _Merged:
    if not changes:
        return _Merged(content.vectors, content.rows)
    rows = [*content.rows, *(row for change in changes for row in change.rows)]
    vectors = np.concatenate([content.vectors, *(change.vectors for change in changes)])
    place = {row.id: position for position, row in enumerate(content.rows)}
    end = len(content.rows)
    for change in changes:
        for id_ in (*change.removed, *(row.id for row in change.rows)):
            place.pop(id_, None)
        place |= {row.id: position for position, row in enumerate(change.rows, end)}
        end += len(change.rows)
    if len(place) < len(rows):
        kept = np.fromiter(place.values(), np.int64, len(place))
        vectors = vectors[kept]
        rows = [rows[position] for position in kept.tolist()]
    vectors.flags.writeable = False
    return _Merged(vectors, rows)
