"""Similarities against least squares as numpy solves it, and photos under them."""

import cmath
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from retrieval.errors import BadInputError
from retrieval.pose import Similarity, fit_similarity, pose_normalised


def keypoints(seed: int, seen: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).normal(size=(6, 3)) * 40
    drawn[:, 2] = 1 if seen is None else seen
    return drawn


def by_least_squares(source: NDArray[np.float64], target: NDArray[np.float64]) -> Similarity:
    """x' = c x - s y + t, y' = s x + c y + u: two rows of equations for each point."""
    rows, wanted = [], []
    for (x, y, here), (u, v, there) in zip(source.tolist(), target.tolist(), strict=True):
        if here and there:
            rows += [[x, -y, 1, 0], [y, x, 0, 1]]
            wanted += [u, v]
    c, s, t, u = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    return Similarity(complex(c, s), complex(t, u))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_least_squares_solution_over_what_both_show(seed: int) -> None:
    shown = np.array([[1, 1, 0, 1, 1, 0], [1, 1, 1, 0, 1, 0]], dtype=float)
    here, there = keypoints(seed, shown[0]), keypoints(seed + 50, shown[1])
    found, want = fit_similarity(here, there), by_least_squares(here, there)
    assert found.a == pytest.approx(want.a, rel=1e-9)
    assert found.b == pytest.approx(want.b, rel=1e-9)


def test_what_was_turned_scaled_and_moved_is_brought_back() -> None:
    prototype = keypoints(0)
    moved = Similarity(cmath.rect(2.5, math.radians(70)), 30 - 8j)
    photo = prototype.copy()
    photo[:, :2] = moved.of(prototype[:, :2])
    photo[3] = (1e6, -1e6, 0)  # what cannot be seen says nothing
    found = fit_similarity(photo, prototype)
    np.testing.assert_allclose(found.of(photo[:3, :2]), prototype[:3, :2], atol=1e-9)
    assert found.a == pytest.approx(moved.inverse().a)
    assert found.b == pytest.approx(moved.inverse().b)


def test_nothing_is_mirrored() -> None:
    prototype = keypoints(0)
    mirrored = prototype * (-1, 1, 1)
    left = fit_similarity(mirrored, prototype).of(mirrored[:, :2]) - prototype[:, :2]
    assert np.abs(left).max() > 1


def test_two_points_are_met_exactly() -> None:
    two = keypoints(3, np.array([1.0, 0, 0, 0, 0, 1]))
    found = fit_similarity(two, keypoints(4)).of(two[[0, 5], :2])
    np.testing.assert_allclose(found, keypoints(4)[[0, 5], :2], atol=1e-9)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_points(count: int) -> None:
    few = keypoints(0, np.where(np.arange(6) < count, 1.0, 0.0))
    with pytest.raises(BadInputError, match=f"two places or more .*; got {count}"):
        fit_similarity(few, keypoints(1))


def test_points_in_one_place_are_one() -> None:
    same = np.tile([3.0, 4.0, 1.0], (6, 1))
    with pytest.raises(BadInputError, match=r"two places or more .*; got 1"):
        fit_similarity(same, keypoints(1))
    with pytest.raises(BadInputError, match="must not be brought to a single point"):
        fit_similarity(keypoints(1), same)


def test_another_number_of_parts() -> None:
    with pytest.raises(BadInputError, match="prototype must be"):
        fit_similarity(keypoints(0), keypoints(0)[:4])


def photo_with_squares(places: NDArray[np.float64], side: int = 8) -> Image.Image:
    """Black, with a red, a green and a blue square around three points."""
    pixels = np.zeros((120, 160, 3), dtype=np.uint8)
    for colour, (x, y) in enumerate(places.round().astype(int).tolist()):
        pixels[y - side : y + side, x - side : x + side, colour] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 0), (0.8, 30), (0.4, -100), (1.7, 170)])
def test_parts_are_shown_where_the_prototype_has_them(scale: float, degrees: float) -> None:
    places = np.array([[40.0, 30.0], [110.0, 40.0], [70.0, 90.0]])
    turned = Similarity(cmath.rect(scale, math.radians(degrees)), 0).of(places)
    turned += 100 - turned.mean(axis=0)
    seen = np.ones((3, 1))
    similarity = fit_similarity(np.hstack([places, seen]), np.hstack([turned, seen]))
    made = np.asarray(pose_normalised(photo_with_squares(places), similarity, 200))
    assert made.shape == (200, 200, 3)
    for colour, (x, y) in enumerate(turned.tolist()):
        want = [255 if channel == colour else 0 for channel in range(3)]
        np.testing.assert_allclose(made[int(y), int(x)], want, atol=12)


def test_the_same_pose_is_the_same_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    made = pose_normalised(Image.fromarray(pixels), Similarity(1, 0), 50)
    np.testing.assert_array_equal(np.asarray(made), pixels)
    moved = np.asarray(pose_normalised(Image.fromarray(pixels), Similarity(1, 10 + 4j), 50))
    np.testing.assert_array_equal(moved[4:, 10:], pixels[:46, :40])
    assert (moved[:3] == 128).all()


def test_what_shrinks_is_averaged() -> None:
    """A grid of black and white pixels becomes grey, not one of the two."""
    board = np.indices((120, 120)).sum(axis=0) % 2 * 255
    photo = Image.fromarray(np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8))
    made = np.asarray(pose_normalised(photo, Similarity(0.25, 0), 30))
    np.testing.assert_allclose(made[1:-1, 1:-1], 127.5, atol=1)
