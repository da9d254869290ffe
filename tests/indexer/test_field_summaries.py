"""What the fields of a collection hold."""

from indexer.collection import Item
from indexer.field_summaries import MOST_FIELDS, MOST_VALUES, field_summaries
from indexer.filters import Exists, Range, matches

ITEMS = [
    Item("a", label="shoe", payload={"price": 12.5, "tags": ["red", "new"], "size": {"eu": 42}}),
    Item("b", label="boot", payload={"price": 40, "sold": True, "and": 1, "price (EUR)": 3}),
    Item("c", payload={"price": None, "tags": [], "odd": "1", "size": {"eu": 44}}),
    Item("d", label="shoe", payload={"odd": 2, "deep": {"list": [{"x": 1}]}}),
]


def test_fields_are_told_with_what_they_hold():
    found = {one.name: one for one in field_summaries(ITEMS)}
    assert next(iter(found)) == "label"
    assert found["label"].choices == ["boot", "shoe"]
    assert found["label"].count == 3
    price = found["price"]
    assert (price.count, price.kinds, price.least, price.most) == (2, {"number"}, 12.5, 40)
    assert not price.whole
    assert found["size.eu"].whole
    assert found["tags"].choices == ["new", "red"]
    assert found["tags"].count == 1
    assert found["sold"].kinds == {"truth"}
    assert found["odd"].kinds == {"text", "number"}
    assert "deep.list" not in found  # nothing in it can be compared


def test_a_name_is_what_a_condition_takes():
    found = {one.name: one for one in field_summaries(ITEMS)}
    assert {"payload.and", '"price (EUR)"'} <= set(found)
    for name, summary in found.items():
        holders = [item for item in ITEMS if matches(Exists(name), item)]
        assert len(holders) >= summary.count > 0
        if summary.kinds == {"number"}:
            bounds = Range(name, gte=summary.least, lte=summary.most)
            assert sum(matches(bounds, item) for item in ITEMS) == summary.count


def test_too_many_different_texts_are_no_choice():
    items = [Item(str(n), payload={"code": f"c{n}"}) for n in range(MOST_VALUES + 1)]
    assert len(field_summaries(items[:-1])[0].choices) == MOST_VALUES
    assert field_summaries(items)[0].choices == []
    assert field_summaries(items)[0].count == MOST_VALUES + 1


def test_what_most_items_have_comes_first_and_the_rest_is_left_out():
    rare = {f"rare{n}": 1 for n in range(MOST_FIELDS)}
    items = [Item("a", payload={**rare, "usual": 1}), Item("b", payload={"usual": 2})]
    found = field_summaries(items)
    assert found[0].name == "usual"
    assert len(found) == MOST_FIELDS
