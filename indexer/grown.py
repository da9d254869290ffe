"""An approximate engine through the life of a collection: kept, grown, and seldom built again.

A row is known by the bits of its vector. What an engine was built from is kept as one 64-bit key a
row behind the engine's bytes, so an engine of an older generation can say which of its rows are
still there. Rows that came later are compared one and all; rows that are gone are never proposed.
Nothing here is trusted: a key that fits by accident, or a file that somebody has made, can hide a
row from a search at worst, for scores and items always come from the collection itself.
"""

import copy
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from retrieval import plugins
from retrieval.errors import BadInputError, DamagedDataError
from retrieval.files import sha256_of_file, write_atomically

from . import backends
from .backends.exact import Exact
from .caches import reason_of
from .collection import Vectors
from .engines import Allowed, Engine, TunableEngine
from .manifest import CACHE, Manifest, State
from .records import read_record, write_record
from .snapshot import Snapshot

CHANGED_SHARE = 0.1
"""Rows that came or went since an engine was built, as a share of it, beyond which it is built
again: so much of each search is then a comparison with every new row."""

_CHUNK = 1 << 10  # rows that fit into a processor's cache
_KEY_BYTES = 8

Keys = NDArray[np.uint64]


def tuned_option(engine: str) -> str:
    """Name of the option that buys an approximate engine recall."""
    return cast(type[TunableEngine], plugins.find(backends, engine)).tuned_option()


def row_keys(vectors: Vectors) -> Keys:
    """A number for each row (N,), equal for equal bits and hardly ever otherwise.

    The sum of the row's 64-bit words times fixed odd numbers, modulo 2^64. The upper half of a word
    is first laid over the lower one: else two signs that change would cancel each other out.
    """
    words_in_row = (vectors.shape[1] + 1) // 2
    factors = np.random.default_rng(0).integers(0, 2**63, words_in_row, np.uint64)
    factors = factors * np.uint64(2) + np.uint64(1)
    keys = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), _CHUNK):
        rows = vectors[start : start + _CHUNK]
        if vectors.shape[1] % 2:
            rows = np.pad(rows, ((0, 0), (0, 1)))
        words = np.ascontiguousarray(rows).view(np.uint64)
        keys[start : start + len(words)] = (words ^ (words >> np.uint64(32))) @ factors
    return keys


def places_of(old: Keys, new: Keys) -> NDArray[np.int64]:
    """Where each old row is among the new ones; -1 where it is gone. No new row is taken twice."""
    by_old, by_new = np.argsort(old, kind="stable"), np.argsort(new, kind="stable")
    ordered_old, ordered_new = old[by_old], new[by_new]
    copy_number = np.arange(len(old)) - np.searchsorted(ordered_old, ordered_old)
    at = np.searchsorted(ordered_new, ordered_old) + copy_number
    there = at < len(new)
    there[there] = ordered_new[at[there]] == ordered_old[there]
    places = np.full(len(old), -1, np.int64)
    places[by_old[there]] = by_new[at[there]]
    return places


class Placed:
    """Rows of an array in another order: what an engine reads of rows that have moved.

    Reads as an array does when it is indexed by rows. A row that is gone reads as any other one;
    whoever searches does not let it be found.
    """

    def __init__(self, vectors: Vectors, places: NDArray[np.int64]) -> None:
        self._vectors = vectors
        self._places = places
        self.shape = (len(places), vectors.shape[1])

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._places)

    def __getitem__(self, rows: NDArray[np.int64]) -> Vectors:
        """Vectors of rows, as an array gives them."""
        return self._vectors[self._places[rows]]


