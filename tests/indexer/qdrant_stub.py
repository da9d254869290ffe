"""A Qdrant server for tests: points in memory, answers as the real one's REST interface words them.

It speaks only the requests this program sends and refuses all others, so that a new kind of request
is noticed. ``fail`` makes it misbehave.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

Json = Any
_JSON = "application/json"
_SEGMENT = re.compile(r'"([^"]*)"|([^."]+)')


class RefusedError(Exception):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


@dataclass
class Request:
    method: str
    path: str
    query: str
    body: Json
    headers: Mapping[str, str]

    @property
    def name(self) -> str:
        """Such as "PUT points"."""
        return f"{self.method} {self.path.rstrip('/').rsplit('/', 1)[-1]}"


@dataclass
class Collection:
    settings: Json
    points: dict[str, Json] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)
    snapshots: dict[str, bytes] = field(default_factory=dict)


class QdrantStub:
    """The state of a server. Run it with :func:`running`."""

    def __init__(self, key: str = "", version: str = "1.16.3") -> None:
        self.key = key
        self.version = version
        self.collections: dict[str, Collection] = {}
        self.aliases: dict[str, str] = {}
        self.requests: list[Request] = []
        self.url = ""
        self._faults: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def fail(self, fault: str, *, on: str = "", times: int = 1) -> None:
        """The next ``times`` requests whose name holds ``on`` go wrong in this way.

        "" is well; a status such as "503"; "slow": no answer for 30 s; "cut before", "cut after":
        the connection breaks before or after the request is done; "half N": the first N points of a
        batch are stored, then the connection breaks; "html", "not json", "other json": an answer
        that no Qdrant server gives; "acknowledged": a change that is only taken; "short": a file
        that ends early.
        """
        self._faults += [(on, fault)] * times

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self._faults.clear()

    def restart(self, *, forget: bool) -> None:
        """Break three connections, as a server that starts again does."""
        if forget:
            self.collections.clear()
        self.fail("cut before", times=3)

    def sent(self, name: str) -> list[Json]:
        """Bodies of the requests of this name."""
        return [one.body for one in self.requests if one.name == name]

    def fault_of(self, request: Request) -> str:
        with self._lock:
            for place, (on, fault) in enumerate(self._faults):
                if on in request.name:
                    del self._faults[place]
                    return fault
        return ""

    def answer(self, request: Request) -> Json:
        """What the real server answers in ``result``."""
        if self.key and request.headers.get("api-key") != self.key:
            raise RefusedError(401, "Must provide an API key or an Authorization bearer token")
        with self._lock:
            return self._answer(request)

    def _answer(self, request: Request) -> Json:
        parts = request.path.strip("/").split("/")
        if parts[-1] == "aliases":
            return self._aliases(request)
        if len(parts) == 2 and request.method == "PUT":
            if parts[1] in self.collections:
                raise RefusedError(409, f"Wrong input: Collection `{parts[1]}` already exists!")
            self.collections[parts[1]] = Collection(request.body)
            return True
        return self._of_collection(request, self.aliases.get(parts[1], parts[1]), parts[2:])

    def _of_collection(self, request: Request, name: str, rest: list[str]) -> Json:
        if name not in self.collections:
            raise RefusedError(404, f"Not found: Collection `{name}` doesn't exist!")
        collection = self.collections[name]
        if rest == ["snapshots"]:
            return _snapshots(request.method, collection)
        actions = {
            ("GET", ""): lambda: _described(collection),
            ("PUT", "index"): lambda: _index(collection, request.body),
            ("PUT", "points"): lambda: _upsert(collection, request.body["points"]),
            ("POST", "points"): lambda: _retrieve(collection, request.body),
            ("PUT", "points/vectors"): lambda: _put_vectors(collection, request.body["points"]),
            ("POST", "points/delete"): lambda: _delete(collection, request.body["points"]),
            ("POST", "points/count"): lambda: {"count": len(_matching(collection, request.body))},
            ("POST", "points/scroll"): lambda: _scroll(collection, request.body),
            ("POST", "points/query/batch"): lambda: [
                _query(collection, one) for one in request.body["searches"]
            ],
        }
        action = actions.get((request.method, "/".join(rest)))
        if action is None:
            raise RefusedError(405, f"the stub knows no {request.method} {request.path}")
        if request.method == "PUT" or rest[-1:] == ["delete"]:
            assert "wait=true" in request.query, request
        return action()  # type: ignore[no-untyped-call]

    def _aliases(self, request: Request) -> Json:
        if request.method == "GET":
            held = self.aliases.items()
            return {"aliases": [{"alias_name": a, "collection_name": name} for a, name in held]}
        for action in request.body["actions"]:
            if "delete_alias" in action:
                del self.aliases[action["delete_alias"]["alias_name"]]
            else:
                made = action["create_alias"]
                self.aliases[made["alias_name"]] = made["collection_name"]
        return True


@contextmanager
def running(stub: QdrantStub) -> Iterator[QdrantStub]:
    """The stub behind a port of this machine; ``stub.url`` says which."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": stub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: QdrantStub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_any(self) -> None:
        path, _, query = self.path.partition("?")
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(data) if data else None
        request = Request(self.command, path, query, body, dict(self.headers))
        self.stub.requests.append(request)
        fault = self.stub.fault_of(request)
        if fault == "slow":
            time.sleep(30)
        if fault in ("slow", "cut before"):
            self.close_connection = True
        elif fault.isdigit():
            self._refuse(int(fault), "the stub was told to refuse")
        elif fault in _STRANGE:
            self._send(*_STRANGE[fault])
        else:
            if fault.startswith("half"):
                request.body["points"] = request.body["points"][: int(fault.split()[1])]
            self._answer(request, fault)

    def _answer(self, request: Request, fault: str) -> None:
        try:
            kind, data = self._answered(request, fault)
        except RefusedError as error:
            self._refuse(error.status, str(error))
            return
        if fault.startswith(("cut", "half")):
            self.close_connection = True
        else:
            self._send(200, kind, data)

    def _answered(self, request: Request, fault: str) -> tuple[str, bytes]:
        file = re.fullmatch(r"/collections/([^/]+)/snapshots/([^/]+)", request.path)
        if file:
            data = self.stub.collections[file[1]].snapshots[file[2]]
            return "application/octet-stream", data[:10] if fault == "short" else data
        if request.path == "/":
            return _JSON, json.dumps({"title": "qdrant", "version": self.stub.version}).encode()
        result = self.stub.answer(request)
        if fault == "acknowledged":
            result = {"operation_id": 0, "status": "acknowledged"}
        return _JSON, json.dumps({"result": result, "status": "ok", "time": 0.001}).encode()

    def _refuse(self, status: int, error: str) -> None:
        said = {"status": {"error": error}, "time": 0.001}
        self._send(status, _JSON, json.dumps(said).encode())

    def _send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815


