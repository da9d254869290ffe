"""What may enter a collection, and that it comes out as it went in."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.collection import Item
from indexer.disk import DiskCollection
from indexer.rows import EMPTY_DIGEST, changed_digest, checksum, row_of, rows_of
from retrieval.errors import BadInputError
from tests.indexer.conftest import Make
from tests.indexer.gallery import FINGERPRINT, items_of, vectors_of

NAMES = [
    "plain.jpg",
    " leading and trailing ",
    "-rf",
    "--help",
    "a'b\"c`d",
    "semi;colon",
    "per%00cent",
    "per%cent_under",
    "a\nb",
    "a\tb",
    "a\rb",
    "\x1b[31mred",
    "\x7f",
    "../up",
    "/absolute",
    "~home",
    "C:\\x",
    "<script>alert(1)</script>",
    "'); DROP TABLE items; --",
    unicodedata.normalize("NFC", "café"),
    unicodedata.normalize("NFD", "café"),
    "🦜",
    "👩‍👩‍👧",
    "\u202eright to left",
    "\ufeffmark",
    "日本語",
    "\U0010ffff",
    "x" * 1024,
    "é" * 512,
    b"not \xff utf-8 \x80".decode("utf-8", "surrogateescape"),
    "0",
    "NULL",
]


def test_every_name_makes_the_round_trip(make: Make):
    assert len(NAMES) == len(set(NAMES)) >= 30
    items = [Item(name, name, name, {name: [name, {"deep": None}]}) for name in NAMES]
    collection = make()
    collection.add(vectors_of(NAMES), items, fingerprint=FINGERPRINT)
    collection.close()
    with DiskCollection.open(collection.folder, write=True) as again:
        assert again.items == items
        assert [again.get(name) for name in NAMES] == items
        assert all(name in again for name in NAMES)
        hits = again.search(vectors_of(NAMES), 1, fingerprint=FINGERPRINT)
        assert [found[0].item for found in hits] == items
        assert json.loads(json.dumps(again.ids())) == NAMES
        again.remove(NAMES[::2])
        assert again.ids() == NAMES[1::2]
    with DiskCollection.open(collection.folder) as last:
        assert last.ids() == NAMES[1::2]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (Item(""), "id must not be empty"),
        (Item("a\0b"), "an item's id must have no NUL"),
        (Item("x" * 1025), "at most 1,024 bytes; got 1,025 bytes"),
        (Item("é" * 513), "at most 1,024 bytes; got 1,026 bytes"),
        (Item("\ud800"), "an item's id must be Unicode text"),
        (Item(7), "an item's id must be text; got 7"),  # type: ignore[arg-type]
        (Item("a", path="b\0"), "path of 'a' must have no NUL"),
        (Item("a", label="\ud9ff"), "label of 'a' must be Unicode text"),
        (Item("a", label="x" * 65_537), "label of 'a' must have .* at most 65,536 bytes"),
        (Item("a", payload={"x": float("nan")}), "payload of 'a' must be a dict of JSON values"),
        (Item("a", payload={"x": float("inf")}), "payload of 'a'"),
        (Item("a", payload={"x": (1, 2)}), "payload of 'a'"),
        (Item("a", payload={1: 2}), "payload of 'a'"),  # type: ignore[dict-item]
        (Item("a", payload={"x": b""}), "payload of 'a'"),
        (Item("a", payload={"x": {1, 2}}), "payload of 'a'"),
        (Item("a", payload=[1]), "payload of 'a'"),  # type: ignore[arg-type]
        (Item("a", payload={"x": "y" * 65_536}), r"payload of 'a' .* got 65,5\d\d bytes"),
    ],
)
def test_what_cannot_be_given_back_is_refused(make: Make, item: Item, said: str):
    collection = make()
    with pytest.raises(BadInputError, match=said):
        collection.add(vectors_of(["good", "bad"]), [Item("good"), item], fingerprint=FINGERPRINT)
    assert len(collection) == 0


def test_a_payload_without_end_is_refused():
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(BadInputError, match="payload of 'a'"):
        row_of(Item("a", payload={"x": deep}))


def test_one_id_twice_is_refused_with_both_places(make: Make):
    collection = make()
    with pytest.raises(BadInputError, match="got 'b' at 1 and 3"):
        collection.add(
            vectors_of(["a", "b", "c", "d"]),
            items_of(["a", "b", "c", "b"]),
            fingerprint=FINGERPRINT,
        )
    with pytest.raises(BadInputError, match="one row for each of 2 items; got 3"):
        collection.add(vectors_of(["a", "b", "c"]), items_of(["a", "b"]), fingerprint=FINGERPRINT)
    assert len(collection) == 0


def test_a_hit_can_be_changed_without_changing_the_collection(make: Make):
    collection = make()
    collection.add(vectors_of(["a"]), [Item("a", payload={"x": [1]})], fingerprint=FINGERPRINT)
    collection.get("a").payload["x"].append(2)
    assert collection.get("a").payload == {"x": [1]}
    with pytest.raises(ValueError, match="read-only"):
        collection.vectors[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        collection.vector("a")[0] = 0


def test_the_vectors_given_can_be_used_again_by_the_giver(make: Make):
    collection = make("z")
    rows = vectors_of(["a", "b"])
    collection.search(rows, 1, fingerprint=FINGERPRINT)
    collection.add(rows, items_of(["a", "b"]), fingerprint=FINGERPRINT)
    rows[:] = 0
    assert collection.search(vectors_of(["a"]), 1, fingerprint=FINGERPRINT)[0][0].item.id == "a"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_any_json_is_given_back(payload: dict[str, object]):
    assert row_of(Item("a", payload=payload)).item() == Item("a", payload=payload)


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_a_checksum_knows_where_a_field_ends(one: list[bytes], other: list[bytes]):
    assert (checksum(*one) == checksum(*other)) == (one == other)


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=6), st.randoms())
def test_the_digest_knows_no_order_and_forgets_what_left(sums: list[bytes], random: object):
    forward = changed_digest(EMPTY_DIGEST, sums, ())
    backward = EMPTY_DIGEST
    for one in reversed(sums):
        backward = changed_digest(backward, [one], ())
    assert forward == backward
    assert changed_digest(forward, (), sums) == EMPTY_DIGEST


def test_rows_of_nothing_are_none():
    assert rows_of([]) == []


def test_ids_in_the_store_sort_as_text_does(tmp_path: Path):
    names = sorted(name for name in NAMES if name.isprintable() and "\udcff" not in name)
    assert sorted(names, key=lambda name: row_of(Item(name)).id) == names
