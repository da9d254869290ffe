"""Whitening against its definition in float64, and what it is for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.whitening import FROM_VECTORS, Whitening, fit_whitening

Rows = NDArray[np.float32]


def vectors(count: int = 60, dim: int = 8, seed: int = 0) -> Rows:
    """Unit rows with a common direction and very unequal variances."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(count, dim)) * np.geomspace(1, 0.01, dim) + 0.5
    units: Rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return units


def whitened(rows: Rows, dim: int, method: str, queries: Rows) -> NDArray[np.float64]:
    """By the singular value decomposition of the training rows; signs as the module says."""
    training = rows.astype(np.float64)
    mean = training.mean(axis=0) if method == "pca" else np.zeros(training.shape[1])
    _, singular, directions = np.linalg.svd(training - mean, full_matrices=False)
    result = np.zeros((len(queries), dim))
    for d in range(dim):
        direction = directions[d] * np.sign(directions[d][np.argmax(np.abs(directions[d]))])
        scale = np.sqrt(len(training)) / singular[d]
        for q, query in enumerate(queries.astype(np.float64)):
            result[q, d] = float((query - mean) @ direction) * scale
    return result


@pytest.mark.parametrize("method", FROM_VECTORS)
@settings(deadline=None)
@given(dim=st.integers(1, 8), seed=st.integers(0, 20))
def test_the_definition(method: str, dim: int, seed: int) -> None:
    rows, queries = vectors(seed=seed), vectors(5, seed=seed + 1000)
    got = fit_whitening(rows, dim, method)(torch.from_numpy(queries)).numpy()
    want = whitened(rows, dim, method, queries)
    np.testing.assert_allclose(got, want, atol=2e-3 * np.abs(want).max())


@pytest.mark.parametrize("method", FROM_VECTORS)
def test_training_vectors_come_out_white(method: str) -> None:
    rows = vectors(500)
    out = fit_whitening(rows, 6, method)(torch.from_numpy(rows)).double()
    np.testing.assert_allclose((out.T @ out / len(out)).numpy(), np.eye(6), atol=1e-3)
    if method == "pca":
        np.testing.assert_allclose(out.mean(dim=0).numpy(), 0, atol=1e-4)


def test_fewer_vectors_than_dimensions() -> None:
    rows = vectors(6, 40)
    whitening = fit_whitening(rows, 5, "pca")
    assert torch.isfinite(whitening.projection).all()
    with pytest.raises(ValueError, match=r"^dim must be at most 5, the rank of 6 .*; got 6\. "):
        fit_whitening(rows, 6, "pca")
    assert fit_whitening(rows, 6, "svd").dim == 6


@pytest.mark.parametrize("method", FROM_VECTORS)
def test_dimensions_beyond_the_rank_are_refused(method: str) -> None:
    rows = vectors(50, 4)
    doubled = np.concatenate([rows, rows], axis=1)
    assert fit_whitening(doubled, 4, method).dim == 4
    with pytest.raises(ValueError, match="dim must be at most 4, the rank"):
        fit_whitening(doubled, 5, method)


def test_equal_vectors_have_no_variance_to_whiten() -> None:
    with pytest.raises(ValueError, match="dim must be at most 0, the rank of 9 training vectors"):
        fit_whitening(np.repeat(vectors(1), 9, axis=0), 1, "pca")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(value: float) -> None:
    rows = vectors()
    rows[3, 2] = value
    with pytest.raises(ValueError, match=r"^vectors must be finite; got NaN or infinity\."):
        fit_whitening(rows, 2)


@pytest.mark.parametrize("rows", [np.zeros((0, 4), np.float32), np.zeros(4, np.float32)])
def test_too_few_vectors_are_refused(rows: Rows) -> None:
    with pytest.raises(ValueError, match=r" must be "):
        fit_whitening(rows, 2)


@pytest.mark.parametrize("dim", [0, -1, 9])
def test_impossible_sizes_are_refused(dim: int) -> None:
    with pytest.raises(ValueError, match=rf"^dim of a whitening must be in 1\.\.8; got {dim}\.$"):
        fit_whitening(vectors(), dim)


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(ValueError, match=r"no whitening called 'pac'.*Did you mean 'pca'"):
        Whitening(4, 2, "pac")


@pytest.mark.parametrize("method", FROM_VECTORS)
def test_the_same_vectors_give_the_same_map_whatever_their_order(method: str) -> None:
    rows = vectors()
    one, other = (fit_whitening(r, 4, method) for r in (rows, rows[::-1].copy()))
    torch.testing.assert_close(one.projection, other.projection, rtol=1e-4, atol=1e-4)


def test_pairs_are_whitened_elsewhere() -> None:
    assert Whitening(8, 2, "paired").method == "paired"
    with pytest.raises(ValueError, match="no whitening from vectors called 'paired'; known: pca"):
        fit_whitening(vectors(), 2, "paired")
