"""The contract that every file in ``indexer/backends`` keeps; new files are found by themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer import backends, engines
from indexer.collection import Item
from indexer.disk import DiskCollection
from indexer.engines import KeptEngine, nearest
from indexer.filter_text import parse
from indexer.filters import matches
from retrieval import plugins
from retrieval.errors import BadInputError, EncoderMismatchError
from tests.indexer.conftest import Make
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

ENGINES = plugins.names(backends)
every_engine = pytest.mark.parametrize("engine", ENGINES)
NAMES = [f"item {number}" for number in range(60)]
HOSTILE = {
    "not a number": np.nan,
    "infinite": np.inf,
    "minus infinite": -np.inf,
    "huge": 1e38,
    "denormal": 1e-40,
    "zero": 0.0,
}


def test_the_folder_has_the_reference_and_faiss():
    assert {"exact", "faiss_flat"} <= set(ENGINES)


@every_engine
def test_answers_are_those_of_the_definition(make: Make, engine: str):
    collection = make(*NAMES, engine=engine)
    queries = unit_rows(np.random.default_rng(0), 7)
    for k in (1, 5, 60):
        for query, hits in zip(
            queries, collection.search(queries, k, fingerprint=FINGERPRINT), strict=True
        ):
            assert pairs(hits) == answer_by_definition(
                collection.vectors, collection.ids(), query, k
            )


@every_engine
def test_hits_carry_the_items_as_they_were_given(make: Make, engine: str):
    collection = make(*NAMES, engine=engine)
    (hits,) = collection.search(vector_of("item 7")[None], 1, fingerprint=FINGERPRINT)
    assert hits[0].item == item_of("item 7")
    assert hits[0].score == pytest.approx(1.0, abs=1e-6)


@every_engine
@pytest.mark.parametrize("k", [1, 3, 9, 10])
def test_ten_equal_vectors_are_ordered_by_id(make: Make, engine: str, k: int):
    names = [f"{letter}" for letter in "jbhdfaigce"]
    collection = make("far away", engine=engine)
    same = np.repeat(vector_of("same")[None], len(names), axis=0)
    collection.add(same, items_of(names), fingerprint=FINGERPRINT)
    (hits,) = collection.search(vector_of("same")[None], k, fingerprint=FINGERPRINT)
    assert [hit.item.id for hit in hits] == sorted(names)[:k]


@every_engine
def test_a_crowd_of_ties_at_the_end_of_the_list_is_searched_to_its_end(engine: str):
    rng = np.random.default_rng(1)
    count = 3_000
    vectors = np.repeat(vector_of("crowd")[None], count, axis=0)
    vectors[:3] = unit_rows(rng, 3)
    ids = [f"{number:05}".encode() for number in rng.permutation(count)]
    found = plugins.find(backends, engine)(vectors)
    positions, scores = nearest(found, vectors, ids, vector_of("crowd")[None], 5)
    assert set(scores[0]) == {1.0}
    if found.exact:  # another one has proposed some of the crowd, and nobody knows of the rest
        assert [ids[place] for place in positions[0]] == sorted(ids[3:])[:5]


@every_engine
def test_scores_that_differ_by_less_than_a_step_are_ties(make: Make, engine: str):
    base = np.zeros(DIM, np.float32)
    base[0] = 1
    turned = []
    for angle in (0, 2e-4, 4e-4, 6e-4, 3e-3):  # cosines 1, 1 - 2e-8, ..., 1 - 4.5e-6
        row = np.zeros(DIM, np.float32)
        row[0], row[1] = np.cos(angle), np.sin(angle)
        turned.append(row)
    collection = make(engine=engine)
    collection.add(np.stack(turned), [Item(one) for one in "dcbae"], fingerprint=FINGERPRINT)
    (hits,) = collection.search(base[None], 5, fingerprint=FINGERPRINT)
    assert [hit.item.id for hit in hits] == ["a", "b", "c", "d", "e"]


@every_engine
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_one_by_one_or_in_batches_the_answers_are_the_same(make: Make, engine: str, batch: int):
    rng = np.random.default_rng(2)
    gallery = unit_rows(rng, 300)
    gallery[150:200] = gallery[100:150]  # doubles, so that the order of ties matters
    collection = make(engine=engine)
    collection.add(
        gallery, [Item(f"{place}") for place in rng.permutation(300)], fingerprint=FINGERPRINT
    )
    queries = np.concatenate([unit_rows(rng, 800), gallery[:200]])
    whole = collection.search(queries, 10, fingerprint=FINGERPRINT)
    for start in range(0, len(queries), batch):
        part = collection.search(queries[start : start + batch], 10, fingerprint=FINGERPRINT)
        assert part == whole[start : start + batch]


PRICED = [
    Item(
        f"{number:02}",
        f"photos/{number}.jpg",
        f"class {number % 3}",
        {
            "price": number / 2,
            "tags": ["new", "red"][: number % 3],
            "taken": f"2026-03-{number % 28 + 1:02}",
            **({"sold": number % 2 == 0} if number % 5 else {}),
        },
    )
    for number in range(60)
]
ASKED = [
    'label = "class 1"',
    'label != "class 1"',
    'id in ("03", "59", "none")',
    "price >= 10 and price < 20.5",
    'taken > "2026-03-20"',
    'tags contains "red"',
    "tags exists",
    "not sold = true",
    'label = "class 0" or (price < 3 and not tags exists)',
    "price >= 0",
]


@every_engine
@pytest.mark.parametrize("few", [0, 20_000])
def test_a_condition_leaves_out_items_as_if_they_were_not_there(
    monkeypatch: pytest.MonkeyPatch, make: Make, engine: str, few: int
):
    monkeypatch.setattr(engines, "_FEW_ROWS", few)
    collection = make(engine=engine)
    vectors = unit_rows(np.random.default_rng(7), 60)
    vectors[30:45] = vectors[15:30]  # doubles, so that the order of ties matters
    collection.add(vectors, PRICED, fingerprint=FINGERPRINT)
    queries = np.concatenate([unit_rows(np.random.default_rng(8), 5), vectors[20:22]])
    for asked in ASKED:
        condition = parse(asked)
        kept = [row for row, item in enumerate(PRICED) if matches(condition, item)]
        assert 0 < len(kept) <= 60
        ids = [PRICED[row].id for row in kept]
        assert collection.items_where(condition) == ids
        assert list(collection.each_item(condition)) == [PRICED[row] for row in kept]
        for k in (1, 3, len(kept), len(kept) + 1):
            found = collection.search(queries, k, fingerprint=FINGERPRINT, where=condition)
            for query, hits in zip(queries, found, strict=True):
                assert pairs(hits) == answer_by_definition(vectors[kept], ids, query, k), asked
                assert all(hit.item == PRICED[int(hit.item.id)] for hit in hits)


@every_engine
def test_where_nothing_matches_nothing_is_found(make: Make, engine: str):
    collection = make(*NAMES, engine=engine)
    none = parse('label = "class 9"')
    assert collection.items_where(none) == []
    queries = vectors_of(["a", "b"])
    assert collection.search(queries, 3, fingerprint=FINGERPRINT, where=none) == [[], []]
    empty = make(engine=engine, folder="none")
    assert empty.search(queries, 3, fingerprint=FINGERPRINT, where=none) == [[], []]
    assert empty.items_where(none) == []


@every_engine
def test_a_condition_sees_what_was_added_and_removed_since(make: Make, engine: str):
    collection = make("a", engine=engine)
    new = parse("version = 1")
    assert collection.items_where(new) == []
    collection.add(vectors_of(["b"]), [item_of("b", 1)], fingerprint=FINGERPRINT)
    assert collection.items_where(new) == ["b"]
    (hits,) = collection.search(vectors_of(["b"]), 2, fingerprint=FINGERPRINT, where=new)
    assert [hit.item.id for hit in hits] == ["b"]
    collection.remove(["b"])
    assert collection.items_where(new) == []


def test_what_is_no_condition_is_refused(make: Make):
    collection = make("a")
    with pytest.raises(BadInputError, match="where must be a condition; got 'price < 50'"):
        collection.search(
            vectors_of(["a"]),
            1,
            fingerprint=FINGERPRINT,
            where="price < 50",  # type: ignore[arg-type]
        )
    with pytest.raises(BadInputError, match="where must be a condition; got None"):
        collection.items_where(None)  # type: ignore[arg-type]


@every_engine
@pytest.mark.parametrize("k", [60, 61, 10**9])
def test_a_k_beyond_the_collection_gives_all_of_it(make: Make, engine: str, k: int):
    collection = make(*NAMES, engine=engine)
    (hits,) = collection.search(vector_of("x")[None], k, fingerprint=FINGERPRINT)
    assert sorted(hit.item.id for hit in hits) == sorted(NAMES)
    assert all(-1 <= hit.score <= 1 for hit in hits)


@every_engine
@pytest.mark.parametrize("k", [0, -1, "ten", 2.0, True, None])
def test_a_k_that_is_no_count_is_refused(make: Make, engine: str, k: object):
    collection = make("a", engine=engine)
    with pytest.raises(BadInputError, match="k must be an integer of at least 1; got"):
        collection.search(vector_of("a")[None], k, fingerprint=FINGERPRINT)  # type: ignore[arg-type]


@every_engine
def test_an_empty_collection_has_no_hits_and_no_error(make: Make, engine: str):
    collection = make(engine=engine)
    assert collection.search(vectors_of(["a", "b"]), 3, fingerprint=FINGERPRINT) == [[], []]
    assert len(collection) == 0
    assert collection.ids() == []


@every_engine
def test_no_query_has_no_answer(make: Make, engine: str):
    assert make("a", engine=engine).search(vectors_of([]), 3, fingerprint=FINGERPRINT) == []


@every_engine
@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_row_is_refused_by_id_and_nothing_changes(make: Make, engine: str, fault: str):
    collection = make("a", engine=engine)
    rows = vectors_of(["b", "c"])
    rows[1] = HOSTILE[fault]
    with pytest.raises(BadInputError, match=r"norm 1; got norm .* at 'c'"):
        collection.add(rows, items_of(["b", "c"]), fingerprint=FINGERPRINT)
    assert collection.ids() == ["a"]
    assert collection.generation == 1


@every_engine
@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_query_is_refused(make: Make, engine: str, fault: str):
    collection = make("a", engine=engine)
    query = vectors_of(["a"])
    query[0, 3] = HOSTILE[fault] if HOSTILE[fault] != 0 else 7
    if fault in ("zero", "denormal"):
        query[0] = HOSTILE[fault]
    with pytest.raises(BadInputError, match="queries must have finite rows of norm 1"):
        collection.search(query, 1, fingerprint=FINGERPRINT)


@every_engine
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (vector_of("a"), r"must be \(N, 16\); got \(16,\). Add a batch axis"),
        (vectors_of(["a"], dim=8), r"must be \(N, 16\); got \(1, 8\)"),
        (vectors_of(["a"])[None], r"must be \(N, 16\); got \(1, 1, 16\)"),
        (vectors_of(["a"]).astype(np.float64), "must be float32; got float64"),
        (vectors_of(["a"]).astype(np.int64), "must be float32; got int64"),
        (vectors_of(["a"]).tolist(), "must be a numpy array; got list"),
    ],
)
def test_other_shapes_and_types_are_refused_with_both_sizes(
    make: Make, engine: str, rows: object, said: str
):
    collection = make(engine=engine)
    with pytest.raises(BadInputError, match=f"vectors {said}"):
        collection.add(rows, items_of(["a"]), fingerprint=FINGERPRINT)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match=f"queries {said}"):
        collection.search(rows, 1, fingerprint=FINGERPRINT)  # type: ignore[arg-type]
    assert len(collection) == 0


@every_engine
def test_rows_that_are_not_contiguous_are_as_good_as_others(make: Make, engine: str):
    collection = make(engine=engine)
    rows = np.repeat(vectors_of(["a", "b"]), 2, axis=1)[:, ::2]
    assert not rows.flags.c_contiguous
    collection.add(rows, items_of(["a", "b"]), fingerprint=FINGERPRINT)
    np.testing.assert_array_equal(collection.vectors, vectors_of(["a", "b"]))
    (hits,) = collection.search(np.asfortranarray(rows[1:]), 1, fingerprint=FINGERPRINT)
    assert hits[0].item.id == "b"


@every_engine
def test_each_pair_of_six_encoders_is_kept_apart(tmp_path: Path, engine: str):
    encoders = [f"encoder-{letter}" for letter in "abcdef"]
    for mine in encoders:
        folder = tmp_path / mine
        with DiskCollection.create(folder, dim=DIM, fingerprint=mine, engine=engine) as collection:
            collection.add(vectors_of(["a"]), items_of(["a"]), fingerprint=mine)
            for other in encoders:
                if other == mine:
                    continue
                said = f"encoder of the collection \\({mine}\\); got {other}"
                with pytest.raises(EncoderMismatchError, match=said):
                    collection.add(vectors_of(["b"]), items_of(["b"]), fingerprint=other)
                with pytest.raises(EncoderMismatchError, match=said):
                    collection.search(vectors_of(["a"]), 1, fingerprint=other)
                with pytest.raises(EncoderMismatchError, match=said):
                    DiskCollection.open(folder, fingerprint=other)
            assert collection.ids() == ["a"]


@every_engine
def test_an_id_that_is_there_is_refused_or_replaced(make: Make, engine: str):
    collection = make("a", "b", "c", engine=engine)
    with pytest.raises(BadInputError, match="got 'b', which is in the collection"):
        collection.add(
            vectors_of(["d", "b"], version=1), items_of(["d", "b"]), fingerprint=FINGERPRINT
        )
    assert collection.ids() == ["a", "b", "c"]
    collection.add(
        vectors_of(["b"], version=1), [item_of("b", 1)], fingerprint=FINGERPRINT, replace=True
    )
    assert len(collection) == 3
    (old, new) = collection.search(
        np.stack([vector_of("b", 0), vector_of("b", 1)]), 3, fingerprint=FINGERPRINT
    )
    assert next(hit.score for hit in old if hit.item.id == "b") < 0.99
    assert new[0].item == item_of("b", 1)
    assert new[0].score == pytest.approx(1, abs=1e-6)


@every_engine
def test_a_removed_item_is_never_found_and_the_others_keep_their_names(make: Make, engine: str):
    names = [f"{number:04}" for number in range(1_200)]
    collection = make(*names, engine=engine)
    rng = np.random.default_rng(3)
    left = list(names)
    for _ in range(5):  # 1,000 removals
        gone = rng.choice(len(left), 200, replace=False)
        collection.remove([left[place] for place in gone])
        left = [name for place, name in enumerate(left) if place not in set(gone.tolist())]
        assert len(collection) == len(left)
        for hits, name in zip(
            collection.search(vectors_of(left[:25]), 3, fingerprint=FINGERPRINT),
            left,
            strict=False,
        ):
            assert hits[0].item == item_of(name)
            assert {hit.item.id for hit in hits} <= set(left)


@every_engine
def test_an_unknown_id_to_remove_removes_nothing(make: Make, engine: str):
    collection = make("a", "b", engine=engine)
    with pytest.raises(BadInputError, match="got 'z', which is not"):
        collection.remove(["a", "z"])
    assert collection.ids() == ["a", "b"]
    assert collection.generation == 1


@every_engine
def test_closed_and_opened_again_it_answers_the_same(make: Make, engine: str):
    collection = make(*NAMES, engine=engine)
    queries = unit_rows(np.random.default_rng(4), 20)
    before = collection.search(queries, 10, fingerprint=FINGERPRINT)
    collection.close()
    for write in (False, True):
        with DiskCollection.open(collection.folder, write=write) as again:
            assert again.engine == engine
            assert again.search(queries, 10, fingerprint=FINGERPRINT) == before
            assert again.notices == []


@every_engine
@pytest.mark.parametrize("other", ENGINES)
def test_any_engine_searches_any_collection(make: Make, engine: str, other: str):
    collection = make(*NAMES, engine=engine)
    queries = unit_rows(np.random.default_rng(5), 20)
    before = collection.search(queries, 10, fingerprint=FINGERPRINT)
    collection.close()
    with DiskCollection.open(collection.folder, engine=other) as again:
        assert again.search(queries, 10, fingerprint=FINGERPRINT) == before


@every_engine
def test_what_an_engine_keeps_gives_the_same_engine_or_an_error(engine: str):
    part: Any = plugins.find(backends, engine)
    if not issubclass(plugins.find(backends, engine), KeptEngine):
        pytest.skip(f"{engine} keeps nothing")
    vectors = unit_rows(np.random.default_rng(6), 50)
    data = part(vectors).to_bytes()
    again = part.from_bytes(data, vectors)
    for mine, theirs in zip(
        again.search(vectors, 5), part(vectors).search(vectors, 5), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    for other in (vectors[:-1], vectors[:, :-1].copy()):
        with pytest.raises(ValueError, match=r"where .* is wanted"):
            part.from_bytes(data, other)
    for cut in range(0, len(data), len(data) // 20):
        with pytest.raises(ValueError, match="cannot read"):
            part.from_bytes(data[:cut], vectors)
