"""What is asked of a server, and what becomes of a person whose server misbehaves."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from indexer.disk import DiskCollection
from indexer.filters import Equal, Range
from indexer.qdrant.layout import Layout, Options, Tuning
from indexer.qdrant.location import KEY, URL, Location, is_location
from indexer.transfer import copy_items
from retrieval.errors import (
    BadInputError,
    DamagedDataError,
    EncoderMismatchError,
    UnavailableError,
)
from tests.indexer.gallery import DIM, FINGERPRINT, items_of, unit_rows, vectors_of
from tests.indexer.qdrant_stub import QdrantStub, running

pytest.importorskip("qdrant_client", reason="needs the extra qdrant: pip install -e '.[qdrant]'")

from indexer.qdrant import server_collection
from indexer.qdrant.points import point_id
from indexer.qdrant.server import Patience, Server
from indexer.qdrant.server_collection import QdrantCollection
from indexer.qdrant.snapshots import (
    download_snapshot,
    list_snapshots,
    make_snapshot,
    point_alias,
)

ROOT = Path(__file__).resolve().parents[2]
QUICK = Patience(request_seconds=1, total_seconds=1.5, first_wait=0.01, longest_wait=0.05)
NAMES = [f"item {number}" for number in range(64)]
SECRET = "a-key-that-nobody-shall-see"
Make = Callable[..., QdrantCollection]


@pytest.fixture
def stub() -> Iterator[QdrantStub]:
    with running(QdrantStub()) as stub:
        yield stub


@pytest.fixture
def make(stub: QdrantStub) -> Make:
    def one(*names: str, **layout: object) -> QdrantCollection:
        collection = QdrantCollection.create(
            server_of(stub),
            dim=DIM,
            fingerprint=FINGERPRINT,
            layout=Layout(**layout),  # type: ignore[arg-type]
        )
        if names:
            collection.add(vectors_of(names), items_of(names), fingerprint=FINGERPRINT)
        return collection

    return one


def server_of(stub: QdrantStub, key: str = "") -> Server:
    return Server(Location(stub.url, "shoes", key=key), QUICK)


def add(collection: QdrantCollection, *names: str, replace: bool = False) -> None:
    collection.add(vectors_of(names), items_of(names), fingerprint=FINGERPRINT, replace=replace)


def verbs(collection: QdrantCollection) -> dict[str, Callable[[], object]]:
    return {
        "open": lambda: QdrantCollection.open(collection.server),
        "count": lambda: len(collection),
        "add": lambda: add(collection, "new"),
        "remove": lambda: collection.remove(["item 0"]),
        "search": lambda: collection.search(vectors_of(["x"]), 3, fingerprint=FINGERPRINT),
        "get": lambda: collection.get("item 1"),
        "verify": collection.verify,
    }


VERBS = ("open", "count", "add", "remove", "search", "get", "verify")


def test_a_new_collection_is_asked_for_as_it_was_chosen(stub: QdrantStub, make: Make):
    make(
        shard_number=6,
        replication_factor=2,
        write_consistency_factor=2,
        on_disk=True,
        quantization="int8",
        m=32,
        ef_construction=256,
        sketch=True,
        fields={"price": "number", 'size."eu (new)"': "keyword", "since": "date", "sold": "bool"},
    )
    (body,) = [one.body for one in stub.requests if one.path == "/collections/shoes" and one.body]
    vector = {"size": DIM, "distance": "Dot", "on_disk": True}
    assert {name: _given(one) for name, one in body["vectors"].items()} == {
        "photo": vector,
        "sketch": vector,
    }
    assert (body["shard_number"], body["replication_factor"]) == (6, 2)
    assert (body["write_consistency_factor"], body["on_disk_payload"]) == (2, True)
    assert _given(body["hnsw_config"]) == {"m": 32, "ef_construct": 256}
    assert _given(body["quantization_config"]["scalar"]) == {"type": "int8", "always_ram": True}
    ours = body["metadata"]["fgir"]
    assert (ours["format"], ours["fingerprint"], ours["dim"]) == (1, FINGERPRINT, DIM)
    assert stub.collections["shoes"].indexes == {
        "id": "keyword",
        "label": "keyword",
        "payload.price": "float",
        'payload.size."eu (new)"': "keyword",
        "payload.since": "datetime",
        "payload.sold": "bool",
    }


def test_binary_quantization_is_asked_for(stub: QdrantStub, make: Make):
    make(quantization="binary")
    assert _given(stub.collections["shoes"].settings["quantization_config"]["binary"]) == {
        "always_ram": True
    }


def _given(body: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in body.items() if value is not None}


def test_a_large_collection_is_searched_through_the_graph(
    stub: QdrantStub, make: Make, monkeypatch: pytest.MonkeyPatch
):
    collection = make(*NAMES, quantization="int8")
    collection.tuning = Tuning(ef=77, oversampling=2.5)
    collection.search(vectors_of(["x"]), 3, fingerprint=FINGERPRINT)
    assert _params(stub) == {"exact": True}
    monkeypatch.setattr(server_collection, "EXACT_UP_TO", 10)
    collection.search(vectors_of(["x"]), 3, fingerprint=FINGERPRINT)
    walked = {"hnsw_ef": 77, "quantization": {"rescore": True, "oversampling": 2.5}}
    assert _params(stub) == walked
    where = Equal("label", "class 0")
    collection.search(vectors_of(["x"]), 3, fingerprint=FINGERPRINT, where=where)
    assert _params(stub) == {"exact": True}
    monkeypatch.setattr(server_collection, "EXACT_UP_TO_FILTERED", 5)
    collection.search(vectors_of(["x"]), 3, fingerprint=FINGERPRINT, where=where)
    assert _params(stub) == {**walked, "acorn": {"enable": True}}


def _params(stub: QdrantStub) -> dict[str, object]:
    params = _given(stub.sent("POST batch")[-1]["searches"][0]["params"])
    return {
        name: _given(value) if isinstance(value, dict) else value for name, value in params.items()
    }


def test_batches_are_limited_and_waited_for(stub: QdrantStub, make: Make):
    make(*[f"{number}" for number in range(300)])
    sent = [request for request in stub.requests if request.name == "PUT points"]
    assert [len(one.body["points"]) for one in sent] == [128, 128, 44]
    assert {one.query for one in sent} == {"wait=true"}


def test_one_item_is_one_point_whatever_its_name():
    names = [f"{number}" for number in range(10_000)]
    assert len({point_id(name) for name in names}) == 10_000
    assert point_id("cat/1.jpg") == "5bfbb602-32a3-584b-b28f-f9f26ffe1633"


@pytest.mark.parametrize("verb", VERBS)
def test_nobody_there_is_said_in_a_sentence(verb: str, make: Make, stub: QdrantStub):
    collection = make(*NAMES)
    dead = Server(Location("http://127.0.0.1:1", "shoes"), Patience(1, 0.2, 0.01, 0.05))
    collection.server = dead
    with pytest.raises(UnavailableError, match=r"^http://127.0.0.1:1 must .*; got no connection"):
        verbs(collection)[verb]()
    assert len(stub.collections["shoes"].points) == 64


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("fault", ["500", "502", "503", "504", "408", "429", "cut before"])
def test_a_server_that_comes_back_is_waited_for(
    verb: str, fault: str, make: Make, stub: QdrantStub
):
    collection = make(*NAMES)
    stub.fail(fault, times=3)
    verbs(collection)[verb]()
    want = {"add": 65, "remove": 63}.get(verb, 64)
    assert len(stub.collections["shoes"].points) == want


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("fault", ["400", "401", "403", "html", "not json", "other json"])
def test_a_refusal_is_not_repeated(verb: str, fault: str, make: Make, stub: QdrantStub):
    collection = make(*NAMES)
    before = len(stub.requests)
    stub.fail(fault, times=9)
    said = {
        "400": r"got a refusal \(400\): the stub was told to refuse",
        "401": f"must accept the key in {KEY} to .*; got 401",
        "403": f"must accept the key in {KEY} to .*; got 403",
    }.get(fault, "as a Qdrant server does; got another answer")
    with pytest.raises(BadInputError, match=said):
        verbs(collection)[verb]()
    assert len(stub.requests) == before + 1


def test_a_server_that_never_answers_is_left_in_time(make: Make, stub: QdrantStub):
    collection = make(*NAMES)
    stub.fail("slow", times=9)
    said = r"must count the items; got no answer within 1 s at \d attempts? in \d"
    with pytest.raises(UnavailableError, match=said):
        len(collection)
    assert len([one for one in stub.requests if one.name == "POST count"]) <= 2


def test_a_server_that_stays_away_ends_the_attempts(make: Make, stub: QdrantStub):
    collection = make(*NAMES)
    stub.fail("503", times=1000)
    with pytest.raises(UnavailableError, match=r"got 503 Service Unavailable at \d+ attempts"):
        add(collection, "new")


@pytest.mark.parametrize("applied", range(0, 65, 8))
def test_half_a_batch_is_sent_again_as_a_whole(applied: int, make: Make, stub: QdrantStub):
    collection = make()
    stub.fail(f"half {applied}", on="PUT points")
    add(collection, *NAMES)
    assert len(collection) == 64
    assert collection.verify() == []
    assert len(stub.sent("PUT points")) == 2


def test_cuts_at_random_lose_and_double_nothing(make: Make, stub: QdrantStub):
    collection = make()
    rng = random.Random(0)
    left: set[str] = set()
    for round_ in range(30):
        names = [f"{round_}/{number}" for number in range(rng.randint(1, 9))]
        for fault in rng.choices(["cut after", "cut before", f"half {len(names) // 2}"], k=2):
            stub.fail(fault, on=rng.choice(["PUT points", "POST points"]))
        add(collection, *names)
        left |= set(names)
        gone = rng.sample(sorted(left), min(2, len(left)))
        stub.fail(rng.choice(["cut after", "cut before"]), on="POST delete")
        collection.remove(gone)
        left -= set(gone)
    there = sorted(row.item().id for rows, _ in collection.blocks() for row in rows)
    assert there == sorted(left)


def test_a_change_that_was_only_taken_is_not_done(make: Make, stub: QdrantStub):
    collection = make()
    stub.fail("acknowledged", on="PUT points", times=2)
    add(collection, "a")
    assert len(stub.sent("PUT points")) == 3
    stub.fail("acknowledged", on="PUT points", times=1000)
    with pytest.raises(UnavailableError, match="the change was acknowledged and not applied"):
        add(collection, "b")


def test_a_restart_that_keeps_everything_goes_unnoticed(make: Make, stub: QdrantStub):
    collection = make(*NAMES)
    stub.restart(forget=False)
    add(collection, "new")
    assert len(collection) == 65


def test_a_restart_that_forgets_everything_is_told(make: Make, stub: QdrantStub):
    collection = make(*NAMES)
    stub.restart(forget=True)
    with pytest.raises(BadInputError, match=r"\(404\): Not found: Collection `shoes` doesn't exis"):
        add(collection, "new")
    with pytest.raises(BadInputError, match="must be a collection; got none of this name"):
        QdrantCollection.open(collection.server)


def test_a_lost_answer_to_making_a_collection_is_no_conflict(make: Make, stub: QdrantStub):
    stub.fail("cut after", on="PUT shoes")
    collection = make(*NAMES)
    assert len(collection) == 64


def test_collections_of_others_are_never_touched(make: Make, stub: QdrantStub):
    collection = make(*NAMES)
    there = stub.collections["shoes"]
    metadata = there.settings["metadata"]
    before = json.dumps(there.points)
    for change, said in (
        ({"metadata": None}, "must be made by this program; got a collection without its metadata"),
        ({"metadata": {"fgir": {"format": 1}}}, "must be made by this program"),
        ({"metadata": {"fgir": {**metadata["fgir"], "format": 2}}}, "format 1 or older; got 2"),
        (
            {"vectors": {"photo": {"size": 8, "distance": "Dot"}}},
            r"vectors 'photo' of 16 dimensions .*; got \(8, ",
        ),
        ({"vectors": {"size": DIM, "distance": "Cosine"}}, "got None"),
    ):
        kept = dict(there.settings)
        there.settings |= change
        for door in (
            lambda: QdrantCollection.open(collection.server),
            lambda: QdrantCollection.create(collection.server, dim=DIM, fingerprint=FINGERPRINT),
        ):
            with pytest.raises(BadInputError, match=said):
                door()  # type: ignore[no-untyped-call]
        there.settings = kept
    assert json.dumps(there.points) == before
    assert "DELETE shoes" not in {request.name for request in stub.requests}


@pytest.mark.parametrize(("version", "fits"), [("1.15.5", False), ("1.16.0", True), ("2.0", True)])
def test_a_server_must_be_new_enough(version: str, fits: bool):
    with running(QdrantStub(version=version)) as stub:
        server = server_of(stub)
        if fits:
            assert server.check_version() == version
            return
        with pytest.raises(BadInputError, match=r"version 1\.16 or newer; got '1.15.5'"):
            QdrantCollection.create(server, dim=DIM, fingerprint=FINGERPRINT)


def test_the_key_is_sent_and_shown_nowhere(tmp_path: Path):
    with running(QdrantStub(key=SECRET)) as stub:
        server = server_of(stub, SECRET)
        collection = QdrantCollection.create(server, dim=DIM, fingerprint=FINGERPRINT)
        add(collection, "a")
        assert {one.headers.get("api-key") for one in stub.requests} == {SECRET}
        collection.server = server_of(stub, "wrong")
        shown = [repr(server), str(server.location), collection.place, str(collection.info)]
        for verb in ("open", "count", "search"):
            with pytest.raises(BadInputError, match="must accept the key in QDRANT_API_KEY") as got:
                verbs(collection)[verb]()
            shown.append(str(got.value))
        assert not [text for text in shown if SECRET in text or "wrong" in text]
        assert SECRET not in json.dumps(stub.collections["shoes"].settings)


def test_a_refusal_that_repeats_the_key_is_shown_without_it(stub: QdrantStub):
    server = server_of(stub, "told")  # a word of the stub's refusal
    stub.fail("400")
    with pytest.raises(BadInputError, match=r"the stub was \*\*\* to refuse"):
        server.check_version()


@pytest.mark.parametrize(
    ("text", "environment", "url", "name"),
    [
        ("qdrant://localhost/shoes", {}, "http://localhost:6333", "shoes"),
        ("qdrant://10.0.0.7:7000/my-shoes_2.1", {}, "http://10.0.0.7:7000", "my-shoes_2.1"),
        ("qdrants://db.example/shoes", {KEY: "k"}, "https://db.example:6333", "shoes"),
        ("qdrants://db.example:443/shoes", {}, "https://db.example:443", "shoes"),
        ("qdrant:shoes", {URL: "https://db.example:443"}, "https://db.example:443", "shoes"),
        ("qdrant:shoes", {URL: "http://[::1]:6333/", KEY: "k"}, "http://[::1]:6333", "shoes"),
        ("qdrant://127.8.0.1/shoes", {KEY: "k"}, "http://127.8.0.1:6333", "shoes"),
    ],
)
def test_locations(text: str, environment: dict[str, str], url: str, name: str):
    place = Location.parse(text, environment)
    assert (place.url, place.name, place.key) == (url, name, environment.get(KEY, ""))
    assert is_location(text)


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ("qdrant:shoes", {}, "needs a server; got no QDRANT_URL"),
        ("qdrants:shoes", {URL: "https://db"}, "needs a server"),
        ("qdrant:///shoes", {}, "must name a host; got none"),
        ("qdrant://host:99999/shoes", {}, "port from 1 to 65535"),
        ("qdrant://host", {}, "a collection's name must be letters, .*; got ''"),
        ("qdrant://host/a/b", {}, "a collection's name must be letters, .*; got 'a/b'"),
        ("qdrant://host/..", {}, "a collection's name must be letters, .*; got '..'"),
        ("qdrant://host/a b", {}, "a collection's name must be letters"),
        ("qdrant://user:pass@host/shoes", {}, "must hold no key or password"),
        ("qdrant://host/shoes?api_key=x", {}, "must hold no key or password"),
        ("qdrant://db.example/shoes", {KEY: SECRET}, "must be reached by https"),
        ("qdrant:shoes", {URL: "http://10.0.0.1:6333", KEY: SECRET}, "must be reached by https"),
        ("qdrant:shoes", {URL: "http://me:pw@host"}, "QDRANT_URL must be http://HOST:PORT"),
        ("qdrant:shoes", {URL: "host:6333"}, "QDRANT_URL must be http://HOST:PORT"),
    ],
)
def test_texts_that_are_no_locations(text: str, environment: dict[str, str], said: str):
    with pytest.raises(BadInputError, match=said) as got:
        Location.parse(text, environment)
    assert SECRET not in str(got.value)
    assert "pass" not in str(got.value).replace("password", "")


def test_options_of_a_location():
    texts = {
        "shard_number": "6",
        "on_disk": "true",
        "ef": "256",
        "fields": "price:number,sold:bool",
    }
    options = Options.parse(texts)
    assert options.layout == {
        "shard_number": 6,
        "on_disk": True,
        "fields": {"price": "number", "sold": "bool"},
    }
    assert options.tuning == Tuning(ef=256)
    options.check("shoes", Layout(**options.layout))
    with pytest.raises(BadInputError, match="shoes must have shard_number 6; got 3, chosen when"):
        options.check("shoes", Layout(shard_number=3))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            {"shard_numbr": "6"},
            "no option of a location called 'shard_numbr'; .*mean 'shard_number'",
        ),
        ({"shard_number": "six"}, "shard_number must be a whole number; got 'six'"),
        ({"shard_number": "0"}, "shard_number must be at least 1; got 0"),
        ({"write_consistency_factor": "2"}, "at most replication_factor"),
        ({"oversampling": "nan"}, "oversampling must be at least 1; got nan"),
        ({"on_disk": "yes"}, "on_disk must be true or false; got 'yes'"),
        ({"quantization": "int9"}, "no quantization called 'int9'; .*Did you mean 'int8'"),
        ({"fields": "price"}, "fields must be NAME:TYPE"),
        ({"fields": "price:numbr"}, "field 'price' called 'numbr'.*Did you mean 'number'"),
        ({"fields": "a b:number"}, "a field must be id, label, path or a key"),
    ],
)
def test_options_nobody_can_have(texts: dict[str, str], said: str):
    with pytest.raises(BadInputError, match=said):
        Options.parse(texts)


def test_a_location_opens_or_makes_a_collection(stub: QdrantStub):
    place = f"qdrant://{stub.url.removeprefix('http://')}/shoes?shard_number=2&ef=99"
    with pytest.raises(BadInputError, match="must be a collection; got none of this name"):
        QdrantCollection.at(place, {})
    made = QdrantCollection.at(place, {}, fingerprint=FINGERPRINT, new_dim=DIM)
    add(made, "a")
    again = QdrantCollection.at(place, {}, fingerprint=FINGERPRINT, new_dim=DIM)
    assert (len(again), again.layout.shard_number, again.tuning.ef) == (1, 2, 99)
    with pytest.raises(BadInputError, match="must have shard_number 5; got 2"):
        QdrantCollection.at(place.replace("=2", "=5"), {})
    with pytest.raises(EncoderMismatchError, match="encoder of the collection"):
        QdrantCollection.at(place, {}, fingerprint="another", new_dim=DIM)


def test_snapshots_are_made_listed_and_downloaded(make: Make, stub: QdrantStub, tmp_path: Path):
    collection = make(*NAMES)
    made = make_snapshot(collection.server.location)
    add(collection, "later")
    second = make_snapshot(collection.server.location)
    assert list_snapshots(collection.server) == [made, second]
    out = tmp_path / "shoes.snapshot"
    download_snapshot(collection.server, made, out)
    assert len(json.loads(out.read_bytes())) == 64
    with pytest.raises(BadInputError, match="must be a new file"):
        download_snapshot(collection.server, made, out)
    for fault, kind, said in (
        ("short", DamagedDataError, "must be the snapshot of"),
        ("cut before", UnavailableError, "a connection that broke"),
        ("403", BadInputError, "must hand out the snapshot .*; got 403"),
    ):
        stub.fail(fault, on="GET shoes-0.snapshot")
        with pytest.raises(kind, match=said):
            download_snapshot(collection.server, made, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["shoes.snapshot"]


def test_a_snapshot_is_asked_for_once(make: Make, stub: QdrantStub):
    collection = make()
    stub.fail("503", on="POST snapshots")
    with pytest.raises(UnavailableError, match=r"must make a snapshot; got 503 .* at 1 attempt in"):
        make_snapshot(collection.server.location)


def test_an_alias_moves_in_one_step(make: Make, stub: QdrantStub):
    old = make("a")
    new = QdrantCollection.create(
        Server(Location(stub.url, "shoes-2"), QUICK), dim=DIM, fingerprint=FINGERPRINT
    )
    add(new, "b")
    alias = Server(Location(stub.url, "live"), QUICK)
    for collection, want in ((old, "a"), (new, "b")):
        point_alias(collection.server, "live")
        assert QdrantCollection.open(alias).get(want).id == want
    assert len(stub.sent("POST aliases")) == 2
    assert [list(one) for one in stub.sent("POST aliases")[1]["actions"]] == [
        ["delete_alias"],
        ["create_alias"],
    ]


def test_there_and_back_is_the_same_collection(make: Make, tmp_path: Path):
    names = [f"{number:03}" for number in range(300)]
    query = unit_rows(np.random.default_rng(0), 5)
    with (
        DiskCollection.create(tmp_path / "a" / "one", dim=DIM, fingerprint=FINGERPRINT) as one,
        DiskCollection.create(tmp_path / "two", dim=DIM, fingerprint=FINGERPRINT) as two,
    ):
        one.add(vectors_of(names), items_of(names), fingerprint=FINGERPRINT)
        server = make()
        assert copy_items(one, server) == copy_items(one, server) == 300
        assert server.get("007").path == f"{tmp_path.resolve()}/a/one/photos/007.jpg"
        assert copy_items(server, two) == 300
        assert two.get("007").path == "../a/one/photos/007.jpg"
        order = [two.ids().index(name) for name in one.ids()]
        np.testing.assert_array_equal(two.vectors[order], one.vectors)
        answers = [
            [
                [(hit.item.id, hit.score) for hit in hits]
                for hits in collection.search(query, 9, fingerprint=FINGERPRINT)
            ]
            for collection in (one, server, two)
        ]
        assert answers[0] == answers[1] == answers[2]


def test_a_copy_between_two_encoders_is_refused(make: Make, tmp_path: Path):
    with DiskCollection.create(tmp_path / "one", dim=DIM, fingerprint="another") as one:
        one.add(vectors_of(["a"]), items_of(["a"]), fingerprint="another")
        collection = make()
        with pytest.raises(EncoderMismatchError, match="the copied items must come from"):
            copy_items(one, collection)
        assert len(collection) == 0


def test_a_filter_is_sent_to_the_server(stub: QdrantStub, make: Make):
    collection = make(*NAMES, fields={"version": "number"})
    where = Range("version", gte=0, lt=2.5)
    (hits,) = collection.search(vectors_of(["x"]), 3, fingerprint=FINGERPRINT, where=where)
    assert len(hits) == 3
    (condition,) = stub.sent("POST batch")[-1]["searches"][0]["filter"]["must"]
    assert condition["key"] == "payload.version"
    assert _given(condition["range"]) == {"gte": 0, "lt": 2.5}


def test_folders_are_opened_without_the_client_library():
    program = (
        "import sys, indexer.build, indexer.transfer, indexer.qdrant.location, ui.cli\n"
        "print('qdrant_client' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert run.stdout.strip() == "False"


def test_the_compose_file_has_three_nodes_on_this_machine_only():
    text = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    assert "\t" not in text
    lines = [line for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    assert all((len(line) - len(line.lstrip())) % 2 == 0 for line in lines)
    images = set(re.findall(r"image: (\S+)", text))
    assert len(images) == 1
    assert re.fullmatch(r"qdrant/qdrant:v1\.\d+\.\d+", images.pop())
    ports = re.findall(r'- "([\d.]+:\d+:\d+)"', text)
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") and port.endswith(":6333") for port in ports)
    assert len(re.findall(r"--uri", text)) == 3
    assert len(re.findall(r"--bootstrap", text)) == 2
    assert 'QDRANT__SERVICE__API_KEY: "${QDRANT_API_KEY:?' in text
    volumes = re.findall(r"- (\S+):/qdrant/storage", text)
    assert len(set(volumes)) == 3
