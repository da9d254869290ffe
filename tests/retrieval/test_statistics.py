"""Intervals and the test of two encoders: published values, scipy, loops, and coverage."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from retrieval import statistics
from retrieval.statistics import cluster_bootstrap, mcnemar, wilson


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000), st.data(), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(count: int, data: st.DataObject, confidence: float) -> None:
    hits = data.draw(st.integers(0, count))
    want = stats.binomtest(hits, count).proportion_ci(confidence, method="wilson")
    assert wilson(hits, count, confidence) == pytest.approx((want.low, want.high), abs=1e-12)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share_and_is_symmetric(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    low, high = wilson(hits, count)
    assert 0 <= low <= hits / count <= high <= 1
    assert wilson(count - hits, count) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("hits", "count"), [(1, 0), (0, 0), (3, 2), (-1, 2)])
def test_wilson_of_what_cannot_be(hits: int, count: int) -> None:
    with pytest.raises(ValueError, match=rf"^hits must be in 0\.\.count.*; got {hits} of {count}"):
        wilson(hits, count)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5])
def test_confidence_is_a_fraction(confidence: float) -> None:
    with pytest.raises(ValueError, match=r"^confidence must be in \(0, 1\); got"):
        wilson(1, 2, confidence)
    with pytest.raises(ValueError, match=r"^confidence must be in \(0, 1\); got"):
        cluster_bootstrap(np.zeros((2, 1)), np.arange(2), confidence=confidence)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_sign_test(b: int, c: int) -> None:
    n = b + c
    tail = sum(Fraction(math.comb(n, i), 2**n) for i in range(min(b, c) + 1))
    assert mcnemar(b, c) == float(min(Fraction(1), 2 * tail))
    assert mcnemar(b, c) == mcnemar(c, b)
    if n:
        assert mcnemar(b, c) == pytest.approx(stats.binomtest(b, n, 0.5).pvalue, rel=1e-9)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [(0, 0, 1), (5, 5, 1), (0, 5, 0.0625), (1, 9, 22 / 1024), (0, 10, 2 / 1024)],
)
def test_mcnemar_by_hand(b: int, c: int, p: float) -> None:
    assert mcnemar(b, c) == p


def test_mcnemar_of_many_queries() -> None:
    want = stats.binomtest(20_000, 40_500, 0.5).pvalue
    assert mcnemar(20_000, 20_500) == pytest.approx(want, rel=1e-8)
    assert mcnemar(0, 5000) == 0  # below what a float can say, not an error


def test_mcnemar_of_negative_counts() -> None:
    with pytest.raises(ValueError, match=r"^counts must be 0 or more; got -1 and 3\."):
        mcnemar(-1, 3)


def test_bootstrap_equals_the_definition() -> None:
    """The same draws, resampled query by query."""
    rng = np.random.default_rng(5)
    clusters = rng.integers(0, 6, 40)
    values = rng.random((40, 2))
    names = np.unique(clusters)
    generator = np.random.default_rng(3)
    means = []
    for _ in range(200):
        drawn = generator.multinomial(len(names), [1 / len(names)] * len(names))
        sample = []
        for name, times in zip(names, drawn, strict=True):
            for _ in range(times):
                sample.extend(values[clusters == name].tolist())
        means.append([sum(column) / len(sample) for column in zip(*sample, strict=True)])
    want = np.quantile(np.array(means), [0.025, 0.975], axis=0).T
    got = cluster_bootstrap(values, clusters, repeats=200, seed=3)
    np.testing.assert_allclose(got, want, atol=1e-12)


def test_bootstrap_is_the_same_by_seed_and_however_the_draws_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    clusters, values = rng.integers(0, 30, 300), rng.random((300, 3))
    one = cluster_bootstrap(values, clusters, seed=1)
    assert (one != cluster_bootstrap(values, clusters, seed=2)).all()
    monkeypatch.setattr(statistics, "_DRAWS", 1)
    np.testing.assert_allclose(cluster_bootstrap(values, clusters, seed=1), one, rtol=1e-12)


def test_bootstrap_of_single_queries_is_near_wilson() -> None:
    values = (np.arange(400) < 280).astype(np.float64)[:, None]
    low, high = cluster_bootstrap(values, np.arange(400))[0]
    assert (low, high) == pytest.approx(wilson(280, 400), abs=0.01)


def test_queries_that_are_alike_widen_the_interval() -> None:
    """Ten copies of each query tell no more than one: the interval must be that of the tenth."""
    single = (np.random.default_rng(0).random(60) < 0.6).astype(np.float64)
    copied, clusters = np.repeat(single, 10)[:, None], np.repeat(np.arange(60), 10)
    low, high = cluster_bootstrap(copied, clusters)[0]
    assert (low, high) == tuple(cluster_bootstrap(single[:, None], np.arange(60))[0])
    naive = wilson(int(copied.sum()), 600)
    assert high - low > 2.5 * (naive[1] - naive[0])


def test_bootstrap_covers_the_truth() -> None:
    """Of 200 experiments with clustered queries about 190 intervals must hold the true 0.5."""
    rng = np.random.default_rng(0)
    covered = wilson_covered = 0
    clusters = np.repeat(np.arange(60), 10)
    for seed in range(200):
        difficulty = rng.beta(1, 1, 60)
        hits = rng.random(600) < difficulty[clusters]
        values = hits.astype(np.float64)[:, None]
        low, high = cluster_bootstrap(values, clusters, repeats=400, seed=seed)[0]
        covered += low <= 0.5 <= high
        low, high = wilson(int(hits.sum()), 600)
        wilson_covered += low <= 0.5 <= high
    assert 180 <= covered <= 198
    assert wilson_covered < 160  # why the clusters matter


def test_a_single_cluster_has_no_interval() -> None:
    with pytest.raises(ValueError, match=r"^clusters must be at least two; got 1\."):
        cluster_bootstrap(np.zeros((5, 1)), np.zeros(5, np.int64))


def test_shapes_of_the_bootstrap() -> None:
    with pytest.raises(ValueError, match=r"^values must be \(Q, M\); got \(5,\)\. Add an axis"):
        cluster_bootstrap(np.zeros(5), np.arange(5))
    with pytest.raises(ValueError, match=r"^clusters must be \(5,\); got \(4,\)"):
        cluster_bootstrap(np.zeros((5, 1)), np.arange(4))