_STRANGE = {
    "html": (200, "text/html", b"<html><body>Welcome to the router</body></html>"),
    "html 404": (404, "text/html", b"<html>Not here</html>"),
    "not json": (200, _JSON, b'{"result": '),
    "other json": (200, _JSON, b'{"hello": "world"}'),
}


def _done() -> Json:
    return {"operation_id": 1, "status": "completed"}


def _described(collection: Collection) -> Json:
    settings = collection.settings
    params = ("vectors", "shard_number", "replication_factor", "write_consistency_factor")
    return {
        "status": "green",
        "optimizer_status": "ok",
        "points_count": len(collection.points),
        "indexed_vectors_count": 0,
        "segments_count": 1,
        "config": {
            "params": {name: settings[name] for name in params},
            "hnsw_config": {**settings["hnsw_config"], "full_scan_threshold": 10_000},
            "optimizer_config": {
                "deleted_threshold": 0.2,
                "vacuum_min_vector_number": 1_000,
                "default_segment_number": 0,
                "flush_interval_sec": 5,
            },
            "metadata": settings.get("metadata"),
        },
        "payload_schema": {
            name: {"data_type": type_, "points": 0} for name, type_ in collection.indexes.items()
        },
    }


def _index(collection: Collection, body: Json) -> Json:
    collection.indexes[body["field_name"]] = body["field_schema"]
    return _done()


def _upsert(collection: Collection, points: list[Json]) -> Json:
    sizes = {name: one["size"] for name, one in collection.settings["vectors"].items()}
    for point in points:
        _check_sizes(point["vector"], sizes)
    for point in points:
        collection.points[point["id"]] = {
            "payload": point["payload"],
            "vector": {name: _float32(row) for name, row in point["vector"].items()},
        }
    return _done()


def _put_vectors(collection: Collection, points: list[Json]) -> Json:
    for point in points:
        named = {name: _float32(row) for name, row in point["vector"].items()}
        collection.points[point["id"]]["vector"] |= named
    return _done()


def _check_sizes(vectors: Json, sizes: Mapping[str, int]) -> None:
    for name, row in vectors.items():
        if name not in sizes:
            raise RefusedError(400, f"Wrong input: Not existing vector name error: {name}")
        if len(row) != sizes[name]:
            error = f"Vector dimension error: expected dim: {sizes[name]}, got {len(row)}"
            raise RefusedError(400, f"Wrong input: {error}")