class Grown:
    """An engine of older rows, and every row that it does not know.

    Args:
        engine: Made for the older rows.
        places: (B,) Where each of its rows is now; -1 where it is gone.
        vectors: (N, D) as they are now.
    """

    exact: ClassVar[bool] = False

    def __init__(self, engine: TunableEngine, places: NDArray[np.int64], vectors: Vectors) -> None:
        self._engine = cast(Engine, engine.over(cast(Vectors, Placed(vectors, places))))
        self._places = places
        unknown = np.ones(len(vectors), bool)
        unknown[places[places >= 0]] = False
        self._new = np.flatnonzero(unknown)
        self._exact = Exact(vectors[self._new])

    def most(self) -> int:
        """See :class:`indexer.engines.TunableEngine`."""
        return cast(TunableEngine, self._engine).most()

    def tuned(self, value: int) -> Self:
        """See :class:`indexer.engines.TunableEngine`."""
        other = copy.copy(self)
        other._engine = cast(Engine, cast(TunableEngine, self._engine).tuned(value))
        return other

    def search(
        self, queries: Vectors, k: int, allowed: Allowed | None = None
    ) -> tuple[NDArray[np.int64], Vectors]:
        """See :class:`indexer.engines.Engine`."""
        old = self._places >= 0
        new = np.ones(len(self._new), bool)
        if allowed is not None:
            old &= allowed[self._places]
            new = allowed[self._new]
        found, near = _asked(self._engine, queries, k, old)
        more, nearer = _asked(self._exact, queries, k, new)
        found = np.where(found >= 0, self._places[found], -1)
        more = np.where(more >= 0, self._new[more] if len(self._new) else more, -1)
        positions = np.concatenate([found, more], axis=1)
        scores = np.concatenate([near, nearer], axis=1)
        scores[positions < 0] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(positions, best, axis=1), np.take_along_axis(scores, best, axis=1)


def _asked(
    engine: Engine, queries: Vectors, k: int, allowed: Allowed
) -> tuple[NDArray[np.int64], Vectors]:
    """The ``k`` best of the allowed rows (Q, k); -1 where there are not so many."""
    positions = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    count = int(np.count_nonzero(allowed))
    some = min(k, count)
    if some:
        mask = None if count == len(allowed) else allowed
        positions[:, :some], scores[:, :some] = engine.search(queries, some, mask)
    return positions, scores


@dataclass(frozen=True)
class _Built:
    """An engine, the rows it was built from, and when."""

    engine: TunableEngine
    keys: Keys
    state: State


