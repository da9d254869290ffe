"""How much is taken from strangers, and who is one."""

import asyncio
import io
import logging
import os
import signal
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from retrieval.errors import BadInputError
from tests.ui.api.conftest import Serve, photo, picture
from tests.ui.api.test_search import SEARCH, ids, refused
from ui import picture_readers
from ui.api.admission import Admission
from ui.api.bodies import form_of, json_of
from ui.api.errors import RequestError
from ui.api.limits import Limits
from ui.picture_readers import PictureReaders

KEY = "0123456789abcdef0123"


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 10_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


HOSTILE = {
    "nothing": b"",
    "one byte": b"\x89",
    "text": b"I am a photo",
    "html": b"<html><script>alert(1)</script>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
    "program": b"MZ" + bytes(200),
    "archive": b"PK\x03\x04" + bytes(200),
    "polyglot": b"GIF89a/*<script>*/=1;",
    "cut PNG": picture()[:-40],
    "cut JPEG": picture(form="JPEG")[:400],
    "20,000 x 20,000": bomb(20_000, 20_000),
    "2^31 - 1": bomb(2**31 - 1, 2**31 - 1),
    "1 x 20,000": bomb(1, 20_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_content_decides_what_is_a_picture(shop: TestClient, made: Path, name: str):
    for field in ("photo", "sketch"):
        files = {field: ("nice.jpg", HOSTILE[name], "image/jpeg")}
        refused(shop.post(SEARCH, files=files), 400, f"{field} must be", "got")
    assert shop.post(
        "/v1/collections/shop/classify", files={"photo": HOSTILE[name]}
    ).is_client_error
    assert len(ids(shop.post(SEARCH, files=photo(made)))) == 10


def test_a_name_and_a_type_say_nothing(shop: TestClient):
    plain = shop.post(SEARCH, files={"photo": ("a.png", picture(), "image/png")}).json()
    lied = {"photo": ("../../etc/passwd\x1b.exe", picture(), "text/html")}
    assert shop.post(SEARCH, files=lied).json() == plain


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        ({"content": b"{}"}, 415, "content-type must be application/json; got 'none'"),
        ({"content": b"k=1", "headers": {"content-type": "text/plain"}}, 415, "got 'text/plain'"),
        ({"data": {"k": "1"}}, 415, "got 'application/x-www-form-urlencoded'"),
        ({"content": b"[1]", "headers": {"content-type": "application/json"}}, 400, "got list"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "whole JSON"),
        (
            {"content": b'{"k": NaN}', "headers": {"content-type": "application/json"}},
            400,
            "NaN, which is no number",
        ),
        (
            {
                "content": b'{"k": ' + b"9" * 5000 + b"}",
                "headers": {"content-type": "application/json"},
            },
            400,
            "whole JSON",
        ),
        (
            {"content": b"\xff\xfe{}", "headers": {"content-type": "application/json"}},
            400,
            "must",
        ),
        (
            {"content": b"a", "headers": {"content-type": "multipart/form-data"}},
            400,
            "the form must be whole",
        ),
        (
            {
                "content": b"--b\r\nno header",
                "headers": {"content-type": "multipart/form-data; boundary=b"},
            },
            400,
            "the form must",
        ),
        ({"files": {"other": b"1"}}, 400, "a file called photo or sketch; got 'other'"),
        ({"files": [("photo", b"1"), ("photo", b"2")]}, 400, "the form must be whole"),
        ({"files": {"photo": b"1"}, "data": {"k": "0"}}, 400, "k must be greater"),
        ({"files": {"photo": b"1"}, "data": {"q": "0"}}, 400, "no field called 'q'"),
        ({"files": {"photo": b"1"}, "data": {"k": ["1", "2"]}}, 400, "k must be given once"),
        ({"files": {"photo": b"1"}, "data": {f"f{n}": "" for n in range(17)}}, 400, "whole"),
        ({"files": {"photo": b"1"}, "data": {"where": "[" * 50_000}}, 400, "where must be"),
    ],
)
def test_damaged_bodies_are_explained(
    shop: TestClient, sent: dict[str, Any], status: int, words: str
):
    refused(shop.post(SEARCH, **sent), status, words)


@pytest.mark.parametrize("depth", [65, 900, 100_000])
def test_json_is_not_too_deep(shop: TestClient, depth: int):
    deep = b'{"where": ' + b'{"not":' * depth + b"1" + b"}" * depth + b"}"
    answer = shop.post(SEARCH, content=deep, headers={"content-type": "application/json"})
    refused(answer, 400, "nested at most 64 levels deep")


def test_conditions_are_not_too_deep(shop: TestClient):
    where: Any = {"field": "price", "lt": 3}
    for _ in range(40):
        where = {"not": where}
    refused(shop.post(SEARCH, json={"id": "red/0.png", "where": where}), 400, "32 levels")


