"""A collection on a Qdrant server or cluster: the same meaning of item, add, search and score.

What a folder keeps beside its items has another place here: hash of the picture, path and label
stand in a point's payload; fingerprint, dim and layout in the server's metadata of the collection;
the encoder stays with whoever asks; pictures that were rejected are told and not kept. There is no
lock for one writer, and no generation: a search sees what the server has at that moment.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from qdrant_client import models

from indexer.collection import Item, SearchHit, Vectors
from indexer.filters import Condition, check, fields, matches
from indexer.rows import Row, as_stored, as_text, check_fingerprint, check_vectors, rows_of
from indexer.store import Change
from retrieval.errors import BadInputError, DamagedDataError

from .answers import answer
from .conditions import as_filter
from .layout import PHOTO, SKETCH, Layout, Options, Tuning
from .location import Location
from .points import check_point, point_id, point_of, row_of_point, vector_of_point
from .schema import Description, make_collection, make_indexes, read_description
from .server import Server

EXACT_UP_TO = 20_000
"""Items among which every vector is compared: milliseconds, and nothing is missed."""

EXACT_UP_TO_FILTERED = 200_000
"""The same under a filter, where the graph misses more than it saves (measured with the engine)."""

_BATCH = 128  # points in a request: at most some megabytes
_POINTS_AT_ONCE = 2_048  # in the answers to one request
_EXTRA = 8
_GROWTH = 4
_SHOWN = 10


class QdrantCollection:
    """A :class:`indexer.collection.Collection` on a server. Make one with ``create`` or ``open``.

    Attributes:
        server: Where it is.
        name: Of the collection, or an alias of it.
        tuning: How it is searched.
        notices: Sentences a person should see, such as that a point was left out of an answer.
    """

    def __init__(self, server: Server, name: str, description: Description, tuning: Tuning) -> None:
        self.server = server
        self.name = name
        self.tuning = tuning
        self.notices: list[str] = []
        self._description = description

    @classmethod
    def create(
        cls,
        server: Server,
        *,
        dim: int,
        fingerprint: str,
        layout: Layout | None = None,
        tuning: Tuning | None = None,
    ) -> Self:
        """A new collection at the server's location.

        Args:
            server: Where.
            dim: Length of a vector.
            fingerprint: Of the encoder whose vectors it will hold.
            layout: Shards, copies, quantization and fields to filter by.
            tuning: How it is searched.

        Raises:
            BadInputError: The name is in use, or the server refuses the layout.
            UnavailableError: The server does not answer.
        """
        server.check_version()
        name = server.location.name
        if read_description(server, name) is not None:
            raise BadInputError(
                f"{server.location} must be a new name; got a collection that is there. "
                "Open it, or give another name; nothing was touched."
            )
        description = Description.new(dim, fingerprint, layout or Layout())
        make_collection(server, name, description)
        return cls(server, name, description, tuning or Tuning())

    @classmethod
    def open(
        cls,
        server: Server,
        *,
        fingerprint: str | None = None,
        tuning: Tuning | None = None,
    ) -> Self:
        """The collection at the server's location.

        Args:
            server: Where.
            fingerprint: Refuse unless the collection was made with this encoder.
            tuning: How it is searched.

        Raises:
            BadInputError: There is none, or this program did not make it.
            EncoderMismatchError: Another encoder made it.
            UnavailableError: The server does not answer.
        """
        server.check_version()
        name = server.location.name
        description = read_description(server, name)
        if description is None:
            raise BadInputError(
                f"{server.location} must be a collection; got none of this name. "
                "Make one with fgir index."
            )
        if fingerprint is not None:
            check_fingerprint(f"whoever opens {name}", fingerprint, description.fingerprint)
        return cls(server, name, description, tuning or Tuning())

    @classmethod
    def at(
        cls,
        location: str,
        environment: Mapping[str, str],
        *,
        fingerprint: str | None = None,
        new_dim: int | None = None,
    ) -> Self:
        """The collection that a text names, made when it is new and ``new_dim`` is given.

        Args:
            location: See :mod:`indexer.qdrant.location`.
            environment: Variables by name.
            fingerprint: Of the encoder; needed to make one.
            new_dim: Length of a vector of a new collection; without it, it has to be there.

        Raises:
            BadInputError: As :meth:`open`, or it was made with other options than the text has.
        """
        place = Location.parse(location, environment)
        options = Options.parse(place.options)
        server = Server(place)
        if new_dim is not None and fingerprint is not None:
            server.check_version()
            if read_description(server, place.name) is None:
                layout = Layout(**options.layout)
                return cls.create(
                    server,
                    dim=new_dim,
                    fingerprint=fingerprint,
                    layout=layout,
                    tuning=options.tuning,
                )
        opened = cls.open(server, fingerprint=fingerprint, tuning=options.tuning)
        options.check(str(place), opened.layout)
        return opened

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._description.dim

    @property
    def fingerprint(self) -> str:
        """Of the encoder that made every vector."""
        return self._description.fingerprint

    @property
    def layout(self) -> Layout:
        """How it was made."""
        return self._description.layout

    @property
    def place(self) -> str:
        """What a person calls it."""
        return str(self.server.location)

    @property
    def folder(self) -> Path:
        """Where the paths of items start: they are absolute."""
        return Path("/")

    def path_of(self, folder: Path) -> str:
        """How the items keep a folder of pictures."""
        return folder.resolve().as_posix()

    def __len__(self) -> int:
        """Count the items: all points that the server has in it."""
        return self.server.ask(
            "count the items", lambda client: client.count(self.name, exact=True).count
        )

    def add(
        self, vectors: Vectors, items: Sequence[Item], *, fingerprint: str, replace: bool = False
    ) -> None:
        """See :meth:`indexer.collection.Collection.add`.

        A batch is sent again until the server says that it was applied. When that fails, batches
        before it are there; adding the same items with ``replace`` completes them.
        """
        rows = rows_of(items)
        check_fingerprint("vectors", fingerprint, self.fingerprint)
        vectors = check_vectors("vectors", vectors, self.dim, [item.id for item in items])
        if len(vectors) != len(rows):
            raise BadInputError(
                f"vectors must have one row for each of {len(rows)} items; got {len(vectors)}."
            )
        self.write(Change(vectors, rows, replace=replace))

    def remove(self, ids: Sequence[str]) -> None:
        """See :meth:`indexer.collection.Collection.remove`."""
        removed = [as_stored("an item's id", one) for one in dict.fromkeys(ids)]
        self.write(Change(np.empty((0, self.dim), np.float32), (), removed=removed))

    def write(self, change: Change) -> None:
        """Remove and add; notes of rejected pictures are not kept on a server.

        Raises:
            BadInputError: An id does not fit, or a field cannot be kept. Nothing is written.
            UnavailableError: The server does not answer. What was acknowledged is there.
        """
        points = [
            point_of(row, vector) for row, vector in zip(change.rows, change.vectors, strict=True)
        ]
        removed = [as_text(one) for one in change.removed]
        there = self._there(removed)
        for id_ in removed:
            if id_ not in there:
                raise BadInputError(
                    f"ids must be in the collection; got {id_!r}, which is not. "
                    "Nothing was removed."
                )
        if not change.replace:
            self._check_new([as_text(row.id) for row in change.rows])
        self._delete(removed)
        for start in range(0, len(points), _BATCH):
            batch = points[start : start + _BATCH]
            self.server.change(
                f"store {len(batch)} items",
                lambda client, batch=batch: client.upsert(  # type: ignore[misc]
                    self.name, batch, wait=True
                ),
            )

    def add_sketches(self, vectors: Vectors, ids: Sequence[str], *, fingerprint: str) -> None:
        """Give items a second vector (N, dim), named sketch; those there are overwritten.

        Raises:
            BadInputError: The collection was made without ``sketch``, or an id is not in it.
        """
        self._check_vector(SKETCH)
        check_fingerprint("vectors", fingerprint, self.fingerprint)
        vectors = check_vectors("vectors", vectors, self.dim, ids)
        there = self._there(ids)
        for id_ in ids:
            if id_ not in there:
                raise BadInputError(f"ids must be in the collection; got {id_!r}, which is not.")
        points = [
            models.PointVectors(id=point_id(id_), vector={SKETCH: vector.tolist()})
            for id_, vector in zip(ids, vectors, strict=True)
        ]
        for start in range(0, len(points), _BATCH):
            batch = points[start : start + _BATCH]
            self.server.change(
                f"store {len(batch)} sketches",
                lambda client, batch=batch: client.update_vectors(  # type: ignore[misc]
                    self.name, batch, wait=True
                ),
            )

    def get(self, id: str) -> Item:
        """See :meth:`indexer.collection.Collection.get`."""
        found = self.stored(id)
        if found is None:
            raise BadInputError(f"ids must be in the collection; got {id!r}, which is not.")
        return found[0].item()

    def stored(self, id: str) -> tuple[Row, Vectors] | None:
        """An item as it is stored and its vector (1, dim); None when it is not there."""
        records = self._records([id], payload=True, vectors=True)
        if not records:
            return None
        return row_of_point(records[0]), vector_of_point(records[0], self.dim)[None]

    def __contains__(self, id: object) -> bool:
        """Whether an item of this id is there."""
        return isinstance(id, str) and bool(self._there([id]))

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        fingerprint: str,
        where: Condition | None = None,
        using: str = PHOTO,
    ) -> list[list[SearchHit]]:
        """See :meth:`indexer.collection.Collection.search`.

        A small collection is compared as a whole, a large one through the server's graph, which
        finds nearly all. Where that returns fewer than ``k`` hits although there are more items,
        the query is asked again, exactly.

        Args:
            queries: (Q, dim).
            k: Hits for each.
            fingerprint: Of the encoder of the queries.
            where: What every hit has to match.
            using: Name of the vector to compare with: photo, or sketch.
        """
        if type(k) is not int or k < 1:
            raise BadInputError(f"k must be an integer of at least 1; got {k!r}.")
        check_fingerprint("queries", fingerprint, self.fingerprint)
        queries = check_vectors("queries", queries, self.dim)
        self._check_vector(using)
        total = len(self) if len(queries) else 0
        if not total:
            return [[] for _ in queries]
        asked = self._asked(where)
        exact = self.tuning.exact or total <= EXACT_UP_TO or self._few(asked)
        answers: dict[int, list[SearchHit]] = {}
        open_ = list(range(len(queries)))
        fetch = min(total, k + k // 8 + _EXTRA)
        while open_:
            left = []
            for row, points in self._points(queries, open_, fetch, exact, using, asked):
                found = answer(
                    queries[row],
                    points,
                    k,
                    asked=fetch,
                    using=using,
                    where=where,
                    notice=self._notice,
                )
                answers[row] = found.hits
                whole = found.settled or fetch >= total if exact else len(found.hits) == k
                left += [] if whole else [row]
            open_ = left
            if exact:
                fetch = min(total, fetch * _GROWTH)
            exact = True
        return [answers[row] for row in range(len(queries))]

    def pages(
        self, *, asked: models.Filter | None = None, vectors: bool = True
    ) -> Iterator[list[models.Record]]:
        """All points that the server finds with a filter, page by page, in the server's order."""
        offset: models.ExtendedPointId | None = None
        while True:
            records, offset = self.server.ask(
                "read the items",
                lambda client, offset=offset: client.scroll(  # type: ignore[misc]
                    self.name,
                    scroll_filter=asked,
                    limit=_BATCH,
                    offset=offset,
                    with_payload=True,
                    with_vectors=vectors,
                ),
            )
            yield records
            if offset is None:
                return

    def blocks(self) -> Iterator[tuple[Sequence[Row], Vectors]]:
        """All items and their vectors, block by block, in the server's order.

        Shape:
            -> N' rows and (N', D).

        Raises:
            DamagedDataError: A point is not what was written.
        """
        for records in filter(None, self.pages()):
            vectors = [vector_of_point(record, self.dim) for record in records]
            yield [row_of_point(record) for record in records], np.stack(vectors)

    def each_item(self, where: Condition | None = None) -> Iterator[Item]:
        """One item after the other, in the server's order; those that match.

        A point that is not what was written is left out, with a notice.
        """
        for records in self.pages(asked=self._asked(where), vectors=False):
            for record in records:
                try:
                    item = row_of_point(record).item()
                except DamagedDataError as error:
                    self._notice(f"left out of the answers: {error}")
                    continue
                if where is None or matches(where, item):
                    yield item

    def items_where(self, condition: Condition) -> list[str]:
        """Ids of the items that the condition holds for, in the server's order."""
        check(condition)
        return [item.id for item in self.each_item(condition)]

    def rejected(self) -> dict[str, str]:
        """Nothing: a server keeps no notes of pictures that could not be taken."""
        return {}

    def encoder_folder(self) -> None:
        """None: a server carries no encoder."""

    def info(self) -> dict[str, str | int]:
        """Facts for a person."""
        found = self.server.ask("describe it", lambda client: client.get_collection(self.name))
        layout = self.layout
        return {
            "place": self.place,
            "items": len(self),
            "dim": self.dim,
            "encoder": self.fingerprint,
            "server": self.server.check_version(),
            "status": str(found.status),
            "indexed_vectors": found.indexed_vectors_count or 0,
            "segments": found.segments_count,
            "shards": layout.shard_number,
            "copies": layout.replication_factor,
            "quantization": layout.quantization,
            "fields": ", ".join(f"{name}:{type_}" for name, type_ in layout.fields.items()),
            "created": self._description.created,
            "created_by": self._description.created_by,
        }

    def verify(self, on_progress: Callable[[int], None] = lambda count: None) -> list[str]:
        """Read every point and compare it with what was written; indexes that lack are made.

        Args:
            on_progress: Called with the number of points compared since the last call.

        Raises:
            DamagedDataError: Points are not what was written; the first are named.
        """
        if read_description(self.server, self.name) != self._description:
            raise DamagedDataError(
                f"{self.place} must be the collection that was opened; got another one. "
                "Open it again."
            )
        make_indexes(self.server, self.name, self.layout)
        wrong, seen = [], 0
        for records in self.pages():
            seen += len(records)
            for record in records:
                try:
                    check_point(record, self.dim)
                except DamagedDataError as error:
                    wrong.append(str(error))
            on_progress(len(records))
        if wrong:
            raise DamagedDataError(
                f"{self.place}: {len(wrong):,} of {seen:,} points are not as they were written: "
                + " ".join(wrong[:_SHOWN])
            )
        count = len(self)
        return [] if seen == count else [f"{self.place} changed while it was read: {count:,} items"]

    def close(self) -> None:
        """Let go of connections."""
        self.server.close()

    def __enter__(self) -> Self:
        """The collection itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _asked(self, where: Condition | None) -> models.Filter | None:
        """The condition as the server is asked it."""
        if where is None:
            return None
        check(where)
        slow = fields(where) - {"id", "label", *self.layout.fields}
        if slow:
            self._notice(
                f"{self.place} has no index of {', '.join(sorted(slow))}: the server reads every "
                "item. Declare fields when a collection is made: ?fields=NAME:TYPE."
            )
        return as_filter(where)

    def _few(self, asked: models.Filter | None) -> bool:
        """Whether so few items match a filter that each of them is compared."""
        if asked is None:
            return False
        about = self.server.ask(
            "count what matches",
            lambda client: client.count(self.name, count_filter=asked, exact=False).count,
        )
        return about <= EXACT_UP_TO_FILTERED

    def _points(
        self,
        queries: Vectors,
        rows: Sequence[int],
        fetch: int,
        exact: bool,
        using: str,
        asked: models.Filter | None,
    ) -> Iterator[tuple[int, list[models.ScoredPoint]]]:
        """Points that the server finds for each of some rows of ``queries``."""
        params = self._params(exact, asked is not None)
        step = max(1, _POINTS_AT_ONCE // fetch)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            requests = [
                models.QueryRequest(
                    query=queries[row].tolist(),
                    using=using,
                    limit=fetch,
                    filter=asked,
                    params=params,
                    with_payload=True,
                    with_vector=[using],
                )
                for row in part
            ]
            found = self.server.ask(
                "search",
                lambda client, requests=requests: client.query_batch_points(  # type: ignore[misc]
                    self.name, requests
                ),
            )
            yield from zip(part, (one.points for one in found), strict=True)

    def _params(self, exact: bool, filtered: bool) -> models.SearchParams:
        if exact:
            return models.SearchParams(exact=True)
        quantized = models.QuantizationSearchParams(
            rescore=True, oversampling=self.tuning.oversampling
        )
        return models.SearchParams(
            hnsw_ef=self.tuning.ef,
            # Without it the graph falls apart where a filter takes many points out of it.
            acorn=models.AcornSearchParams(enable=True) if filtered else None,
            quantization=None if self.layout.quantization == "none" else quantized,
        )

    def _check_new(self, ids: Sequence[str]) -> None:
        for id_ in sorted(self._there(ids)):
            raise BadInputError(
                f"items must be new; got {id_!r}, which is in the collection. "
                "Add with replace to overwrite it; nothing was written."
            )

    def _check_vector(self, name: str) -> None:
        known = [PHOTO, SKETCH] if self.layout.sketch else [PHOTO]
        if name not in known:
            raise BadInputError(
                f"{self.place} must have vectors named {name!r}; got {', '.join(known)}. "
                "Make it with sketch=true to have both."
            )

    def _delete(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _BATCH):
            points: Any = [point_id(one) for one in ids[start : start + _BATCH]]
            self.server.change(
                f"remove {len(points)} items",
                lambda client, points=points: client.delete(  # type: ignore[misc]
                    self.name, points, wait=True
                ),
            )

    def _there(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that are in the collection."""
        known = {point_id(one): one for one in ids}
        found = set()
        for record in self._records(ids, payload=["id"], vectors=False):
            id_ = known[str(record.id)]
            if (record.payload or {}).get("id", id_) != id_:
                raise DamagedDataError(
                    f"point {record.id} must be item {id_!r}; got another item. "
                    f"Check it with fgir collection verify."
                )
            found.add(id_)
        return found

    def _records(
        self, ids: Sequence[str], *, payload: bool | list[str], vectors: bool
    ) -> list[models.Record]:
        found: list[models.Record] = []
        for start in range(0, len(ids), _BATCH):
            points = [point_id(one) for one in ids[start : start + _BATCH]]
            found += self.server.ask(
                "look for items",
                lambda client, points=points: client.retrieve(  # type: ignore[misc]
                    self.name, points, with_payload=payload, with_vectors=vectors
                ),
            )
        return found

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)
