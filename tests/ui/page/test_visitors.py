"""Rows of section G of the reliability plan that need a server: see docs/reliability.md."""

import ast
import http.client
import io
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from indexer.disk import DiskCollection
from tests.ui.conftest import ROOT
from tests.ui.page.visitor import Served, Visitor, served
from tests.ui.process import check_nothing_is_left, eventually
from ui.asked import MAX_BYTES
from ui.uploads import ALL_BYTES, FILE_MEGABYTES, FILES, VISITOR_BYTES

LYING = [(20.0, 112.0), (236.0, 112.0), (236.0, 144.0)]
STANDING = [(112.0, 20.0), (112.0, 236.0), (144.0, 236.0)]
AWAY = {"STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": "1"}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("visited")


@pytest.fixture(scope="module")
def shop(shapes: Path, work: Path) -> Path:
    """A collection that may change."""
    return Path(shutil.copytree(shapes.parent, work / "all")) / shapes.name


@pytest.fixture(scope="module")
def server(shop: Path, work: Path) -> Iterator[Served]:
    with served(shop, work, **AWAY) as found:
        yield found


def found(visitor: Visitor) -> list[str]:
    """Ids of hits, best first."""
    return [card["id"] for card in visitor.data("fgir_hits")[0]["hits"]]


def whole_picture(colour: str = "#a3c", side: int = 40) -> bytes:
    memory = io.BytesIO()
    image = Image.new("RGB", (96, 96), "white")
    image.paste(colour, (20, 20, 20 + side, 30))
    image.save(memory, "PNG")
    return memory.getvalue()


def test_g1_only_this_machine_reaches_it(server: Served):
    assert len(server.listening) == 1
    assert server.listening[0].startswith("0100007F:")  # 127.0.0.1 as the system writes it


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1", "http://evil.example"),
        ("127.0.0.1", "null"),
        ("evil.example", "http://evil.example:{port}"),  # a name that was made to lead here
    ],
)
def test_g2_pages_of_other_sites_get_no_visit(server: Served, host: str, origin: str):
    port = int(server.address.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port)) as wire,
        pytest.raises(InvalidStatus) as refusal,
    ):
        connect(
            f"ws://{host}:{port}/_stcore/stream",
            sock=wire,
            additional_headers={"Origin": origin.format(port=port)},
            proxy=None,
        )
    assert refusal.value.response.status_code == 403


def test_g2_uploads_show_the_token_of_the_page(server: Served):
    with Visitor(server) as visitor:
        for headers in ({"X-Xsrftoken": "x"}, {"Cookie": ""}):
            assert visitor.put(b"1", **headers).status_code == 403
        other = visitor.session[:-1] + ("0" if visitor.session[-1] != "0" else "1")
        mine, visitor.session = visitor.session, other
        assert visitor.put(b"1").status_code == 400  # nobody of that name is here
        visitor.session = mine
        assert visitor.put(b"1").status_code == 204


def test_g3_a_file_is_not_too_large(server: Served):
    with Visitor(server, "photo") as visitor:
        assert visitor.put(bytes((FILE_MEGABYTES << 20) + 1)).status_code == 413
        visitor.upload("photo_file", bytes(MAX_BYTES + 1))
        assert f"must have at most {MAX_BYTES:,} bytes; got {MAX_BYTES + 1:,}." in visitor.said


HOSTILE = {
    "exe": b"MZ" + bytes(200),
    "html": b"<html><script>alert(1)</script>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
    "zip": b"PK\x03\x04" + bytes(200),
}


@pytest.mark.parametrize(
    ("view", "key"), [("photo", "photo_file"), ("recognise", "recognise_photo")]
)
def test_g4_content_decides_what_is_a_photo(server: Served, view: str, key: str):
    with Visitor(server, view) as visitor:
        for number, (kind, data) in enumerate(HOSTILE.items()):
            visitor.upload(key, data, f"nice.{kind}.jpg", str(number))
            assert "must be a JPEG, PNG, WebP, BMP or GIF image" in visitor.said, kind
            assert "alert(1)" not in visitor.said


