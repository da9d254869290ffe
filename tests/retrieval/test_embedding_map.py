"""The plane in which vectors vary most."""

import numpy as np
import pytest

from retrieval.embedding_map import principal_plane


def test_points_are_the_first_two_components():
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((50, 6)) * [3, 2, 1, 0.5, 0.2, 0.1]
    vectors = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    points, kept = principal_plane(vectors)
    centred = vectors.astype(np.float64) - vectors.astype(np.float64).mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    want = left[:, :2] * sizes[:2]
    for axis in range(2):
        sign = np.sign(want[:, axis] @ points[:, axis])
        np.testing.assert_allclose(points[:, axis], sign * want[:, axis], atol=1e-9)
    assert kept == pytest.approx((sizes[:2] ** 2).sum() / (sizes**2).sum())
    order = rng.permutation(50)
    np.testing.assert_allclose(principal_plane(vectors[order]).points, points[order], atol=1e-9)


def test_vectors_on_a_plane_keep_their_distances():
    angles = np.linspace(0, 3, 9)
    vectors = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1).astype(np.float32)
    points, kept = principal_plane(vectors)
    assert kept == pytest.approx(1)
    for i in range(9):
        for j in range(9):
            apart = np.linalg.norm(vectors[i].astype(float) - vectors[j])
            assert np.linalg.norm(points[i] - points[j]) == pytest.approx(apart, abs=1e-6)
    assert principal_plane(np.repeat(vectors[:1], 3, axis=0)).points.tolist() == [[0, 0]] * 3


def test_one_vector_has_no_map():
    with pytest.raises(ValueError, match=r"^a map must have two vectors or more; got 1 of 3"):
        principal_plane(np.eye(3, dtype=np.float32)[:1])
