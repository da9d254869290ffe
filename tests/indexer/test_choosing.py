"""Which engine fits a collection, and that it is chosen again when it no longer does."""

from pathlib import Path
from typing import Any

import pytest

from indexer import choosing
from indexer.choice import CHOICE, EngineChoice
from indexer.choosing import automatic, choose, due, read_table
from indexer.collection import Item
from indexer.disk import DiskCollection
from indexer.records import read_record
from retrieval.errors import BadInputError
from tests.indexer.approximate import DIM, clustered
from tests.indexer.damages import Damage, append, cut, flip
from tests.indexer.gallery import FINGERPRINT

GIB = 2**30
TABLE: list[dict[str, Any]] = [
    {"engine": "exact", "up_to": 50},  # of 512 coordinates: 800 of 32
    {"engine": "faiss_sq", "options": {"bits": 8}, "bytes_a_coordinate": 1.0, "recall": 0.99},
    {"engine": "faiss_flat"},
]


def add(collection: DiskCollection, start: int, end: int) -> None:
    rows = clustered(end)[start:]
    items = [Item(f"{number}") for number in range(start, end)]
    collection.add(rows, items, fingerprint=FINGERPRINT)


def growing(folder: Path) -> DiskCollection:
    return DiskCollection.create(
        folder, dim=DIM, fingerprint=FINGERPRINT, choice=automatic(TABLE, 0.95)
    )


@pytest.mark.parametrize(
    ("count", "dim", "memory", "recall", "engine"),
    [
        (1_000, 512, GIB, 0.98, "exact"),
        (50_000, 512, GIB, 0.98, "exact"),
        (50_001, 512, GIB, 0.98, "faiss_sq"),
        (50_001, 256, GIB, 0.98, "exact"),
        (30_000, 1_024, GIB, 0.98, "faiss_sq"),
        (300_000, 512, GIB, 0.98, "faiss_ivf_pq"),
        (300_000, 512, GIB, 0.999, "faiss_sq"),  # nothing else finds so much
        (1_000_000, 512, 8 * GIB, 0.98, "faiss_ivf_sq"),
        (1_000_000, 512, GIB // 2, 0.98, "faiss_ivf_pq"),  # 8 bits a coordinate do not fit
        (100_000_000, 512, 64 * GIB, 0.98, "faiss_ivf_pq"),
    ],
)
def test_the_table_of_the_program(count: int, dim: int, memory: int, recall: float, engine: str):
    chosen = choose(automatic(recall=recall), count, dim, memory)
    assert chosen.engine == engine
    assert (chosen.count, chosen.recall, chosen.automatic) == (count, recall, True)
    assert f"{engine} for {count:,} vectors of {dim}, recall {recall:g} wanted" in chosen.why


@pytest.mark.parametrize(
    ("then", "now", "again"),
    [(0, 0, False), (0, 1, True), (100, 199, False), (100, 200, True), (100, 51, False),
     (100, 50, True), (100, 0, False)],
)  # fmt: skip
def test_an_engine_is_chosen_again_when_the_collection_doubles_or_halves(
    then: int, now: int, again: bool
):
    choice = EngineChoice("exact", table=TABLE, recall=0.9, count=then)
    assert due(choice, now) is again
    assert not due(EngineChoice("exact"), now)


def test_memory_is_known():
    assert 2**20 < choosing.available_memory() < 2**50


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("row = 1", r"must hold \[\[row\]\] tables and nothing else; got row"),
        ("", "nothing else; got nothing"),
        ("[[row]", "must be a TOML file that can be read"),
        ('[[row]]\nengin = "exact"', "row 1: no field called 'engin'.*Did you mean 'engine'"),
        ("[[row]]\nup_to = 3", "row 1 must name an engine; got up_to"),
        ('[[row]]\nengine = "exat"', "no backends called 'exat'.*Did you mean 'exact'"),
        ('[[row]]\nengine = "exact"\nup_to = "x"', "row 1: up_to must be int; got 'x'"),
        ('[[row]]\nengine = "exact"\nup_to = true', "up_to must be int; got True"),
        ('[[row]]\nengine = "faiss_sq"\noptions = {bit = 8}', "no option of faiss_sq called 'bit'"),
    ],
)
def test_a_table_that_cannot_be_is_refused(tmp_path: Path, text: str, said: str):
    path = tmp_path / "table.toml"
    path.write_text(text)
    with pytest.raises(BadInputError, match=said):
        read_table(path)


def test_a_missing_table_is_refused(tmp_path: Path):
    with pytest.raises(BadInputError, match=r"none\.toml must be a TOML file that can be read"):
        read_table(tmp_path / "none.toml")


@pytest.mark.parametrize("recall", [0.0, -1.0, 1.5])
def test_a_recall_that_is_no_share_is_refused(recall: float):
    with pytest.raises(BadInputError, match=r"recall must be above 0 and at most 1; got"):
        automatic(recall=recall)