def test_g5_a_visitor_uploads_so_many_files_and_no_more(server: Served):
    with Visitor(server) as visitor, Visitor(server) as other:
        codes = [visitor.put(b"1", file=str(number)).status_code for number in range(FILES)]
        assert codes == [204] * FILES
        refused = visitor.put(b"1", file="more")
        assert refused.status_code == 413
        assert refused.text == (
            f"The page must keep at most {FILES} files of one visitor; got more. Please reload it."
        )
        assert other.put(b"1").status_code == 204


def test_g5_what_is_shown_no_more_is_dropped(server: Served):
    first, second = whole_picture("#a3c"), whole_picture("#3ca", 60)
    with Visitor(server, "recognise") as visitor:
        visitor.upload("recognise_photo", first, "first.png", "1")
        visitor.put(b"not yet shown", file="3")
        visitor.upload("recognise_photo", second, "second.png", "2")
        assert "Add a photo" not in visitor.said
        (shown,) = visitor.state("recognise_photo").file_uploader_state_value.uploaded_file_info
        shown.file_id = "1"
        assert "Add a photo" in visitor.run().said  # there is no such file any more
        shown.file_id = "3"
        assert "13 bytes of something else" in visitor.run().said  # this one has waited


@pytest.mark.slow
def test_g5_memory_of_uploads_is_bounded_and_given_back(server: Served):
    with Visitor(server, "photo") as visitor:
        visitor.upload("photo_file", whole_picture())
    before = server.memory
    with ExitStack() as stack:
        visitors = [stack.enter_context(Visitor(server, "photo")) for _ in range(3)]
        codes = [
            visitor.put(bytes([number]) * (1 << 20), file=str(number)).status_code
            for visitor in visitors
            for number in range(200)
        ]
        assert {code: codes.count(code) for code in codes} == {204: 3 * FILES, 413: 600 - 3 * FILES}
        assert server.memory - before < 260
    eventually(lambda: server.memory - before < 60)
    assert server.memory - before < 60


def test_g6_a_name_is_no_path_and_no_markup(server: Served, tmp_path: Path):
    names = [
        "../../../etc/passwd",
        "..\\..\\boot.ini",
        "/etc/passwd",
        "<script>alert(1)</script>.png",
        "[x](javascript:alert(1))",
        ":red[a] **b** `c`",
        "a\x1b[31m.png",
        "name\nof two lines",
        "x" * 2000,
        "‮gnp.exe",
    ]
    with Visitor(server, "photo") as visitor:
        assert visitor.put(b"no picture", "x" * 5000).status_code == 400
        for number, name in enumerate(names):
            visitor.upload("photo_file", b"no picture", name, str(number))
            (alert,) = [one.alert.body for one in visitor.page if one.WhichOneof("type") == "alert"]
            assert len(alert) < 400
            for mark in ("\x1b", "\n", "xxxxx" * 20):
                assert mark not in alert
            assert re.search(r"(?<!\\)[][<>*`:()]", alert) is None  # Markdown shows each as it is
    assert not (ROOT / "etc").exists()


def asked_by_many(server: Served, visitors: int, searches: int) -> None:
    """Everybody draws at the same time, and gets the answer to their own drawing."""
    with ExitStack() as stack:
        everybody = [stack.enter_context(Visitor(server)) for _ in range(visitors)]
        for number in range(1, searches + 1):
            for place, visitor in enumerate(everybody):
                visitor.draw(number, (LYING, STANDING)[(place + number) % 2])
                visitor.ask()
            for place, visitor in enumerate(everybody):
                (answer,) = visitor.wait().data("fgir_hits")
                assert answer["number"] == number
                want = ("lying", "standing")[(place + number) % 2]
                assert answer["hits"][0]["id"].startswith(want)
    assert server.count("loaded") == 1


def test_g7_everybody_is_answered(server: Served):
    asked_by_many(server, 6, 2)


@pytest.mark.slow
def test_g7_fifty_visitors_are_answered(server: Served):
    asked_by_many(server, 2, 1)
    before = server.memory
    asked_by_many(server, 50, 5)
    assert server.memory - before < 300


