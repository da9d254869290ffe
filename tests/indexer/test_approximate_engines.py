"""What every approximate engine that is found keeps to, beside the contract of all engines."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import faiss
import numpy as np
import pytest

from indexer import backends
from indexer.backends import _faiss
from indexer.backends.exact import Exact
from indexer.collection import Vectors
from indexer.engines import nearest
from retrieval import plugins
from retrieval.errors import BadInputError
from tests.indexer.approximate import APPROXIMATE, COUNT, DIM, clustered, made, thorough
from tests.indexer.gallery import unit_rows

K = 10
RECALL = 0.95  # of the ten nearest, on clustered vectors, with the options nobody has chosen
every_engine = pytest.mark.parametrize("engine", APPROXIMATE)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return clustered()


@pytest.fixture(scope="module")
def queries() -> Vectors:
    return clustered(100, seed=1)


def recall(found: np.ndarray, true: np.ndarray) -> float:
    pairs = zip(found.tolist(), true.tolist(), strict=True)
    return float(np.mean([len(set(one) & set(other)) / len(other) for one, other in pairs]))


def test_there_are_some():
    assert {"faiss_hnsw", "faiss_ivf_flat", "faiss_ivf_pq", "faiss_sq"} <= set(APPROXIMATE)


@every_engine
def test_most_of_the_nearest_are_found(engine: str, vectors: Vectors, queries: Vectors):
    true, _ = Exact(vectors).search(queries, K)
    found, _ = made(engine, vectors).search(queries, K)
    assert recall(found, true) >= RECALL


@every_engine
@pytest.mark.parametrize("share", [None, 0.4])
def test_an_engine_that_leaves_nothing_out_answers_as_the_exact_one(
    engine: str, vectors: Vectors, queries: Vectors, share: float | None
):
    allowed = None if share is None else np.random.default_rng(2).random(COUNT) < share
    ids = [f"{number:05}".encode() for number in range(COUNT)]
    mine = nearest(thorough(engine, vectors), vectors, ids, queries, K, allowed)
    theirs = nearest(Exact(vectors), vectors, ids, queries, K, allowed)
    np.testing.assert_array_equal(mine[0], theirs[0])
    np.testing.assert_array_equal(mine[1], theirs[1])


@every_engine
def test_looking_further_never_finds_less(engine: str, vectors: Vectors, queries: Vectors):
    true, _ = Exact(vectors).search(queries, K)
    one = made(engine, vectors)
    recalls = [
        recall(one.tuned(min(value, one.most())).search(queries, K)[0], true)
        for value in (1, 4, 64, 1024)
    ]
    assert all(next_ >= value - 0.005 for value, next_ in pairwise(recalls))


@every_engine
@pytest.mark.parametrize("count", [1, 2, 999, 1_000, 1_001])
def test_any_number_of_rows_can_be_searched_for_all_of_them(engine: str, count: int):
    rows = clustered(count)
    one = made(engine, rows)
    assert one.exact == (count < _faiss.SMALLEST)
    ids = [f"{number:05}".encode() for number in range(count)]
    positions, _ = nearest(one, rows, ids, rows[:2], count)
    for row in positions:
        assert sorted(row.tolist()) == list(range(count))


@every_engine
def test_rows_that_are_all_the_same_can_be_trained_on(engine: str):
    rows = np.repeat(unit_rows(np.random.default_rng(3), 1, DIM), 1_100, axis=0)
    ids = [f"{number:05}".encode() for number in range(1_100)]
    positions, scores = nearest(made(engine, rows), rows, ids, rows[:1], 20)
    assert len(set(positions[0].tolist())) == 20
    assert set(scores[0]) == {1.0}


@every_engine
@pytest.mark.parametrize("dim", [1, 7, 17])
def test_any_length_of_vector_will_do(engine: str, dim: int):
    rows = unit_rows(np.random.default_rng(4), 1_050, dim)
    found, _ = made(engine, rows).search(rows[:3], 5)
    assert found.shape == (3, 5)


@every_engine
def test_the_same_rows_make_the_same_engine_on_one_thread(engine: str, vectors: Vectors):
    assert bytes(made(engine, vectors).to_bytes()) == bytes(made(engine, vectors).to_bytes())


@every_engine
def test_building_tells_how_far_it_is(
    engine: str, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_faiss, "_CHUNK", 1_000)
    told: list[int] = []
    plugins.find(backends, engine)(vectors, on_progress=told.append)
    assert told == [1_000, 1_000, 400]


@every_engine
def test_training_uses_a_sample(engine: str, vectors: Vectors, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_faiss, "_SMALLEST_SAMPLE", 300)
    monkeypatch.setattr(_faiss, "_SAMPLE_PER_LIST", 1)
    sample = _faiss._sample(vectors, 40)
    assert len(sample) == 300
    np.testing.assert_array_equal(sample, _faiss._sample(vectors, 40))
    options = {"nlist": 7} if engine in ("faiss_ivf_flat", "faiss_ivf_pq", "faiss_ivf_sq") else {}
    true, _ = Exact(vectors).search(vectors[:50], K)
    found, _ = made(engine, vectors, **options).search(vectors[:50], K)
    assert recall(found, true) >= 0.9


@every_engine
def test_a_kept_engine_is_mapped_and_answers_the_same(
    engine: str, vectors: Vectors, queries: Vectors, tmp_path: Path
):
    one = made(engine, vectors)
    file = tmp_path / "kept"
    file.write_bytes(bytes(one.to_bytes()) + b"what comes after is of no matter" * 20)
    part = plugins.find(backends, engine)
    again = part.from_file(file, vectors)
    for mine, theirs in zip(again.search(queries, K), one.search(queries, K), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for other in (vectors[:-1], vectors[:, :-1].copy()):
        with pytest.raises(ValueError, match=r"where .* is wanted"):
            part.from_file(file, other)


@every_engine
def test_a_damaged_engine_is_refused_or_proposes_rows_that_are_there(
    engine: str, vectors: Vectors, queries: Vectors
):
    part = plugins.find(backends, engine)
    data = bytes(made(engine, vectors[:1_100]).to_bytes())
    for place in [*range(0, 200, 7), *np.linspace(200, len(data) - 1, 40).astype(int).tolist()]:
        damaged = bytearray(data)
        damaged[place] ^= 1 << (place % 8)
        try:
            again = part.from_bytes(bytes(damaged), vectors[:1_100])
        except ValueError:
            continue
        found, _ = again.search(queries[:3], K)
        assert (found < 1_100).all()


@pytest.mark.parametrize(
    ("engine", "options", "other"),
    [
        ("faiss_hnsw", {"m": 16}, {"m": 24}),
        ("faiss_ivf_flat", {"nlist": 9}, {"nlist": 10}),
        ("faiss_ivf_pq", {"m": 8}, {"m": 16}),
        ("faiss_ivf_sq", {"bits": 8}, {"bits": 16}),
        ("faiss_sq", {"bits": 8}, {"bits": 16}),
    ],
)
def test_a_kept_engine_of_other_options_is_refused(
    engine: str, options: dict[str, int], other: dict[str, int], vectors: Vectors
):
    part = plugins.find(backends, engine)
    data = bytes(made(engine, vectors, **options).to_bytes())
    part.from_bytes(data, vectors, **options)
    with pytest.raises(ValueError, match=r"where .* is wanted"):
        part.from_bytes(data, vectors, **other)


@pytest.mark.parametrize(
    ("engine", "options", "said"),
    [
        ("faiss_hnsw", {"ef_serch": 64}, "no option of faiss_hnsw called 'ef_serch'.*'ef_search'"),
        ("faiss_hnsw", {"index": 1}, "no option of faiss_hnsw called 'index'"),
        ("faiss_hnsw", {"ef_search": 0}, "ef_search must be at least 1; got 0"),
        ("faiss_hnsw", {"m": 1}, "m must be at least 2; got 1"),
        ("faiss_hnsw", {"m": 3.5}, r"faiss_hnsw.m must be int; got 3\.5"),
        ("faiss_ivf_flat", {"nprobe": 0}, "nprobe must be at least 1; got 0"),
        ("faiss_ivf_flat", {"nlist": -1}, "nlist must be at least 0; got -1"),
        ("faiss_ivf_pq", {"m": 5}, r"m must divide the 32 coordinates \(1, 2, 4.*\); got 5"),
        ("faiss_ivf_pq", {"k_factor": 0}, "k_factor must be at least 1; got 0"),
        ("faiss_sq", {"bits": 4}, "bits must be 8 or 16; got 4"),
        ("faiss_flat", {"nlist": 4}, "no option of faiss_flat called 'nlist'"),
    ],
)
def test_wrong_options_are_refused_by_name(
    engine: str, options: dict[str, float], said: str, vectors: Vectors
):
    with pytest.raises(BadInputError, match=said):
        made(engine, vectors[:50], **options)


def test_lists_are_as_many_as_can_be_trained():
    assert _faiss.list_count(0, 1_000_000) == 4_000
    assert _faiss.list_count(0, 2_400) == 61  # 2,400 / 39, not 4 sqrt(2,400) = 196
    assert _faiss.list_count(8, 2_400) == 8
    assert _faiss.list_count(8, 100) == 2
    assert _faiss.list_count(0, 1) == 1


@pytest.mark.parametrize("engine", ["faiss_ivf_flat", "faiss_ivf_sq"])
def test_with_graphics_cards_lists_are_trained_and_searched_there(
    engine: str, vectors: Vectors, queries: Vectors, monkeypatch: pytest.MonkeyPatch
):
    cloned = []

    def clone(index: faiss.Index) -> faiss.Index:
        cloned.append(type(index).__name__)
        return index

    plain = made(engine, vectors)
    monkeypatch.setattr(_faiss, "gpu_count", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", clone, raising=False)
    one = made(engine, vectors)
    assert cloned[0] == "IndexFlatIP"
    assert cloned[1].startswith("IndexIVF")
    for mine, theirs in zip(one.search(queries, K), plain.search(queries, K), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert bytes(one.to_bytes()) == bytes(plain.to_bytes())


@pytest.mark.parametrize("engine", ["faiss_flat", "faiss_ivf_sq"])
def test_another_library_that_replaces_search_is_no_trouble(engine: str) -> None:
    """In a process of its own: pytorch-metric-learning loads the module for all of a process."""
    script = f"""
import faiss.contrib.torch_utils
import numpy as np
from indexer import backends
from retrieval import plugins
vectors = np.eye(32, dtype=np.float32)[np.arange(2_000) % 32]
allowed = np.arange(2_000) >= 1_990
engine = plugins.find(backends, "{engine}")(vectors)
positions, scores = engine.search(vectors[:1], 10, allowed)
found = set(positions[0].tolist()) - {{-1}}
assert found and found <= set(range(1_990, 2_000)), positions
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