@pytest.mark.parametrize(
    "drawing",
    [
        {"strokes": [{"p": [[n, n] for n in range(100_001)]}]},
        {"strokes": [{"p": [[1e9, 0], [0, 0]]}]},
        {"strokes": [{"p": [[0, 0], [1, 1]], "w": -1}]},
        {"strokes": [{"p": []}]},
        {"width": "wide", "strokes": [{"p": [[0, 0], [1, 1]]}]},
        {"strokes": [{"p": [[0, 0], [9, 9]]}, {"p": [[0, 0], [9, 9]], "erase": True, "w": 90}]},
    ],
)
def test_drawings_are_bounded(shop: TestClient, drawing: dict[str, Any]):
    refused(shop.post(SEARCH, json={"drawing": drawing}), 400, "drawing must", "got")


def test_bodies_are_bounded(serve: Serve, made: Path):
    client = serve(made / "shop", limits=Limits(upload_bytes=5000, json_bytes=500))
    data = picture() + bytes(5000)
    refused(client.post(SEARCH, files={"photo": data}), 413, "at most 5,000 bytes")
    refused(client.post(SEARCH, json={"vector": [0.1] * 500}), 413, "at most 500 bytes")
    sent = client.post(SEARCH, files={"photo": b"1"}, data={"where": " " * 600})
    refused(sent, 400, "the form must be whole")


Read = Callable[[Request, Limits], Any]


@pytest.mark.parametrize(("read", "kind"), [(json_of, "application/json"), (form_of, "form")])
def test_bytes_are_counted_whatever_was_announced(read: Read, kind: str):
    """A body without an end is left after its limit, and a slow one after its time."""
    boundary = b"multipart/form-data; boundary=b"
    headers = [(b"content-type", kind.encode() if kind != "form" else boundary)]
    head = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
    given = 0

    async def endless() -> Message:
        nonlocal given
        given += 1
        return {
            "type": "http.request",
            "body": head if given == 1 else b"x" * 99,
            "more_body": True,
        }

    async def slow() -> Message:
        await asyncio.sleep(60)
        raise AssertionError("nobody waited")

    limits = Limits(upload_bytes=5000, json_bytes=5000, upload_seconds=0.2)
    for receive, status in ((endless, 413), (slow, 408)):
        request = Request({"type": "http", "headers": headers}, receive)
        with pytest.raises(RequestError) as refusal:
            asyncio.run(read(request, limits))
        assert refusal.value.status == status
    assert given < 60


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., PictureReaders]]:
    made = []

    def start(count: int = 1, seconds: float = 60.0, memory: int = 2 * 10**9) -> PictureReaders:
        made.append(PictureReaders(count, seconds, memory))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_a_decoder_that_hangs_is_killed(
    readers: Callable[..., PictureReaders], monkeypatch: pytest.MonkeyPatch
):
    slow = readers(seconds=0.3)
    with monkeypatch.context() as patch:
        patch.setattr(picture_readers, "_PROGRAM", "import time; time.sleep(600)")
        with pytest.raises(BadInputError, match=r"photo must be .* got over 0.3 s of work"):
            slow.pixels(picture(), "photo")
        process = slow._idle.get()
        slow._idle.put(process)
        assert process is not None
        assert process.poll() == -signal.SIGKILL


def test_a25_decoders_die_and_the_next_picture_is_read(readers: Callable[..., PictureReaders]):
    reader = readers()
    want = reader.pixels(picture(), "photo").tobytes()
    for _ in range(3):
        process = reader._idle.get()
        reader._idle.put(process)
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert reader.pixels(picture(), "photo").tobytes() == want


def test_a_decoder_has_bounded_memory(readers: Callable[..., PictureReaders]):
    with pytest.raises(BadInputError, match="photo must be one that can be decoded; got"):
        readers(memory=10_000_000).pixels(picture(), "photo")


def test_decoders_know_no_key(
    readers: Callable[..., PictureReaders], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FGIR_API_KEY", KEY)
    reader = readers()
    reader.start()
    process = reader._idle.get()
    reader._idle.put(process)
    assert process is not None
    assert KEY.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()


def test_uploads_do_not_touch_the_disk(
    shop: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Pictures beyond the size at which forms are usually put into a file."""
    import tempfile

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    noise = io.BytesIO()
    from PIL import Image

    Image.effect_noise((1500, 1500), 90).save(noise, "PNG")
    assert noise.tell() > 2_000_000
    assert len(ids(shop.post(SEARCH, files={"photo": noise.getvalue()}))) == 10


class _Held:
    """An app whose requests run until they are let go."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.go.wait()
        self.running -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})