def test_a_collection_takes_another_engine_as_it_grows_and_says_so(tmp_path: Path):
    with growing(tmp_path / "birds") as collection:
        add(collection, 0, 700)
    assert collection.notices == [f"the engine is {collection.choice.why}"]
    assert collection.choice.why.startswith("exact for 700 vectors of 32, recall 0.95 wanted")
    with DiskCollection.open(collection.folder, write=True) as collection:
        add(collection, 700, 1_300)
    assert collection.notices == []  # not twice as many
    assert collection.engine == "exact"
    with DiskCollection.open(collection.folder, write=True) as collection:
        add(collection, 1_300, 1_400)
    assert collection.choice.why.startswith("faiss_sq for 1,400 vectors")
    assert (collection.folder / "cache" / "faiss_sq.bin").exists()
    with DiskCollection.open(collection.folder) as reader:
        assert (reader.engine, reader.choice.options) == ("faiss_sq", {"bits": 8})
        assert reader.info()["engine chosen"] == collection.choice.why
        (hits,) = reader.search(clustered(1), 1, fingerprint=FINGERPRINT)
        assert hits[0].item.id == "0"
    with DiskCollection.open(collection.folder, write=True) as collection:
        collection.remove([str(number) for number in range(800)])
    assert collection.engine == "exact"
    assert not (collection.folder / "cache" / "faiss_sq.bin").exists()


def test_the_manifest_is_written_once(tmp_path: Path):
    with growing(tmp_path / "birds") as collection:
        before = (collection.folder / "collection.json").read_bytes()
        add(collection, 0, 1_000)
    assert collection.engine == "faiss_sq"
    assert (collection.folder / "collection.json").read_bytes() == before


def test_a_collection_that_names_its_engine_has_no_record_of_it(tmp_path: Path):
    folder = tmp_path / "birds"
    DiskCollection.create(folder, dim=DIM, fingerprint=FINGERPRINT, engine="faiss_sq").close()
    assert not (folder / CHOICE).exists()
    with DiskCollection.open(folder) as collection:
        assert collection.engine == "faiss_sq"


@pytest.mark.parametrize(
    "damage", [flip(0.1), flip(0.5), cut(0), cut(0.5), append], ids=["1", "2", "empty", "half", "+"]
)
def test_a_damaged_record_leaves_the_engine_that_the_collection_was_made_with(
    tmp_path: Path, damage: Damage
):
    with growing(tmp_path / "birds") as collection:
        add(collection, 0, 1_000)
    damage(collection.folder / CHOICE)
    with DiskCollection.open(collection.folder) as reader:
        assert reader.engine == "exact"
        assert f"{CHOICE} is left aside" in reader.notices[0]
        (hits,) = reader.search(clustered(1), 1, fingerprint=FINGERPRINT)
        assert hits[0].item.id == "0"


def test_a_record_of_another_collection_is_left_aside(tmp_path: Path):
    for name in ("birds", "shoes"):
        with growing(tmp_path / name) as collection:
            add(collection, 0, 1_000)
    (tmp_path / "birds" / CHOICE).write_bytes((tmp_path / "shoes" / CHOICE).read_bytes())
    with DiskCollection.open(tmp_path / "birds") as reader:
        assert "it belongs to another collection" in reader.notices[0]


def test_options_are_kept_and_wrong_ones_refused_before_anything_is_made(tmp_path: Path):
    wrong = EngineChoice("faiss_hnsw", {"ef_serch": 3})
    with pytest.raises(BadInputError, match="Did you mean 'ef_search'"):
        DiskCollection.create(tmp_path / "no", dim=DIM, fingerprint=FINGERPRINT, choice=wrong)
    assert not (tmp_path / "no").exists()
    right = EngineChoice("faiss_hnsw", {"ef_search": 30})
    folder = tmp_path / "birds"
    with DiskCollection.create(folder, dim=DIM, fingerprint=FINGERPRINT, choice=right) as one:
        with pytest.raises(BadInputError, match="Did you mean 'ef_search'"):
            one.choose(wrong)
        assert one.info()["engine options"] == "ef_search=30"
    assert read_record(folder / CHOICE)["options"] == {"ef_search": 30}
    with (
        DiskCollection.open(folder) as reader,
        pytest.raises(BadInputError, match="must be open for writing"),
    ):
        reader.choose(right)
    with DiskCollection.open(folder, engine="faiss_sq") as other:
        assert (other.engine, other.choice.options) == ("faiss_sq", {})


def test_a_choice_that_was_tuned_meanwhile_is_what_was_asked_for():
    asked = EngineChoice("faiss_hnsw", {"m": 16})
    assert EngineChoice("faiss_hnsw", {"m": 16, "ef_search": 9}).satisfies(asked)
    assert not EngineChoice("faiss_hnsw", {"m": 32}).satisfies(asked)
    assert not EngineChoice("exact").satisfies(asked)
    chosen = choose(automatic(TABLE, 0.9), 10, 512, GIB)
    assert chosen.satisfies(automatic(TABLE, 0.9))
    assert not chosen.satisfies(automatic(TABLE, 0.8))
    assert not chosen.satisfies(EngineChoice("exact"))
