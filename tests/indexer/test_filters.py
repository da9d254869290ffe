"""Conditions: what they mean, how they are written, and that rows and columns agree on them."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.collection import Item
from indexer.filter_columns import Columns
from indexer.filter_records import condition_of
from indexer.filter_text import MAX_CHARACTERS, parse
from indexer.filters import (
    MAX_DEPTH,
    MAX_SIZE,
    And,
    Condition,
    Equal,
    Exists,
    In,
    Not,
    Or,
    Range,
    check,
    matches,
)
from indexer.rows import row_of
from retrieval.errors import BadInputError

# What is asked, of which item, and the answer: the semantics by hand.
MEANING: list[tuple[str, Mapping[str, Any], bool]] = [
    # values and their kinds
    ("a = 1", {"a": 1}, True),
    ("a = 1", {"a": 1.0}, True),
    ("a = 1.0", {"a": 1}, True),
    ("a = 0", {"a": -0.0}, True),
    ("a = 1", {"a": True}, False),
    ("a = true", {"a": True}, True),
    ("a = true", {"a": 1}, False),
    ("a = true", {"a": "true"}, False),
    ("a = false", {"a": 0}, False),
    ("a = false", {}, False),
    ('a = "1"', {"a": 1}, False),
    ("a = 1", {"a": "1"}, False),
    ('a = "x"', {"a": "X"}, False),
    ('a = ""', {"a": ""}, True),
    ('a = ""', {}, False),
    ("a = 9007199254740991", {"a": 9007199254740992}, False),
    ("a = 9007199254740991", {"a": 9007199254740991}, True),
    # missing, null, dicts
    ("a = 1", {}, False),
    ("a != 1", {}, True),
    ("a = 1", {"a": None}, False),
    ("not a = 1", {"a": None}, True),
    ("a = 1", {"a": {"b": 1}}, False),
    ("a.b = 1", {"a": {"b": 1}}, True),
    ("a.b = 1", {"a": 1}, False),
    ("a.b = 1", {"a": [{"b": 1}]}, False),
    ('"a.b" = 1', {"a.b": 1}, True),
    ('"a b".c = 1', {"a b": {"c": 1}}, True),
    # lists
    ("a contains 1", {"a": [3, 2, 1]}, True),
    ("a = 1", {"a": [3, 2, 1]}, True),
    ("a = 1", {"a": [[1]]}, False),
    ("a = 1", {"a": [True, "1", None]}, False),
    ("not a = 1", {"a": [1, 2]}, False),
    ("a != 3", {"a": [1, 2]}, True),
    ("a > 2", {"a": [1, 3]}, True),
    # no element lies between, but one is above and another below
    ("a > 2 and a < 3", {"a": [1, 4]}, True),
    # in
    ('a in ("x", 2, true)', {"a": 2.0}, True),
    ('a in ("x", 2, true)', {"a": ["y", "x"]}, True),
    ('a in ("x", 2, true)', {"a": 1}, False),
    ('a not in ("x")', {}, True),
    # ranges
    ("a < 50", {"a": 49.99}, True),
    ("a < 50", {"a": 50}, False),
    ("a <= 50", {"a": 50}, True),
    ("a > -1.5", {"a": -1}, True),
    ("a >= 1e3", {"a": 1000}, True),
    ("a > 0", {"a": True}, False),
    ("a > 0", {"a": "7"}, False),
    ("a < 50", {}, False),
    ("not a < 50", {}, True),
    ("a > 1e300", {"a": 10**400}, True),
    ("a < -1e300", {"a": -(10**400)}, True),
    # dates
    ('a >= "2026-03-01"', {"a": "2026-03-01"}, True),
    ('a > "2026-03-01"', {"a": "2026-03-01T00:00:00"}, False),
    ('a > "2026-03-01"', {"a": "2026-03-01 00:00:00.000001"}, True),
    ('a < "2026-03-01"', {"a": "2026-03-01T00:30:00+01:00"}, True),
    ('a >= "2026-03-01T12:00:00Z"', {"a": "2026-03-01T14:00:00+02:00"}, True),
    ('a >= "2026-03-01"', {"a": "2027"}, False),
    ('a >= "2026-03-01"', {"a": "2026-02-30"}, False),
    ('a >= "2026-03-01"', {"a": 20270101}, False),
    ("a >= 2000", {"a": "2026-03-01"}, False),
    ('a < "0001-01-02"', {"a": "0001-01-01T00:00:00+23:00"}, True),
    ('a = "2026-03-01"', {"a": "2026-03-01T00:00:00"}, False),
    # exists
    ("a exists", {"a": 0}, True),
    ("a exists", {"a": False}, True),
    ("a exists", {"a": ""}, True),
    ("a exists", {"a": {}}, True),
    ("a exists", {"a": [None]}, True),
    ("a exists", {"a": []}, False),
    ("a exists", {"a": None}, False),
    ("a exists", {}, False),
    ("a.b exists", {"a": {"b": 1}}, True),
    ("a.b exists", {"a": "b"}, False),
    # fields of the item, and keys that are called like them
    ('id = "i"', {"id": "other"}, True),
    ('payload.id = "other"', {"id": "other"}, True),
    ('"id" = "i"', {"id": "other"}, True),
    ('label = "l" and path = "p/q.jpg"', {}, True),
    ('payload.payload = "x"', {"payload": "x"}, True),
    ('label.x = "y"', {"label": {"x": "y"}}, True),
    ("label exists", {}, True),
    # and, or, not
    ("a = 1 or a = 2 and b = 3", {"a": 1}, True),
    ("(a = 1 or a = 2) and b = 3", {"a": 1}, False),
    ("not a = 1 and b = 3", {"b": 3}, True),
    ("not (a = 1 and b = 3)", {"a": 1}, True),
    ("not not a = 1", {"a": 1}, True),
]


@pytest.mark.parametrize(("text", "payload", "answer"), MEANING)
def test_what_a_condition_means(text: str, payload: Mapping[str, Any], answer: bool):
    item = Item("i", "p/q.jpg", "l", payload)
    condition = parse(text)
    assert matches(condition, item) is answer
    assert Columns([row_of(item)]).matching(condition).tolist() == [answer]


def test_an_empty_label_or_path_is_one_that_is_not_known():
    unknown = Item("i")
    for field in ("label", "path"):
        assert not matches(Exists(field), unknown)
        assert matches(Equal(field, ""), unknown)
        assert Columns([row_of(unknown)]).matching(Exists(field)).tolist() == [False]
    assert matches(Exists("id"), unknown)


TEXT = 'label = "red shoe" and (price < 50 or brand in ("a", "b")) and not discontinued = true'
CONDITION = And(
    (
        Equal("label", "red shoe"),
        Or((Range("price", lt=50), In("brand", ("a", "b")))),
        Not(Equal("discontinued", True)),
    )
)
RECORD = {
    "and": [
        {"field": "label", "equal": "red shoe"},
        {"or": [{"field": "price", "lt": 50}, {"field": "brand", "in": ["a", "b"]}]},
        {"not": {"field": "discontinued", "equal": True}},
    ]
}


def test_text_and_json_say_the_same():
    assert parse(TEXT) == CONDITION
    assert condition_of(RECORD) == CONDITION
    assert condition_of(json.loads(json.dumps(RECORD))) == CONDITION


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("  a\n=\t1 ", Equal("a", 1)),
        ("a=1", Equal("a", 1)),
        ("A=1 AND Not b Exists", And((Equal("A", 1), Not(Exists("b"))))),
        ("a=TRUE", Equal("a", True)),
        (r'a = "say \"hi\" \\ \n"', Equal("a", 'say "hi" \\ n')),
        (r"a = 'it\'s'", Equal("a", "it's")),
        ("a = 'x \"y\" z'", Equal("a", 'x "y" z')),
        ("a = 'and or not)'", Equal("a", "and or not)")),
        ("größe = 'ß'", Equal("größe", "ß")),
        ("a-b.c_d.3 = 1", Equal("a-b.c_d.3", 1)),
        (r'"7\" (EU)".x = 1', Equal(r'"7\" (EU)".x', 1)),
        ("a = -1.5e-3", Equal("a", -0.0015)),
        ("a = +2", Equal("a", 2)),
        ("payload.in exists", Exists("payload.in")),
        ("order = 1 or android = 2", Or((Equal("order", 1), Equal("android", 2)))),
        ("not(a=1)and(b=2)", And((Not(Equal("a", 1)), Equal("b", 2)))),
        ("a not in (1,2)", Not(In("a", (1, 2)))),
        ("a != 1", Not(Equal("a", 1))),
    ],
)
def test_how_text_is_read(text: str, condition: Condition):
    assert parse(text) == condition


@pytest.mark.parametrize(
    ("record", "condition"),
    [
        ({"field": "a", "gte": 1, "lt": 5}, Range("a", gte=1, lt=5)),
        ({"field": "a", "exists": True}, Exists("a")),
        ({"field": "a", "exists": False}, Not(Exists("a"))),
        ({"field": "a", "in": []}, In("a", ())),
        ({"field": "taken", "gt": "2026-03-01"}, Range("taken", gt="2026-03-01")),
    ],
)
def test_how_json_is_read(record: dict[str, object], condition: Condition):
    assert condition_of(record) == condition


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "",
            r"a field \(id, label, path or a payload key\), 'not' or '\(' at character 1; got its",
        ),
        ("price", "=, !=, <.* at character 6; got its end"),
        ("price < 50 price", "'and', 'or' or its end at character 12; got 'price'"),
        ("label = red", "text in quotes, a number, true or false at character 9; got 'red'"),
        ('label = "red', "text in quotes.* at character 9; got '\"red'"),
        ("a = 1 and", "a field .* at character 10; got its end"),
        ("a = 1 and or b = 2", "a field .* at character 11; got 'or b = 2'"),
        ("(a = 1", r"'\)' at character 7; got its end"),
        ("a = 1)", r"'and', 'or' or its end at character 6; got '\)'"),
        ("a in 1", r"'\(' at character 6"),
        ("a in ()", "text in quotes.* at character 7"),
        ("a in (1 2)", r"'\)' at character 9"),
        ("a not 1", "'in' after 'not' at character 7"),
        ('a < "red"', 'a number or a date such as "2026-03-01" .* at character 5'),
        ("a < true", "a number or a date .* at character 5"),
        ("a == 1", "text in quotes.* at character 4"),
        ("a ~ 1", "=, !=, <.* at character 3"),
        ("a = 1_000", "text in quotes.* at character 5"),
        ("a = ٣", "text in quotes.* at character 5"),
        ("a. = 1", "=, !=, .* at character 2"),
        ("in = 1", "a field .* at character 1"),
        ("payload = 1", "payload must be followed by one of its keys"),
        ("a = 9007199254740992", "a must be compared with whole numbers within"),
        ("a = 1e999", "a must be compared with a finite number; got inf"),
        ("a = " + "9" * 5000, "text in quotes, a number"),
        ("a = 1 or " * MAX_CHARACTERS, "at most 65,536 characters; got"),
        ("(" * (MAX_DEPTH + 1) + "a = 1", "nested at most 32 levels deep"),
        ("not " * (MAX_DEPTH + 1) + "a = 1", "nested at most 32 levels deep"),
        ("a in (" + "1," * MAX_SIZE + "1)", "at most 10,000 parts"),
    ],
)
def test_text_that_says_no_condition(text: str, sentence: str):
    with pytest.raises(BadInputError, match=sentence):
        parse(text)


def deep(levels: int) -> dict[str, object]:
    record: dict[str, object] = {"field": "a", "equal": 1}
    for _ in range(levels):
        record = {"not": record}
    return record


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ([], r"a condition must be a dict .*; got \[\]"),
        ({}, "a condition must be a dict"),
        ({"xor": []}, "a condition must be a dict"),
        ({"and": {"field": "a", "equal": 1}}, "a condition must be a dict"),
        ({"and": []}, "and must have conditions to work on"),
        ({"or": [{"field": "a", "equal": 1}], "not": 1}, "a condition must be a dict"),
        ({"field": "a"}, r"'a' must be compared by one of equal, in .*; got \{\}"),
        ({"field": "a", "equals": 1}, "'a' must be compared by one of"),
        ({"field": "a", "equal": 1, "lt": 2}, "'a' must be compared by one of"),
        ({"field": "a", "in": "abc"}, "'a' must be compared by one of"),
        ({"field": "a", "exists": 1}, "'a' must be compared by one of"),
        ({"field": "a", "equal": None}, "a must be compared with text, a number.*not exists"),
        ({"field": "a", "equal": [1]}, "a must be compared with text, a number"),
        ({"field": "a", "in": [[1]]}, "a must be compared with text, a number"),
        ({"field": "a", "equal": float("nan")}, "a must be compared with a finite number"),
        ({"field": "a", "lt": "red"}, "bounds of a must be numbers, or dates .*; got 'red'"),
        ({"field": "a", "lt": True}, "bounds of a must be numbers, or dates"),
        ({"field": "a", "gt": 1, "lt": "2026-03-01"}, "bounds of a must be numbers, or dates"),
        ({"field": "a", "gt": None}, "bounds of a must be numbers, or dates .*; got none"),
        ({"field": ["a"], "equal": 1}, r"a field must be id, label, path .*; got \['a'\]"),
        ({"field": "a b", "equal": 1}, "a field must be id, label, path"),
        ({"field": "a..b", "equal": 1}, "a field must be id, label, path"),
        ({"field": "", "equal": 1}, "a field must be id, label, path"),
        (deep(MAX_DEPTH), "nested at most 32 levels deep"),
        (deep(10_000), "nested at most 32 levels deep"),
    ],
)
def test_json_that_says_no_condition(record: Any, sentence: str):
    with pytest.raises(BadInputError, match=sentence):
        condition_of(record)


def test_conditions_made_in_python_are_checked_too():
    condition: Condition = Equal("a", 1)
    for _ in range(5_000):
        condition = Not(condition)
    with pytest.raises(BadInputError, match="nested at most 32 levels deep"):
        check(condition)
    check(And((Equal("a", 1),) * (MAX_SIZE - 1)))
    with pytest.raises(BadInputError, match="at most 10,000 parts"):
        check(And((Equal("a", 1),) * MAX_SIZE))
    with pytest.raises(BadInputError, match="where must be a condition; got 'a = 1'"):
        check("a = 1")  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="values of a must be a tuple"):
        In("a", [1])  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="and must have conditions to work on"):
        And([Equal("a", 1)])  # type: ignore[arg-type]


# Few keys and values, of every kind, so that many of them meet.
KEYS = ["a", "b", "label", "x y"]
FIELDS = ["id", "label", "path", "a", "b", "a.b", "payload.label", '"x y"', 'b."x y"']
TEXTS = ["", "a", "1", "true", "2026-03-01", "2026-03-01T00:00:00+01:00", "1969-12-31", "été"]
NUMBERS: list[float] = [0, 1, -1, 1.0, 0.5, -0.0, 2**53 - 1, 1e300]
scalars = st.sampled_from([*TEXTS, *NUMBERS, True, False])
stored = st.recursive(
    scalars | st.none() | st.sampled_from([2**53, 10**400]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=4,
)
payloads = st.dictionaries(st.sampled_from(KEYS), stored, max_size=4)
named = st.sampled_from(FIELDS)
bound_names = st.sets(st.sampled_from(["gt", "gte", "lt", "lte"]), min_size=1)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    limits: list[Any] = draw(st.sampled_from([NUMBERS, TEXTS[4:7]]))
    return Range(draw(named), **{name: draw(st.sampled_from(limits)) for name in draw(bound_names)})


conditions = st.recursive(
    st.builds(Equal, named, scalars)
    | st.builds(In, named, st.lists(scalars, max_size=3).map(tuple))
    | ranges()
    | st.builds(Exists, named),
    lambda inner: (
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=6,
)


@given(
    st.lists(st.tuples(st.sampled_from(TEXTS), payloads), max_size=8),
    st.lists(conditions, min_size=1, max_size=3),
)
def test_columns_agree_with_the_definition(
    known: list[tuple[str, dict[str, object]]], asked: list[Condition]
):
    items = [Item(f"{n}", label, label, payload) for n, (label, payload) in enumerate(known)]
    rows = [row_of(item) for item in items]
    columns = Columns(rows)
    for condition in asked:
        want = [matches(condition, row.item()) for row in rows]
        assert columns.matching(condition).tolist() == want


def test_only_the_last_fields_are_kept_and_each_is_read_once(monkeypatch: pytest.MonkeyPatch):
    passes = []

    class Rows(list[Any]):
        def __iter__(self) -> Any:
            passes.append(1)
            return super().__iter__()

    columns = Columns(Rows([row_of(Item("i", payload={"a": 1, "b": 2}))]))
    both = And((Equal("a", 1), Equal("b", 2)))
    for _ in range(3):
        np.testing.assert_array_equal(columns.matching(both), [True])
    assert len(passes) == 1
    many = And(tuple(Exists(f"c{number}") for number in range(40)))
    for _ in range(2):
        np.testing.assert_array_equal(columns.matching(many), [False])
    monkeypatch.setattr("indexer.filter_columns._KEPT", 1)
    np.testing.assert_array_equal(columns.matching(both), [True])
    assert len(columns._columns) == 1