def test_g8_a_flood_of_drawings_ends_with_the_last(server: Served):
    with Visitor(server) as visitor:
        visitor.draw(1, LYING)
        visitor.run()
        before = server.count("encoded")
        for number in range(2, 302):
            visitor.draw(number, [(number / 2, 20.0), (number / 2, 236.0)])
            visitor.ask()
        visitor.draw(302, STANDING)
        visitor.ask()
        while visitor.wait().data("fgir_hits")[0]["number"] != 302:
            pass
        assert found(visitor)[0].startswith("standing")
        assert server.count("encoded") - before < 150  # runs that a newer drawing overtook ended


ODD: list[object] = [None, 3, [], {"drawing": 3}, {"drawing": {"number": True, "canvas": 1}}]


def test_g9_what_no_browser_of_ours_sends_is_refused_in_words(server: Served):
    canvas = '{{"width": 256, "height": 256, "strokes": [{{"p": {}}}]}}'
    many = "[" + ",".join(["[1,1]"] * 100_000) + "]"
    with Visitor(server) as visitor:
        for number, (text, words) in enumerate(
            [
                (canvas.format(many), "at most 20,000 points; got 100,000"),
                (canvas.format("[[NaN, 1], [2, 2]]"), "the drawing must"),
                (canvas.format('[["a", 1], [2, 2]]'), "the drawing must"),
                (canvas.format("[[1e300, 1], [2, 2]]"), "points must be finite"),
                ("[" * 50_000, "the drawing must"),
                ("x" * 2_000_001, "at most 2,000,000 bytes; got 2,000,001"),
            ]
        ):
            sent = {"number": number + 1, "canvas": text, "loaded": ""}
            visitor.send("draw_canvas", {"drawing": sent})
            assert words in visitor.run().said, text[:60]
        for nothing in ODD:
            visitor.send("draw_canvas", nothing)
            assert "Draw what you look for" in visitor.run().said
        for given in ODD[1:3]:
            visitor.view = "photo"
            visitor.states.clear()
            visitor.run().upload("photo_file", whole_picture())
            visitor.send("photo_region", {"region": given})
            assert "Nearest to your photo" in visitor.run().said


def crossed(server: Served, times: int) -> None:
    """Two visitors in turns, each with a photo and a drawing that the other must never meet."""
    own = {
        "canaryone": (LYING, whole_picture("#f0f", 50)),
        "canarytwo": (STANDING, whole_picture()),
    }
    with ExitStack() as stack:
        drawing = {name: stack.enter_context(Visitor(server)) for name in own}
        asking = {name: stack.enter_context(Visitor(server, "photo")) for name in own}
        pictures: dict[str, str] = {}
        alone: dict[str, tuple[list[str], list[str]]] = {}
        for turn in range(times):
            for name, (points, photo) in own.items():
                other = next(one for one in own if one != name)
                drawing[name].draw(turn + 1, points)
                drawing[name].run()
                asking[name].upload("photo_file", photo + name.encode(), f"{name}.png", str(turn))
                (region,) = asking[name].data("fgir_region")
                pictures.setdefault(name, region["picture"])
                assert region["picture"] == pictures[name]
                answer = found(drawing[name]), found(asking[name])
                assert alone.setdefault(name, answer) == answer
                for visitor in (drawing[name], asking[name]):
                    assert other.encode() not in visitor.raw
                    assert other not in pictures or pictures[other] not in visitor.said
        (mine, theirs) = pictures.values()
        assert mine != theirs
        (mine_found, their_found) = (answer[0] for answer in alone.values())
        assert mine_found != their_found
        for name, visitor in asking.items():  # a file of another is not there, whatever its id
            other = next(one for one in own if one != name)
            visitor.put(own[name][1] + other.encode(), f"{other}.png", "secret")
            thief = asking[other]
            (given,) = thief.state("photo_file").file_uploader_state_value.uploaded_file_info
            given.file_id = f"secret of {name}"
            thief.run()
            assert name.encode() not in thief.raw


def test_g10_nobody_meets_what_another_gave(server: Served):
    crossed(server, 5)


@pytest.mark.slow
def test_g10_nobody_meets_what_another_gave_in_200_turns(server: Served):
    crossed(server, 200)


SHARED = {"Path", "int", "str", "tuple[int, int, int]", "DiskCollection"}
"""Kinds of values that what all visitors share may be made from: nothing that one of them gave."""


