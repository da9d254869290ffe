"""Figures with their intervals, from what came of the single queries."""

from pathlib import Path

import numpy as np
import pytest

from retrieval.data import Benchmark, Modality, Relevance, Split
from retrieval.evaluation import report
from retrieval.figures import Score, default_ks, scores, values_of_queries
from retrieval.metrics import Outcomes, judge
from retrieval.statistics import cluster_bootstrap, wilson
from tests.retrieval.runs import made_split, made_vectors


@pytest.fixture
def outcomes() -> Outcomes:
    targets = made_split(80, 8).targets
    vectors = made_vectors(targets, noise=1.0)
    return judge(vectors, vectors, targets, targets, same_images=True)


def test_every_figure_is_the_mean_of_its_queries(outcomes: Outcomes) -> None:
    values = values_of_queries(outcomes, Relevance.CLASS, [1, 4])
    found = scores(outcomes, made_split(80, 8).targets, Relevance.CLASS, [1, 4])
    assert list(values) == ["Recall@1", "Recall@4", "R-precision", "MAP@R", "mAP"]
    assert [score.name for score in found] == list(values)
    for score in found:
        assert score.value == pytest.approx(values[score.name].mean())
        assert score.count == 80


def test_intervals(outcomes: Outcomes) -> None:
    targets = made_split(80, 8).targets
    first, *_, last = scores(outcomes, targets, Relevance.CLASS, [1], seed=3)
    assert first.hits == int(outcomes.found(1).sum())
    assert first.interval == wilson(first.hits, 80)
    values = np.stack([outcomes.found(1), outcomes.average_precision], axis=1).astype(np.float64)
    want = cluster_bootstrap(values, targets, seed=3)
    assert first.clustered == pytest.approx(tuple(want[0]))
    assert last.clustered == pytest.approx(tuple(want[1]))
    assert (last.name, last.hits, last.interval) == ("mAP", None, None)


def test_queries_without_a_right_answer_are_in_no_figure() -> None:
    targets = np.array([0, 0, 1, 1, 2])
    vectors = made_vectors(targets, noise=0.01)
    outcomes = judge(vectors, vectors, targets, targets, same_images=True)
    first = scores(outcomes, targets, Relevance.CLASS, [1])[0]
    assert (first.hits, first.count, first.value) == (4, 4, 1.0)


def test_a_single_class_has_no_clustered_interval() -> None:
    targets = np.zeros(5, np.int64)
    vectors = made_vectors(targets, noise=0.1)
    outcomes = judge(vectors, vectors, targets, targets, same_images=True)
    found = scores(outcomes, targets, Relevance.CLASS, [1, 2])
    assert [score.clustered for score in found] == [None] * 5


def test_nothing_to_find() -> None:
    targets = np.arange(4)
    vectors = made_vectors(targets, noise=0.1)
    outcomes = judge(vectors, vectors, targets, targets, same_images=True)
    with pytest.raises(ValueError, match=r"^a query must have a right answer .* in 4 queries\."):
        scores(outcomes, targets, Relevance.CLASS)


def test_print_is_percent_with_counts_and_intervals() -> None:
    score = Score("Recall@1", 0.4612, 3013, 1389, (0.4434, 0.4790), (0.41, 0.52))
    assert str(score) == "Recall@1 46.1% (1389/3013, 44.3-47.9, clustered 41.0-52.0)"
    assert str(Score("mAP", 0.2, 7)) == "mAP 20.0% (n 7)"


def test_the_name_follows_the_relevance(outcomes: Outcomes) -> None:
    values = values_of_queries(outcomes, Relevance.INSTANCE, [1, 10])
    assert list(values)[:2] == ["acc@1", "acc@10"]


def drawn_pairs(photos: int, sketches: int, distractors: int) -> Benchmark:
    """So many sketches of each photo, in a gallery with photos that nobody drew."""
    query = tuple(Path(f"s/{p}_{n}.png") for p in range(photos) for n in range(sketches))
    gallery = tuple(Path(f"p/{p}.jpg") for p in range(photos + distractors))
    targets = np.repeat(np.arange(photos), sketches)
    return Benchmark(
        "pairs",
        Split(query, targets, Modality.SKETCH),
        Split(gallery, np.arange(photos + distractors)),
        relevance=Relevance.INSTANCE,
    )


def test_sketches_of_one_photo_are_one_cluster() -> None:
    pairs = drawn_pairs(40, 3, distractors=25)
    drawn = np.repeat(made_vectors(np.arange(40), noise=1.6, seed=1), 3, axis=0)
    drawn += 0.1 * np.random.default_rng(3).standard_normal(drawn.shape).astype(np.float32)
    sketches = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    photos = made_vectors(pairs.gallery.targets, noise=0.3, seed=2)
    ks = default_ks(Relevance.INSTANCE)
    assert ks == (1, 5, 10)
    found = report(pairs, sketches, photos, ks=ks)
    scores_of_all = sketches.astype(np.float64) @ photos.T.astype(np.float64)
    right = scores_of_all[np.arange(120), pairs.query.targets]
    ranks = 1 + (scores_of_all > right[:, None]).sum(axis=1)
    for score, k in zip(found.scores, ks, strict=False):
        hits = (ranks <= k).astype(np.float64)
        assert (score.name, score.hits, score.count) == (f"acc@{k}", hits.sum(), 120)
        assert score.interval == wilson(int(hits.sum()), 120)
        by_photo = cluster_bootstrap(hits[:, None], pairs.query.targets)[0]
        assert score.clustered == pytest.approx(by_photo)
        alone = cluster_bootstrap(hits[:, None], np.arange(120))[0]
        assert np.ptp(by_photo) > np.ptp(alone)  # sketches of one photo are alike


def test_k_of_classes_are_those_of_papers_on_photos() -> None:
    assert default_ks(Relevance.CLASS) == (1, 2, 4, 8)
