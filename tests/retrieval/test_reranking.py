"""Each re-ranking beside its definition, written again as plain loops."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval import plugins, reranking
from retrieval.local_descriptors import LocalDescriptors
from retrieval.metrics import judge
from retrieval.neighbours import Neighbours
from retrieval.ranking import rank
from retrieval.reranker import Reranker
from retrieval.reranking import Reranking
from tests.retrieval.rerankings import NOBODY, reranked, scene
from tests.retrieval.runs import made_vectors

PROBE = -1


def build(name: str, **options: Any) -> Reranking:
    made: Reranking = plugins.build(reranking, {"name": name, **options})
    return made


def cosine(a: NDArray[Any], b: NDArray[Any]) -> float:
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def nearest(rows: dict[int, NDArray[np.float32]], node: int, k: int) -> list[int]:
    """The k nearest others of a node; the query behind its equals."""
    others = [other for other in rows if other != node]
    key = {other: (-round(cosine(rows[node], rows[other]), 6), other == PROBE) for other in others}
    return sorted(others, key=lambda other: (*key[other], other))[:k]


def k_reciprocal(
    query: NDArray[np.float32], gallery: NDArray[np.float32], k1: int, k2: int, share: float
) -> list[float]:
    """Scores of the whole gallery, equation by equation."""
    rows = {PROBE: query} | dict(enumerate(gallery))

    def mutual(node: int, k: int) -> set[int]:
        return {node} | {n for n in nearest(rows, node, k) if node in nearest(rows, n, k)}

    def weights(node: int) -> dict[int, float]:
        first = mutual(node, k1)
        members = set(first)
        for friend in first - {node}:
            theirs = mutual(friend, round(k1 / 2))
            if len(first & theirs) >= 2 / 3 * len(theirs) - 1e-9:
                members |= theirs
        return {m: math.exp(cosine(rows[node], rows[m]) - 1) for m in members}

    sparse = {node: weights(node) for node in rows}

    def mean(node: int) -> dict[int, float]:
        group = [node, *nearest(rows, node, k2 - 1)]
        return {m: sum(sparse[g].get(m, 0) for g in group) / len(group) for m in rows}

    asked, scores = mean(PROBE), []
    for node in range(len(gallery)):
        held = mean(node)
        shared = sum(min(asked[m], held[m]) for m in rows)
        jaccard = 1 - shared / sum(max(asked[m], held[m]) for m in rows)
        distance = 1 - cosine(query, rows[node])
        scores.append(1 - (1 - share) * jaccard - share * distance)
    return scores


@pytest.mark.parametrize(
    ("k1", "k2", "share"), [(5, 3, 0.3), (8, 1, 0.0), (4, 5, 0.7), (20, 6, 0.3), (1, 1, 0.5)]
)
def test_k_reciprocal_is_the_papers(k1: int, k2: int, share: float) -> None:
    method = build("k_reciprocal", k1=k1, k2=k2, lambda_value=share)
    gallery, queries = scene(24, seed=5), scene(3, seed=6)
    for row in range(3):
        want = k_reciprocal(queries.vectors[row], gallery.vectors, k1, k2, share)
        candidates, scores = reranked(method, queries, row, gallery)
        assert len(candidates) == 24
        np.testing.assert_allclose(scores, np.array(want)[candidates], rtol=0, atol=2e-6)


def expansion(
    vector: NDArray[Any], near: list[int], rows: dict[int, NDArray[np.float32]], alpha: float
) -> list[float]:
    total = [float(value) for value in vector]
    for other in near:
        weight = max(cosine(vector, rows[other]), 0) ** alpha
        total = [t + weight * float(v) for t, v in zip(total, rows[other], strict=True)]
    norm = math.sqrt(sum(value * value for value in total))
    return [value / norm for value in total]


@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize("database", [False, True])
def test_alpha_query_expansion_is_the_papers(alpha: float, database: bool) -> None:
    method = build("alpha_query_expansion", n=4, alpha=alpha, database=database)
    gallery, queries = scene(20, seed=7), scene(3, seed=8)
    for row in range(3):
        rows = dict(enumerate(gallery.vectors))
        query = queries.vectors[row]
        asked = expansion(query, nearest({PROBE: query} | rows, PROBE, 4), rows, alpha)
        want = [
            cosine(
                np.array(asked),
                np.array(expansion(one, nearest(rows, at, 4), rows, alpha) if database else one),
            )
            for at, one in rows.items()
        ]
        candidates, scores = reranked(method, queries, row, gallery)
        np.testing.assert_allclose(scores, np.array(want)[candidates], rtol=0, atol=2e-6)


def test_a_hit_that_points_away_adds_nothing() -> None:
    rows = np.array([[1, 0], [0.6, -0.8], [-0.8, 0.6]], np.float32)
    made = Reranker(build("alpha_query_expansion", n=2, alpha=1.0), rows[:1], rows[1:])
    scores = made(0, np.array([0, 1]), np.array([0.6, -0.8], np.float32), NOBODY)
    expanded = np.array([1.36, -0.48]) / math.hypot(1.36, 0.48)  # q + 0.6 v
    np.testing.assert_allclose(scores, rows[1:] @ expanded, rtol=0, atol=2e-6)


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
def test_local_max_sim_is_its_definition(mask: bool, symmetric: bool) -> None:
    method = build("local_max_sim", weight=0.7, mask=mask, symmetric=symmetric)
    gallery, queries = scene(9, seed=9), scene(3, seed=10)

    def one_way(left: Any, right: Any) -> float:
        used = [row for row, inside in zip(*left, strict=True) if inside or not mask]
        return sum(max(cosine(row, other) for other in right[0]) for row in used) / len(used)

    for row in range(3):
        candidates, scores = reranked(method, queries, row, gallery)
        for candidate, score in zip(candidates, scores, strict=True):
            asked, held = queries.maps[row], gallery.maps[candidate]
            local = one_way(asked, held)
            if symmetric:
                local = (local + one_way(held, asked)) / 2
            own = cosine(queries.vectors[row], gallery.vectors[candidate])
            assert score == pytest.approx(0.7 * local + 0.3 * own, abs=2e-6)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "k_reciprocal", "k1": 0}, r"^k1 must be at least 1 and finite; got 0\.$"),
        ({"name": "k_reciprocal", "k1": 3, "k2": 5}, r"^k2 must be in \[1, 4\]; got 5\.$"),
        ({"name": "k_reciprocal", "lambda_value": 1.5}, r"^lambda_value must be in \[0, 1\]"),
        ({"name": "k_reciprocal", "k1": 2.5}, r"^k_reciprocal\.k1 must be int; got 2\.5"),
        ({"name": "alpha_query_expansion", "n": 0}, r"^n must be at least 1"),
        ({"name": "alpha_query_expansion", "alpha": float("inf")}, r"^alpha must be .* finite"),
        ({"name": "alpha_query_expansion", "alpha": float("nan")}, r"^alpha must be .* got nan"),
        ({"name": "local_max_sim", "weight": -0.1}, r"^weight must be in \[0, 1\]; got -0\.1"),
        ({"name": "k_reciprocals"}, r"Did you mean 'k_reciprocal'\?"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        plugins.build(reranking, options)


def test_local_descriptors_are_asked_for() -> None:
    vectors = scene(4).vectors
    with pytest.raises(ValueError, match=r"^local_max_sim must have local descriptors"):
        Reranker(build("local_max_sim"), vectors, vectors)


def test_vectors_that_are_no_unit_rows() -> None:
    vectors = scene(4).vectors
    with pytest.raises(ValueError, match=r"^gallery must have finite rows of norm 1"):
        Reranker(build("k_reciprocal"), vectors, 2 * vectors)
    with pytest.raises(ValueError, match=r"^queries must be \(Q, 6\)"):
        Reranker(build("k_reciprocal"), vectors[:, :5], vectors)


def test_neighbours_are_those_of_an_exact_search() -> None:
    vectors = scene(30).vectors
    want = rank(vectors, vectors, 5, same_images=True)
    lazy = Neighbours(vectors, 5)
    for rows in (np.array([7, 2, 7]), np.array([3, 2]), np.arange(30)):
        indices, scores = lazy.of(rows)
        np.testing.assert_array_equal(indices, want.indices[rows])
        np.testing.assert_array_equal(scores, want.scores[rows])
    indices, scores = Neighbours(vectors[:3], 5).of(np.array([1]))
    assert sorted(indices[0].tolist()) == [-1, -1, -1, 0, 2]
    assert np.isneginf(scores[0, 2:]).all()


class Reversed(Reranking):
    """The last candidate first."""

    def __init__(self, candidates: int = 4) -> None:
        super().__init__(candidates)

    def scores(self, query: Any, gallery: Any) -> NDArray[np.float64]:
        return np.linspace(-1, 1, query.count)


@pytest.mark.parametrize("same_images", [False, True])
def test_what_is_judged_is_the_new_order(same_images: bool) -> None:
    targets = np.random.default_rng(0).integers(0, 3, 25)
    gallery = made_vectors(targets, noise=2)
    queries = gallery if same_images else made_vectors(targets, noise=2, seed=1)
    rescore = Reranker(Reversed(), queries, gallery, most_left_out=same_images)
    found = judge(
        queries, gallery, targets, targets, same_images=same_images, keep=6, rescore=rescore
    )
    plain = rank(queries, gallery, 25 - same_images, same_images=same_images)
    for row, order in enumerate(plain.indices.tolist()):
        new = [*order[3::-1], *order[4:]]
        right = [place for place, hit in enumerate(new, 1) if targets[hit] == targets[row]]
        assert found.hits.indices[row].tolist() == new[:6]
        assert found.hits.scores[row, 0] == plain.scores[row, 3]  # still the cosine similarity
        assert found.first_rank[row] == right[0]
        average = np.mean([i / place for i, place in enumerate(right, 1)])
        assert found.average_precision[row] == pytest.approx(average)
    assert rescore.facts()["ms_per_query"] > 0


def test_copies_of_the_query_are_left_out_for_it() -> None:
    seen = []

    class Watched(Reversed):
        def scores(self, query: Any, gallery: Any) -> NDArray[np.float64]:
            seen.append(sorted(query.left_out.tolist()))
            assert not set(query.nearest.tolist()) & set(seen[-1])
            return super().scores(query, gallery)

    targets = np.arange(6) // 2
    vectors = made_vectors(targets, noise=1)
    files = np.array([0, 1, 2, 0, 4, 5])
    rescore = Reranker(Watched(), vectors, vectors, most_left_out=2)
    judge(vectors, vectors, targets, targets, same_files=(files, files), rescore=rescore)
    assert seen == [[0, 3], [1], [2], [0, 3], [4], [5]]


def test_candidates_that_tie_with_the_rest_are_none() -> None:
    vectors = scene(1).vectors.repeat(5, axis=0)
    made = Reranker(Reversed(candidates=3), vectors[:1], vectors)
    scores = np.array([0.9, 0.8, 0.7, 0.7], np.float32)
    assert len(made(0, np.arange(4), scores, NOBODY)) == 2
    assert len(made(0, np.arange(3), scores[:3], NOBODY)) == 3  # there are no more hits
    assert made.reach == 4


def test_local_descriptors_are_found_by_position() -> None:
    columns = scene(4).maps
    maps = LocalDescriptors(columns, np.array([2, 5, 6, 9]))
    rows, mask, starts = maps.together(np.array([9, 2]))
    np.testing.assert_array_equal(rows, np.concatenate([columns[3][0], columns[0][0]]))
    np.testing.assert_array_equal(mask, np.concatenate([columns[3][1], columns[0][1]]))
    assert starts.tolist() == [0, len(columns[3][1])]
    np.testing.assert_array_equal(maps.of(5)[0], columns[1][0])
