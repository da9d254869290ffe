"""Qdrant's engine in this process, beyond the contract that every engine keeps."""

import gc
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.engines import nearest
from retrieval.errors import BadInputError
from tests.indexer.gallery import unit_rows

pytest.importorskip("qdrant_edge", reason="needs the extra qdrant: pip install -e '.[qdrant]'")

from indexer.backends import qdrant_edge
from indexer.backends.qdrant_edge import QdrantEdge

DIM = 32
RNG = np.random.default_rng(0)
VECTORS = unit_rows(RNG, 2_000, DIM)
QUERIES = unit_rows(RNG, 40, DIM)
IDS = [f"{place:05}".encode() for place in range(len(VECTORS))]


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,000 rows are many."""
    monkeypatch.setattr(qdrant_edge, "EXACT_UP_TO", 100)


def recall(engine: Any, allowed: Any = None) -> float:
    scores = QUERIES.astype(np.float64) @ VECTORS.T.astype(np.float64)
    if allowed is not None:
        scores[:, ~allowed] = -9
    truth = np.argsort(-scores, axis=1)[:, :10]
    found, _ = engine.search(QUERIES, 10, allowed)
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth, strict=True)]))


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_the_graph_finds_nearly_all(quantization: str):
    engine = QdrantEdge(VECTORS, ef_search=256, quantization=quantization)
    assert not engine.exact
    assert recall(engine) > 0.97


@pytest.mark.usefixtures("graph")
def test_what_binary_codes_confuse_is_told_apart_by_the_full_vectors():
    few, many = (
        recall(QdrantEdge(VECTORS, quantization="binary", oversampling=times)) for times in (1, 40)
    )
    assert few < 0.6 < 0.9 < many


@pytest.mark.usefixtures("graph")
def test_a_wider_search_finds_more():
    found = [recall(QdrantEdge(VECTORS, m=4, ef_construction=8, ef_search=ef)) for ef in (10, 400)]
    assert found[0] < found[1]


def test_few_rows_are_compared_one_and_all():
    engine = QdrantEdge(VECTORS)
    assert engine.exact
    assert recall(engine) == 1
    allowed = RNG.random(len(VECTORS)) < 0.03
    assert recall(engine, allowed) == 1


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_under_a_filter_every_allowed_row_is_compared(share: float):
    engine = QdrantEdge(VECTORS, m=4, ef_construction=8, ef_search=10)
    assert recall(engine) < 1
    assert recall(engine, RNG.random(len(VECTORS)) < share) == 1


def test_where_fewer_are_allowed_than_wanted_the_rest_is_marked():
    allowed = np.zeros(len(VECTORS), bool)
    allowed[[5, 77]] = True
    positions, scores = QdrantEdge(VECTORS).search(QUERIES[:1], 4, allowed)
    assert set(positions[0, :2]) == {5, 77}
    assert positions[0, 2:].tolist() == [-1, -1]
    assert scores[0, 2:].tolist() == [-np.inf, -np.inf]


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_kept_and_opened_again_it_is_the_same_graph(quantization: str):
    made = QdrantEdge(VECTORS, ef_search=20, quantization=quantization)
    again = QdrantEdge.from_bytes(bytes(made.to_bytes()), VECTORS)
    for one, other in zip(made.search(QUERIES, 10), again.search(QUERIES, 10), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again._shard.info().indexed_vectors_count == len(VECTORS)


def test_holes_are_not_kept():
    engine = QdrantEdge(VECTORS)
    apparent = sum(path.stat().st_size for path in files(engine))
    assert len(engine.to_bytes()) < apparent / 4


def test_answers_after_scoring_again_are_those_of_the_definition():
    positions, scores = nearest(QdrantEdge(VECTORS), VECTORS, IDS, QUERIES, 5)
    products = np.rint(QUERIES.astype(np.float64) @ VECTORS.T.astype(np.float64) * 1e6)
    for row, order in enumerate(np.argsort(-products, axis=1, kind="stable")[:, :5]):
        assert positions[row].tolist() == order.tolist()
        assert scores[row].tolist() == (products[row, order] / 1e6).tolist()


def test_every_changed_byte_is_noticed_before_the_engine_sees_it():
    data = bytes(QdrantEdge(VECTORS[:50]).to_bytes())
    for place in np.random.default_rng(1).integers(0, len(data), 200).tolist():
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(ValueError, match="cannot read it"):
            QdrantEdge.from_bytes(bytes(changed), VECTORS[:50])
    other = VECTORS[:50].copy()
    other[[0, 1]] = other[[1, 0]]
    with pytest.raises(ValueError, match=r"where .* is wanted"):
        QdrantEdge.from_bytes(data, other)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil"])
def test_a_packed_name_never_leads_out_of_the_folder(name: str):
    magic, _, line, body = bytes(QdrantEdge(VECTORS[:5]).to_bytes()).split(b"\n", 3)
    header = json.loads(line)
    header["files"][0]["name"] = name
    line = json.dumps(header).encode()
    checked = hashlib.sha256(line).hexdigest().encode()
    with pytest.raises(ValueError, match="leads out of its folder"):
        QdrantEdge.from_bytes(b"\n".join((magic, checked, line, body)), VECTORS[:5])


def test_its_folder_goes_with_it():
    engine = QdrantEdge(VECTORS[:50])
    folder = engine._folder
    assert folder.is_dir()
    del engine
    gc.collect()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quantization": "int9"}, "no quantization called 'int9'; known: none, int8, binary"),
        ({"m": 1}, "m must be at least 2; got 1"),
        ({"ef_construction": 0}, "ef_construction must be at least 4; got 0"),
        ({"ef_search": 0}, "ef_search must be at least 1; got 0"),
        ({"oversampling": 0.5}, "oversampling must be at least 1; got 0.5"),
    ],
)
def test_options_nobody_can_have(options: dict[str, Any], said: str):
    with pytest.raises(BadInputError, match=said):
        QdrantEdge(VECTORS[:5], **options)


def files(engine: QdrantEdge) -> list[Path]:
    return [path for path in engine._folder.rglob("*") if path.is_file()]
