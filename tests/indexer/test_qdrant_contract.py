"""A collection on a server means what a collection in a folder means.

The same contract runs against our stub over HTTP, against the client's own local mode, and, where
``QDRANT_URL`` names one, against a real server.
"""

import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from indexer.collection import Item
from indexer.filters import And, Condition, Equal, Exists, In, Not, Or, Range, matches
from indexer.qdrant import server_collection
from indexer.qdrant.layout import Layout, Tuning
from indexer.qdrant.location import URL, Location
from indexer.qdrant.server import Patience, Server
from indexer.qdrant.server_collection import QdrantCollection
from retrieval.errors import BadInputError, DamagedDataError, EncoderMismatchError
from tests.indexer.gallery import (
    DIM,
    FINGERPRINT,
    answer_by_definition,
    item_of,
    items_of,
    pairs,
    unit_rows,
    vector_of,
    vectors_of,
)
from tests.indexer.qdrant_stub import QdrantStub, running
from tests.indexer.test_every_backend import HOSTILE, NAMES

qdrant_client = pytest.importorskip(
    "qdrant_client", reason="needs the extra qdrant: pip install -e '.[qdrant]'"
)

from qdrant_client.http.exceptions import UnexpectedResponse  # noqa: E402

MakeOnServer = Callable[..., QdrantCollection]
QUICK = Patience(request_seconds=1, total_seconds=2, first_wait=0.01, longest_wait=0.05)


class Local(qdrant_client.QdrantClient):  # type: ignore[misc, name-defined]
    """The client's local mode, which has no server to tell a version or to say 404."""

    def info(self) -> Any:
        return qdrant_client.models.VersionInfo(title="local", version="1.16.0")

    def get_collection(self, collection_name: str, **options: Any) -> Any:
        try:
            return super().get_collection(collection_name, **options)
        except ValueError as error:
            said = b'{"status": {"error": "Not found"}}'
            raise UnexpectedResponse(404, "Not Found", said, None) from error  # type: ignore[arg-type]