class GrowingEngine:
    """Prepares an approximate engine for one generation after the other of an open collection.

    Args:
        folder: Of the collection.
        manifest: Its manifest.
        engine: File in ``indexer/backends`` of a :class:`indexer.engines.TunableEngine`.
        options: Of the engine.
        notice: Takes a sentence for a person when a kept engine could not be used.
        before: What served with other options. What it has built goes on serving where the options
            differ in the tuned one alone.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        engine: str,
        options: Mapping[str, Any],
        notice: Callable[[str], None],
        before: "GrowingEngine | None" = None,
    ) -> None:
        self._part = cast(type[TunableEngine], plugins.find(backends, engine))
        self._name = engine
        self._options = dict(options)
        self._manifest = manifest
        self._notice = notice
        self._data = folder / CACHE / f"{engine}.bin"
        self._record = folder / CACHE / f"{engine}.json"
        self._lock = threading.Lock()
        self._built = None if before is None else self._taken_over(before)

    def prepared(self, snapshot: Snapshot) -> Engine:
        """The engine for a snapshot with at least one row: known, grown, kept or built."""
        with self._lock:
            return self._prepared(snapshot)

    def _prepared(self, snapshot: Snapshot) -> Engine:
        vectors = snapshot.vectors
        if self._built is not None and self._built.state == snapshot.state:
            return cast(Engine, self._built.engine)
        keys = None if self._kept_state() == snapshot.state else row_keys(vectors)
        engine = None if keys is None else self._fitted(self._built, vectors, keys)
        if engine is not None:
            return engine
        self._built = self._kept(snapshot, keys)
        if self._built is not None and self._built.state == snapshot.state:
            return cast(Engine, self._built.engine)
        keys = row_keys(vectors) if keys is None else keys
        return self._fitted(self._built, vectors, keys) or self._made(snapshot, keys)

    def _made(self, snapshot: Snapshot, keys: Keys) -> Engine:
        if self._built is not None and not cast(Engine, self._built.engine).exact:
            self._notice(f"{self._data} is of too many other rows: the engine is built again.")
        options = {"name": self._name, **self._options}
        facts = {"vectors": snapshot.vectors, "index": None, "on_progress": None}
        engine: TunableEngine = plugins.build(backends, options, **facts)
        self._built = _Built(engine, keys, snapshot.state)
        return cast(Engine, engine)

    def keep(self, state: State, prepare: Callable[[], Engine]) -> None:
        """Write what was built, unless the engine that is kept is that one.

        Args:
            state: Of the collection now.
            prepare: Has :meth:`prepared` called for it.
        """
        kept = self._kept_state()
        if kept == state:
            return
        prepare()
        if self._built is None or self._built.state == kept:
            return
        engine = np.frombuffer(self._built.engine.to_bytes(), np.uint8)
        data = np.concatenate([engine, self._built.keys.astype("<u8").view(np.uint8)]).data
        self._data.parent.mkdir(exist_ok=True)
        write_atomically(self._data, data)
        made = {**self._source(), **asdict(self._built.state)}
        write_record(self._record, {"made_from": made, "bytes_sha256": sha256_of_file(self._data)})

    def _taken_over(self, before: "GrowingEngine") -> _Built | None:
        option = self._part.tuned_option()
        same = {**before._options, option: 0} == {**self._options, option: 0}
        if before._built is None or before._name != self._name or not same:
            return None
        if option not in self._options:
            return before._built if option not in before._options else None
        return replace(before._built, engine=before._built.engine.tuned(self._options[option]))

    def _fitted(self, built: _Built | None, vectors: Vectors, keys: Keys) -> Engine | None:
        """The engine grown to these rows; None where it is not there or is too old."""
        if built is None:
            return None
        if np.array_equal(built.keys, keys):
            return cast(Engine, built.engine.over(vectors))
        places = places_of(built.keys, keys)
        gone = int(np.count_nonzero(places < 0))
        new = len(keys) - (len(places) - gone)
        if cast(Engine, built.engine).exact or gone + new > CHANGED_SHARE * len(places):
            return None
        return Grown(built.engine, places, vectors)

    def _kept(self, snapshot: Snapshot, keys: Keys | None) -> _Built | None:
        if not (self._data.exists() or self._record.exists()):
            return None
        try:
            return self._opened(snapshot, keys)
        except (BadInputError, DamagedDataError, OSError, KeyError, TypeError, ValueError) as error:
            self._notice(f"{self._data} is made again from the store: {reason_of(error)}.")
            return None

    def _opened(self, snapshot: Snapshot, new: Keys | None) -> _Built:
        record = read_record(self._record)
        state = self._state_in(record)
        if state is None:
            raise ValueError("it was made from another collection or with other options")
        before = _identity(self._data)
        if sha256_of_file(self._data) != record["bytes_sha256"]:
            raise ValueError("its checksum does not fit")
        with self._data.open("rb") as file:
            file.seek(-_KEY_BYTES * state.count, 2)
            keys = np.frombuffer(file.read(), "<u8").astype(np.uint64)
        rows = snapshot.vectors
        if new is not None:
            rows = cast(Vectors, Placed(rows, places_of(keys, new)))
        engine = self._part.from_file(self._data, rows, **self._options)
        if _identity(self._data) != before:
            raise ValueError("it was replaced while it was read")
        return _Built(engine, keys, state)

    def _kept_state(self) -> State | None:
        try:
            return self._state_in(read_record(self._record))
        except (BadInputError, DamagedDataError, KeyError, TypeError):
            return None

    def _state_in(self, record: Mapping[str, Any]) -> State | None:
        """What a kept engine was built from; None where that is not this engine's doing."""
        made = dict(record["made_from"])
        state = State(made.pop("generation"), made.pop("count"), made.pop("digest"))
        return state if made == self._source() else None

    def _source(self) -> dict[str, object]:
        return {
            "collection": self._manifest.collection,
            "engine": self._name,
            "dim": self._manifest.dim,
            "options": self._part.built_with(self._options),
        }


def _identity(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