def _float32(row: list[float]) -> list[float]:
    numbers: list[float] = np.array(row, np.float32).tolist()
    return numbers


def _delete(collection: Collection, ids: list[str]) -> Json:
    for one in ids:
        collection.points.pop(one, None)
    return _done()


def _shown(id_: str, point: Json, body: Json) -> Json:
    wanted, vectors = body.get("with_payload"), body.get("with_vector")
    payload = point["payload"] if wanted else None
    if isinstance(wanted, list):
        payload = {name: point["payload"][name] for name in wanted if name in point["payload"]}
    named = point["vector"] if vectors else None
    if isinstance(vectors, list):
        named = {name: point["vector"][name] for name in vectors if name in point["vector"]}
    return {"id": id_, "payload": payload, "vector": named}


def _retrieve(collection: Collection, body: Json) -> Json:
    points = collection.points
    return [_shown(one, points[one], body) for one in body["ids"] if one in points]


def _matching(collection: Collection, body: Json) -> list[str]:
    wanted = body.get("filter")
    return [
        id_
        for id_, point in collection.points.items()
        if wanted is None or fits(wanted, id_, point["payload"])
    ]


def _scroll(collection: Collection, body: Json) -> Json:
    ids = sorted(collection.points, key=str)
    ids = [one for one in ids if str(one) >= str(body.get("offset") or "")]
    page, rest = ids[: body["limit"]], ids[body["limit"] :]
    return {
        "points": [_shown(one, collection.points[one], body) for one in page],
        "next_page_offset": rest[0] if rest else None,
    }


def _query(collection: Collection, body: Json) -> Json:
    name, query = body["using"], np.array(body["query"]["nearest"], np.float32)
    found = []
    for id_ in _matching(collection, body):
        row = collection.points[id_]["vector"].get(name)
        if row is not None:
            found.append((float(np.array(row, np.float32) @ query), id_))
    found.sort(key=lambda one: -one[0])
    return {
        "points": [
            {**_shown(id_, collection.points[id_], body), "version": 1, "score": score}
            for score, id_ in found[: body["limit"]]
        ]
    }


def _snapshots(method: str, collection: Collection) -> Json:
    if method == "POST":
        data = json.dumps(collection.points).encode()
        collection.snapshots[f"shoes-{len(collection.snapshots)}.snapshot"] = data
    described = [
        {
            "name": name,
            "size": len(data),
            "creation_time": f"2026-01-0{place + 1}T00:00:00",
            "checksum": hashlib.sha256(data).hexdigest(),
        }
        for place, (name, data) in enumerate(collection.snapshots.items())
    ]
    return described[-1] if method == "POST" else described


def fits(wanted: Json, id_: str, payload: Json) -> bool:
    """Whether a filter holds, as the documentation of filters says."""
    if not {"must", "should", "must_not"} & {key for key, value in wanted.items() if value}:
        return _fits_one(wanted, id_, payload)
    return (
        all(fits(one, id_, payload) for one in wanted.get("must") or [])
        and not any(fits(one, id_, payload) for one in wanted.get("must_not") or [])
        and (not wanted.get("should") or any(fits(one, id_, payload) for one in wanted["should"]))
    )


def _fits_one(wanted: Json, id_: str, payload: Json) -> bool:
    if "has_id" in wanted:
        return id_ in wanted["has_id"]
    if "is_empty" in wanted:
        return _value(payload, wanted["is_empty"]["key"]) in (None, [])
    value = _value(payload, wanted["key"])
    values = value if isinstance(value, list) else [value]
    if wanted.get("match"):
        match = wanted["match"]
        accepted = match["any"] if "any" in match else [match["value"]]
        return any(
            type(one) is type(other) and one == other for one in values for other in accepted
        )
    return any(_in_range(one, wanted["range"]) for one in values)


def _in_range(value: Json, bounds: Json) -> bool:
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    if any(isinstance(bound, str) for bound in given.values()):
        value = _moment(value) if isinstance(value, str) else None
        given = {name: _moment(bound) for name, bound in given.items()}
    elif isinstance(value, bool | str | dict | list):
        return False
    if value is None:
        return False
    compare = {
        "gt": lambda one, bound: one > bound,
        "gte": lambda one, bound: one >= bound,
        "lt": lambda one, bound: one < bound,
        "lte": lambda one, bound: one <= bound,
    }
    return all(compare[name](value, bound) for name, bound in given.items())


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _value(payload: Json, key: str) -> Json:
    for quoted, plain in _SEGMENT.findall(key):
        if not isinstance(payload, dict):
            return None
        payload = payload.get(quoted or plain)
    return payload