def test_requests_run_wait_or_come_back_later():
    async def ask(app: Admission, client: str, path: str = "/v1/collections") -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request"}

        await app({"type": "http", "path": path, "client": (client, 1)}, receive, send)
        return sent

    async def scenario() -> None:
        held = _Held()
        app = Admission(held, limits=Limits(running=2, waiting=3, per_client=2))
        tasks = [asyncio.create_task(ask(app, client)) for client in "aabbc"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert held.running == 2
        for client, words in (("a", b"a client must have at most 2"), ("d", b"at most 3 requests")):
            start, body = await ask(app, client)
            assert start["status"] == 429
            assert (b"retry-after", b"1") in start["headers"]
            assert words in body["body"]
        held.go.set()
        assert [(await task)[0]["status"] for task in tasks] == [200] * 5
        assert held.most == 2
        assert (await ask(app, "a"))[0]["status"] == 200
        assert not app._clients

    asyncio.run(scenario())


def test_health_answers_a_full_server():
    async def scenario() -> None:
        held = _Held()
        held.go.set()
        app = Admission(held, limits=Limits(running=1, waiting=0, per_client=0))
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request"}

        await app({"type": "http", "path": "/v1/health"}, receive, send)
        assert sent[0]["status"] == 200

    asyncio.run(scenario())


def test_the_key_has_to_be_shown(serve: Serve, made: Path):
    client = serve(made / "shop", key=KEY)
    assert client.get("/v1/health").status_code == 200
    for path in ("/v1/collections", "/v1/openapi.json", "/v1/collections/shop/items", "/gone"):
        for shown in ({}, {"authorization": KEY}, {"authorization": f"Bearer {KEY}x"}):
            answer = client.get(path, headers=shown)
            refused(answer, 401, "the API key must be shown")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert KEY not in answer.text
    right = {"authorization": f"Bearer {KEY}"}
    assert client.get("/v1/collections", headers=right).status_code == 200
    assert client.get("/v1/openapi.json", headers=right).json()["security"] == [{"key": []}]


def test_only_its_own_names_lead_to_this_machine(shop: TestClient):
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[::2]"):
        refused(shop.get("/v1/health", headers={"host": host}), 403, "host must be one of")
    for host in ("localhost:8000", "127.0.0.1", "[::1]:80"):
        assert shop.get("/v1/health", headers={"host": host}).status_code == 200


def test_pages_of_other_sites_may_not_ask(serve: Serve, made: Path):
    client = serve(made / "shop")
    for origin in ("https://evil.example", "null", "http://127.0.0.1:9999"):
        answer = client.post(SEARCH, json={"id": "red/0.png"}, headers={"origin": origin})
        refused(answer, 403, "origin must be one that is allowed")
        assert "access-control-allow-origin" not in answer.headers
    same = {"origin": "http://127.0.0.1"}
    assert client.post(SEARCH, json={"id": "red/0.png"}, headers=same).status_code == 200


def test_pages_that_are_allowed_may_ask(serve: Serve, made: Path):
    page = "https://shop.example"
    client = serve(made / "shop", origins=[page], key=KEY)
    asked = {"origin": page, "access-control-request-method": "POST"}
    answer = client.options(SEARCH, headers=asked)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, page)
    shown = {"origin": page, "authorization": f"Bearer {KEY}"}
    answer = client.post(SEARCH, json={"id": "red/0.png"}, headers=shown)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, page)
    other = {**shown, "origin": "https://evil.example"}
    answer = client.post(SEARCH, json={"id": "red/0.png"}, headers=other)
    refused(answer, 403, "origin must be")


def test_one_line_a_request_without_personal_content(
    shop: TestClient, made: Path, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, "fgir.serve"):
        shop.get("/v1/collections/shop/items/red/0.png?secret=1")
        shop.post(SEARCH, files=photo(made), headers={"x-forwarded-for": "1.2.3.4"})
        shop.get("/gone")
    lines = [record.getMessage() for record in caplog.records if record.name == "fgir.serve"]
    shown = [line.rsplit(" ", 2)[0] for line in lines]
    assert shown == [
        "GET /v1/collections/{name}/items/{id:path} 200",
        "POST /v1/collections/{name}/search 200",
        "GET - 404",
    ]


def test_a_bug_is_a_sentence_with_a_number(
    shop: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(*_: object, **__: object) -> None:
        raise KeyError("/secret/path")

    monkeypatch.setattr("ui.api.routes.service._facts", broken)
    answer = shop.get("/v1/collections")
    refused(answer, 500, "this is a bug")
    assert "secret" not in answer.text
    number = answer.json()["error"].split(" finds ")[1].split()[0]
    assert any(number in line and "KeyError" in line for line in caplog.messages)


def test_what_is_not_there_is_said_in_a_sentence(shop: TestClient):
    for path in ("/", "/gone", "/v1", "/v2/collections", "/docs", "/redoc", "/../../etc/passwd"):
        refused(shop.get(path), 404, "the address must be one of /v1/openapi.json")
    refused(shop.put("/v1/collections"), 405, "the method must be one that the address has")


def test_many_ask_at_once_and_get_their_own_answer(shop: TestClient):
    """No answer of one is given to another."""
    names = [f"{label}/{number}.png" for label in ("red", "blue") for number in range(4)]
    alone = {name: ids(shop.post(SEARCH, json={"id": name})) for name in names}
    got: list[tuple[str, list[str]]] = []

    def ask(name: str) -> None:
        got.extend((name, ids(shop.post(SEARCH, json={"id": name}))) for _ in range(4))

    threads = [threading.Thread(target=ask, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 32
    assert all(found == alone[name] for name, found in got)