def test_g10_nothing_that_all_share_is_made_from_what_one_gave():
    cached, globals_ = {}, []
    for path in (ROOT / "ui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Global):
                globals_.append(f"{path}: {node.names}")
            if isinstance(node, ast.FunctionDef) and "cache" in " ".join(
                ast.unparse(one)
                for one in node.decorator_list
                if "cached_property" not in ast.unparse(one)
            ):
                kinds = {ast.unparse(one.annotation) for one in node.args.args if one.annotation}
                cached[f"{path}: {node.name}"] = kinds
    assert globals_ == []
    assert len(cached) >= 4
    assert {name: kinds for name, kinds in cached.items() if not kinds <= SHARED} == {}


def test_g12_no_data_becomes_markup():
    html = []
    for path in (ROOT / "ui").rglob("*.py"):
        text = path.read_text("utf-8")
        assert "unsafe_allow_html" not in text, path
        assert "unsafe_allow_javascript" not in text, path
        html += [
            ast.unparse(node)
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "st.html"
        ]
    assert html == ["st.html(_HERE / 'page.css')"]


@pytest.mark.parametrize("prefix", ["", "/static", "/media", "/component", "/app/static"])
def test_g13_no_address_leads_to_a_file(server: Served, prefix: str):
    secret = Path("/etc/passwd").read_bytes()
    port = int(server.address.rpartition(":")[2])
    document = httpx.get(server.address).content
    for way in (
        "/../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/..%5c..%5cboot.ini",
    ):
        wire = http.client.HTTPConnection("127.0.0.1", port)
        wire.request("GET", prefix + way)
        answer = wire.getresponse()
        body = answer.read()
        wire.close()
        assert secret[:40] not in body
        assert answer.status in (400, 403, 404) or body == document


@pytest.mark.parametrize("view", ["draw", "photo", "recognise", "collection"])
def test_a_views_own_address_is_told_where_the_server_is(server: Served, view: str):
    document = httpx.get(f"{server.address}/{view}")
    assert document.status_code == 200
    assert document.text.count("window.__streamlit = {BACKEND_BASE_URL: ") == 1
    assert document.text.index("BACKEND_BASE_URL") < document.text.index('<script type="module"')


def crowd_leaves(server: Served, count: int) -> None:
    with Visitor(server) as visitor:
        visitor.draw(1, LYING)
        visitor.run()
    before = server.threads
    for number in range(count):
        with Visitor(server) as visitor:
            visitor.draw(1, (LYING, STANDING)[number % 2])
            visitor.ask()
    eventually(lambda: server.threads <= before + 2)
    assert server.threads <= before + 2
    asked_by_many(server, 1, 1)


def test_g16_who_leaves_during_a_search_leaves_no_thread(server: Served):
    crowd_leaves(server, 5)


@pytest.mark.slow
def test_g16_fifty_leave_during_a_search(server: Served):
    crowd_leaves(server, 50)


def test_g17_the_page_holds_no_lock_and_sees_changes(server: Served, shop: Path):
    with Visitor(server) as visitor:
        visitor.draw(1, LYING)
        first = found(visitor.run())[0]
        with DiskCollection.open(shop, write=True) as collection:
            collection.remove([first])
        assert first not in found(visitor.run())


def test_g19_nothing_is_asked_of_anybody_else(server: Served):
    asked_by_many(server, 1, 5)
    assert server.strangers == []


@pytest.mark.parametrize("count", [100, pytest.param(10_000, id="10,000", marks=pytest.mark.slow)])
def test_i1_drawings_leave_nothing_behind(server: Served, count: int):
    with Visitor(server) as visitor:
        for number in range(1, count + 1):
            if number == max(count // 10, 50):
                before = server.held
            visitor.draw(number, [(number % 250, 20.0), (number % 240, 236.0)])
            assert visitor.run().data("fgir_hits")[0]["number"] == number
        check_nothing_is_left(server, before)
    assert list(server.temporary.iterdir()) == []


def test_limits_hold_one_another():
    assert FILE_MEGABYTES << 20 <= VISITOR_BYTES <= ALL_BYTES