@pytest.fixture(params=["stub", "local", pytest.param("real", marks=pytest.mark.server)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with room for a collection of a new name."""
    name = f"fgir-test-{uuid.uuid4().hex}"
    if request.param == "stub":
        with running(QdrantStub()) as stub:
            made = Server(Location(stub.url, name), QUICK)
            yield made
            made.close()
    elif request.param == "local":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # payload indexes do nothing there
            yield Server(Location("http://local", name), QUICK, client=Local(":memory:"))
    else:
        if URL not in os.environ:
            pytest.skip(f"needs a Qdrant server: set {URL} to its address.")
        made = Server(Location.parse(f"qdrant:{name}", os.environ))
        yield made
        made.ask("remove the collection", lambda client: client.delete_collection(name))
        made.close()


@pytest.fixture
def make(server: Server) -> MakeOnServer:
    def one(*names: str, **layout: Any) -> QdrantCollection:
        collection = QdrantCollection.create(
            server, dim=DIM, fingerprint=FINGERPRINT, layout=Layout(**layout)
        )
        if names:
            collection.add(vectors_of(names), items_of(names), fingerprint=FINGERPRINT)
        return collection

    return one


def ids_of(collection: QdrantCollection) -> list[str]:
    return sorted(row.item().id for rows, _ in collection.blocks() for row in rows)


def test_answers_are_those_of_the_definition(make: MakeOnServer):
    collection = make(*NAMES)
    for k in (1, 5, 60, 10**9):
        queries = unit_rows(np.random.default_rng(0), 7)
        found = collection.search(queries, k, fingerprint=FINGERPRINT)
        for query, hits in zip(queries, found, strict=True):
            assert pairs(hits) == answer_by_definition(vectors_of(NAMES), NAMES, query, k)


def test_hits_carry_the_items_as_they_were_given(make: MakeOnServer):
    items = [
        Item("a/b c.jpg", "/photos/a/b c.jpg", "shoe", {"price": 40.5, "tags": ["x", 1, None]}),
        Item("ключ 🥿", "", "", {"nested": {"b": True, "a": [1, {"c": -0.5}]}, "large": 2**53}),
    ]
    collection = make()
    collection.add(vectors_of(["a", "b"]), items, fingerprint=FINGERPRINT)
    for item in items:
        assert collection.get(item.id) == item
        assert item.id in collection
    hits = collection.search(vectors_of(["a", "b"]), 1, fingerprint=FINGERPRINT)
    assert [one[0].item for one in hits] == items
    assert len(collection) == 2


def test_vectors_come_back_bit_by_bit(make: MakeOnServer):
    collection = make(*NAMES)
    rows = {
        row.item().id: vector
        for rows, many in collection.blocks()
        for row, vector in zip(rows, many, strict=True)
    }
    assert sorted(rows) == sorted(NAMES)
    for name, vector in rows.items():
        np.testing.assert_array_equal(vector, vector_of(name))
    seen: list[int] = []
    assert collection.verify(seen.append) == []
    assert sum(seen) == len(NAMES)


@pytest.mark.parametrize("k", [1, 3, 9, 10])
def test_ten_equal_vectors_are_ordered_by_id(make: MakeOnServer, k: int):
    names = list("jbhdfaigce")
    collection = make("far away")
    same = np.repeat(vector_of("same")[None], len(names), axis=0)
    collection.add(same, items_of(names), fingerprint=FINGERPRINT)
    (hits,) = collection.search(vector_of("same")[None], k, fingerprint=FINGERPRINT)
    assert [hit.item.id for hit in hits] == sorted(names)[:k]


def test_a_crowd_of_ties_at_the_end_of_the_list_is_searched_to_its_end(make: MakeOnServer):
    names = [f"{number:03}" for number in np.random.default_rng(1).permutation(400)]
    collection = make()
    same = np.repeat(vector_of("crowd")[None], len(names), axis=0)
    collection.add(same, items_of(names), fingerprint=FINGERPRINT)
    (hits,) = collection.search(vector_of("crowd")[None], 5, fingerprint=FINGERPRINT)
    assert [hit.item.id for hit in hits] == ["000", "001", "002", "003", "004"]


def test_nothing_in_it_and_nothing_asked(make: MakeOnServer):
    collection = make()
    assert collection.search(vectors_of(["a", "b"]), 3, fingerprint=FINGERPRINT) == [[], []]
    collection.add(vectors_of([]), [], fingerprint=FINGERPRINT)
    collection.remove([])
    assert collection.search(vectors_of([]), 3, fingerprint=FINGERPRINT) == []
    assert list(collection.blocks()) == []
    assert list(collection.each_item()) == []


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_row_is_refused_by_id_and_nothing_changes(make: MakeOnServer, fault: str):
    collection = make("a")
    rows = vectors_of(["b", "c"])
    rows[1] = HOSTILE[fault]
    with pytest.raises(BadInputError, match=r"norm 1; got norm .* at 'c'"):
        collection.add(rows, items_of(["b", "c"]), fingerprint=FINGERPRINT)
    with pytest.raises(BadInputError, match="queries must have finite rows of norm 1"):
        collection.search(rows, 1, fingerprint=FINGERPRINT)
    assert ids_of(collection) == ["a"]


def test_sizes_counts_and_other_encoders_are_refused(make: MakeOnServer):
    collection = make("a")
    with pytest.raises(BadInputError, match=r"vectors must be \(N, 16\); got \(1, 8\)"):
        collection.add(vectors_of(["b"], dim=8), items_of(["b"]), fingerprint=FINGERPRINT)
    with pytest.raises(BadInputError, match="one row for each of 2 items; got 1"):
        collection.add(vectors_of(["b"]), items_of(["b", "c"]), fingerprint=FINGERPRINT)
    with pytest.raises(BadInputError, match="k must be an integer of at least 1; got 0"):
        collection.search(vectors_of(["a"]), 0, fingerprint=FINGERPRINT)
    said = r"encoder of the collection \(encoder-a\); got encoder-b"
    with pytest.raises(EncoderMismatchError, match=said):
        collection.add(vectors_of(["b"]), items_of(["b"]), fingerprint="encoder-b")
    with pytest.raises(EncoderMismatchError, match=said):
        collection.search(vectors_of(["a"]), 1, fingerprint="encoder-b")
    with pytest.raises(EncoderMismatchError, match=said):
        QdrantCollection.open(collection.server, fingerprint="encoder-b")
    assert ids_of(collection) == ["a"]


def test_an_id_that_is_there_is_refused_or_replaced(make: MakeOnServer):
    collection = make("a", "b", "c")
    with pytest.raises(BadInputError, match="got 'b', which is in the collection"):
        collection.add(
            vectors_of(["d", "b"], version=1), items_of(["d", "b"]), fingerprint=FINGERPRINT
        )
    assert ids_of(collection) == ["a", "b", "c"]
    collection.add(
        vectors_of(["b"], version=1), [item_of("b", 1)], fingerprint=FINGERPRINT, replace=True
    )
    assert len(collection) == 3
    (new,) = collection.search(vector_of("b", 1)[None], 1, fingerprint=FINGERPRINT)
    assert (new[0].item, new[0].score) == (item_of("b", 1), 1.0)


def test_an_id_twice_in_one_batch_is_refused(make: MakeOnServer):
    with pytest.raises(BadInputError, match="different ids; got 'a' at 0 and 1"):
        make().add(vectors_of(["a", "b"]), items_of(["a", "a"]), fingerprint=FINGERPRINT)


def test_removed_items_are_never_found_and_unknown_ones_remove_nothing(make: MakeOnServer):
    names = [f"{number:03}" for number in range(300)]  # more than one batch
    collection = make(*names)
    with pytest.raises(BadInputError, match="got 'z', which is not"):
        collection.remove(["000", "z"])
    assert len(collection) == 300
    collection.remove([*names[:200], "000"])
    assert ids_of(collection) == names[200:]
    with pytest.raises(BadInputError, match="got '000', which is not"):
        collection.get("000")


def test_opened_again_it_is_the_same(make: MakeOnServer):
    collection = make(*NAMES, quantization="int8", fields={"version": "number"})
    queries = unit_rows(np.random.default_rng(4), 20)
    before = collection.search(queries, 10, fingerprint=FINGERPRINT)
    again = QdrantCollection.open(collection.server, fingerprint=FINGERPRINT)
    assert again.search(queries, 10, fingerprint=FINGERPRINT) == before
    assert (again.dim, again.layout) == (DIM, collection.layout)
    with pytest.raises(BadInputError, match="must be a new name; got a collection that is there"):
        QdrantCollection.create(collection.server, dim=DIM, fingerprint=FINGERPRINT)


def test_a_second_vector_is_searched_by_name(make: MakeOnServer):
    collection = make("a", "b", "c", sketch=True)
    sketches = vectors_of(["a", "b"], version=7)
    collection.add_sketches(sketches, ["a", "b"], fingerprint=FINGERPRINT)
    (hits,) = collection.search(sketches[1:], 3, fingerprint=FINGERPRINT, using="sketch")
    assert hits[0].item == item_of("b")
    assert {hit.item.id for hit in hits} == {"a", "b"}
    (photos,) = collection.search(vector_of("b")[None], 1, fingerprint=FINGERPRINT)
    assert (photos[0].item.id, photos[0].score) == ("b", 1.0)
    with pytest.raises(BadInputError, match="got 'z', which is not"):
        collection.add_sketches(sketches, ["a", "z"], fingerprint=FINGERPRINT)


def test_a_vector_of_another_name_is_refused(make: MakeOnServer):
    with pytest.raises(BadInputError, match="must have vectors named 'sketch'; got photo"):
        make("a").search(vectors_of(["a"]), 1, fingerprint=FINGERPRINT, using="sketch")


PAYLOADS: list[dict[str, Any]] = [
    {},
    {"n": 1},
    {"n": 1.0, "t": "red"},
    {"n": 2.5, "t": ["red", "new"]},
    {"n": "1", "t": ""},
    {"n": True, "t": []},
    {"n": None, "t": None},
    {"n": [0, 3], "t": {"red": 1}},
    {"n": -3, "d": "2026-03-01", "deep": {"a.b": 5, "c": "x"}},
    {"n": 2**53, "d": "2026-03-01T14:30:00+02:00", "deep": {"c": ["x", True]}},
    {"d": ["2025-01-01", "2026-03-02T00:00:00Z"], "deep": [{"c": "x"}]},
    {"d": "soon", "t": "Red", "f": False},
]
CONDITIONS: list[Condition] = [
    Equal("n", 1),
    Equal("n", True),
    Equal("f", False),
    Equal("n", "1"),
    Equal("t", "red"),
    Equal("t", ""),
    In("t", ("red", "Red")),
    In("n", (1, "1", True)),
    In("n", ()),
    Range("n", gt=1),
    Range("n", gte=1, lt=3),
    Range("n", lte=-0.5),
    Range("d", gte="2026-03-01"),
    Range("d", gt="2026-03-01T12:00:00", lt="2026-03-02"),
    Exists("n"),
    Exists("t"),
    Exists("deep.c"),
    Equal("deep.c", "x"),
    Equal('deep."a.b"', 5),
    Not(Exists("label")),
    Exists("id"),
    Equal("id", "3"),
    Equal("label", "shoe"),
    Equal("path", "photos/4"),
    Not(Range("n", lt=2)),
    And((Exists("n"), Not(Equal("t", "red")))),
    Or((Equal("label", "shoe"), And((Exists("d"), Range("n", lt=0))))),
    Not(Or((Exists("n"), Exists("d")))),
]


def payload_items() -> list[Item]:
    return [
        Item(f"{place}", f"photos/{place}", "shoe" if place % 3 == 0 else "", payload)
        for place, payload in enumerate(PAYLOADS)
    ]


@pytest.fixture
def filtered(make: MakeOnServer) -> QdrantCollection:
    collection = make(fields={"n": "number", "t": "keyword"})
    items = payload_items()
    collection.add(vectors_of([item.id for item in items]), items, fingerprint=FINGERPRINT)
    return collection


def test_a_filter_lets_through_what_matches_by_definition(filtered: QdrantCollection):
    for condition in CONDITIONS:
        (hits,) = filtered.search(
            vector_of("query")[None], 100, fingerprint=FINGERPRINT, where=condition
        )
        want = {item.id for item in payload_items() if matches(condition, item)}
        assert {hit.item.id for hit in hits} == want, condition
        assert set(filtered.items_where(condition)) == want, condition
        assert sorted(one.id for one in filtered.each_item(condition)) == sorted(want)


def test_filtered_answers_are_those_of_the_definition(filtered: QdrantCollection):
    condition = Exists("n")
    items = [item for item in payload_items() if matches(condition, item)]
    ids = [item.id for item in items]
    (hits,) = filtered.search(vector_of("query")[None], 3, fingerprint=FINGERPRINT, where=condition)
    assert pairs(hits) == answer_by_definition(vectors_of(ids), ids, vector_of("query"), 3)


def test_a_field_without_an_index_is_told(filtered: QdrantCollection):
    ask = {"fingerprint": FINGERPRINT}
    filtered.search(vector_of("q")[None], 1, where=Equal("t", "red"), **ask)
    assert filtered.notices == []
    filtered.search(vector_of("q")[None], 1, where=Equal("d", "red"), **ask)
    assert "no index of d: the server reads every item" in filtered.notices[0]


def test_a_key_that_cannot_be_asked_is_refused(filtered: QdrantCollection):
    with pytest.raises(BadInputError, match="keys that a server can be asked"):
        filtered.search(
            vector_of("q")[None], 1, fingerprint=FINGERPRINT, where=Equal(r'"7\" screen"', 1)
        )


def test_through_the_graph_too_few_hits_are_asked_again_exactly(
    make: MakeOnServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server_collection, "EXACT_UP_TO", 10)
    monkeypatch.setattr(server_collection, "EXACT_UP_TO_FILTERED", 5)
    collection = make(*NAMES)
    graph = []
    asked = QdrantCollection._points

    def points(self: QdrantCollection, *args: Any) -> Any:
        exact = args[3]
        graph.append(not exact)
        for row, found in asked(self, *args):
            yield row, found if exact else found[:2]  # as a graph under a filter may

    monkeypatch.setattr(QdrantCollection, "_points", points)
    query = vector_of("query")
    for where in (None, Equal("label", "class 0")):
        graph.clear()
        (hits,) = collection.search(query[None], 5, fingerprint=FINGERPRINT, where=where)
        ids = [one for one in NAMES if where is None or matches(where, item_of(one))]
        assert pairs(hits) == answer_by_definition(vectors_of(ids), ids, query, 5)
        assert graph[:2] == [True, False]


def test_what_a_server_cannot_keep_is_refused(make: MakeOnServer):
    collection = make()
    ask: Any = {"fingerprint": FINGERPRINT}
    with pytest.raises(BadInputError, match="whole numbers of at most 64 bits on a server"):
        collection.add(vectors_of(["a"]), [Item("a", payload={"n": [2**64]})], **ask)
    with pytest.raises(BadInputError, match="path of 'a' must be UTF-8 on a server"):
        collection.add(vectors_of(["a"]), [Item("a", path="x\udcff.jpg")], **ask)
    with pytest.raises(BadInputError, match="an item's id must be UTF-8 on a server"):
        collection.stored("x\udcff.jpg")
    assert len(collection) == 0


def test_points_of_another_writer_are_left_out_and_told(make: MakeOnServer):
    from qdrant_client import models

    collection = make("a", "b")
    server, name = collection.server, collection.name
    strange = [
        models.PointStruct(id=7, vector={"photo": vector_of("a").tolist()}, payload={"x": 1}),
        models.PointStruct(id=8, vector={"photo": [3.0] * DIM}, payload={}),
    ]
    server.change("write", lambda client: client.upsert(name, strange, wait=True))
    (hits,) = collection.search(vector_of("a")[None], 4, fingerprint=FINGERPRINT)
    assert [hit.item.id for hit in hits] == ["a", "b"]
    assert len(collection.notices) == 2
    with pytest.raises(DamagedDataError, match=r"2 of 4 points are not as they were written: poi"):
        collection.verify()


def test_verify_sees_a_changed_payload_and_a_changed_vector(make: MakeOnServer):
    from qdrant_client import models

    collection = make("a", "b")
    server, name = collection.server, collection.name
    (page,) = collection.pages()
    record = page[0]
    turned: Any = {"photo": vector_of("other").tolist()}
    own: Any = record.vector
    for payload, vector in (
        ({**(record.payload or {}), "label": "forged"}, own),
        (record.payload, turned),
    ):
        point = models.PointStruct(id=record.id, vector=vector, payload=payload)
        change: Any = lambda client, point=point: client.upsert(name, [point], wait=True)  # noqa: E731
        server.change("write", change)
        with pytest.raises(DamagedDataError, match="1 of 2 points are not as they were written"):
            collection.verify()


def test_the_tuning_that_is_asked_for_is_exact(make: MakeOnServer):
    collection = make(*NAMES)
    collection.tuning = replace(Tuning(), exact=True)
    (hits,) = collection.search(vector_of("item 7")[None], 1, fingerprint=FINGERPRINT)
    assert hits[0].item.id == "item 7"
