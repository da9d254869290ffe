"""P-values against their definition as loops, by hand, and what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval import openset
from retrieval.openset import Openset

Rows = NDArray[np.float32]


def unit(rows: NDArray[np.floating]) -> Rows:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def at(*degrees: float) -> Rows:
    """Rows on a circle: distances follow from angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def distance(a: Rows, b: Rows) -> float:
    return round(1 - float(a.astype(np.float64) @ b.astype(np.float64)), 6)


def left_out(gallery: Rows) -> list[float]:
    """Distance of each photo to the nearest other one."""
    count = range(len(gallery))
    return [min(distance(gallery[i], gallery[j]) for j in count if j != i) for i in count]


def left_out_of_class(gallery: Rows, targets: list[int]) -> list[tuple[int, float]]:
    """(class, distance to the nearest other photo of it) of each photo that has one."""
    found = []
    for i, target in enumerate(targets):
        others = [
            distance(gallery[i], gallery[j])
            for j in range(len(targets))
            if j != i and targets[j] == target
        ]
        if others:
            found.append((target, min(others)))
    return found


def by_loops(gallery: Rows, targets: list[int], query: Rows) -> tuple[int, float]:
    scale = left_out(gallery)
    nearest = min(range(len(targets)), key=lambda i: (distance(query, gallery[i]), targets[i]))
    a = distance(query, gallery[nearest])
    return targets[nearest], (1 + sum(one >= a for one in scale)) / (len(scale) + 1)


def by_class_by_loops(gallery: Rows, targets: list[int], query: Rows) -> tuple[int, float]:
    fits = []
    for target in sorted(set(targets)):
        scale = [one for which, one in left_out_of_class(gallery, targets) if which == target]
        a = min(
            distance(query, row) for row, own in zip(gallery, targets, strict=True) if own == target
        )
        p = (1 + sum(one >= a for one in scale)) / (len(scale) + 1)
        fits.append((-p, a, target))
    p, _, target = min(fits)
    return target, -p


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openset, "_QUERIES", 3)
    monkeypatch.setattr(openset, "_ROWS", 5)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_p_values_are_the_definition(seed: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((41, 4)) + 0.1
    if coarse:  # many rows and distances are equal
        rows = rng.integers(-1, 2, (41, 4)) + np.array([0.0, 0.0, 0.0, 3.0])
    gallery, queries = unit(rows[:30]), unit(rows[30:])
    targets = np.sort(rng.integers(0, 6, 30) * 7) if coarse else rng.integers(0, 6, 30) * 7
    made = Openset.fit(gallery, targets)
    labels, p = made.p_values(queries)
    want = [by_loops(gallery, targets.tolist(), query) for query in queries]
    np.testing.assert_allclose(p, [one for _, one in want], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(labels, [label for label, _ in want])
    if made.singles == 0:
        labels, p = made.p_values_by_class(queries)
        want = [by_class_by_loops(gallery, targets.tolist(), query) for query in queries]
        np.testing.assert_allclose(p, [one for _, one in want], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(labels, [label for label, _ in want])


def test_p_values_by_hand() -> None:
    # Left out: 0 and 10 are 10 apart, 100 and 140 are 40; the photo at 200 is 60 from another one.
    gallery = at(0, 10, 100, 140, 200)
    made = Openset.fit(gallery, np.array([3, 5, 5, 3, 8]))  # whatever their classes
    assert (made.count, made.singles) == (5, 1)
    labels, p = made.p_values(at(5, 20, 120.5, 240, 270, 300))
    assert labels.tolist() == [3, 5, 3, 8, 8, 3]
    #                5: all | 10, a tie: all | 19.5: three | 40, a tie | 70: none | 60, a tie: one
    assert p.tolist() == [1, 1, 4 / 6, 4 / 6, 1 / 6, 2 / 6]


def test_a_sample_of_photos_is_left_out_against_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openset, "SAMPLE", 12)
    rng = np.random.default_rng(8)
    gallery, queries = unit(rng.standard_normal((40, 4))), unit(rng.standard_normal((20, 4)))
    made = Openset.fit(gallery, np.repeat([0, 1], 20), seed=3)
    assert made.count == 12
    everything = left_out(gallery)
    chosen = np.random.default_rng(3).permutation(40)[:12]
    scale = [everything[row] for row in chosen]
    for query, p in zip(queries, made.p_values(queries).p, strict=True):
        a = min(distance(query, row) for row in gallery)
        assert p == pytest.approx((1 + sum(one >= a for one in scale)) / 13)


def test_p_values_by_class_by_hand() -> None:
    made = Openset.fit(at(0, 10, 100, 140), np.array([3, 3, 5, 5]))
    labels, p = made.p_values_by_class(at(5, 20, 40, 120, 240))
    # 20 is 10 from class 3, a tie; 40 is 30 from class 3, never that far, and 60 from class 5.
    assert labels.tolist() == [3, 3, 3, 5, 5]
    assert p.tolist() == [1, 1, 1 / 3, 1, 1 / 3]


def test_the_order_of_the_gallery_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    gallery, queries = unit(rng.standard_normal((40, 6))), unit(rng.standard_normal((9, 6)))
    targets = np.repeat(np.arange(8), 5)
    order = rng.permutation(40)
    first, second = Openset.fit(gallery, targets), Openset.fit(gallery[order], targets[order])
    for ask in ("p_values", "p_values_by_class"):
        for one, other in zip(
            getattr(first, ask)(queries), getattr(second, ask)(queries), strict=True
        ):
            np.testing.assert_array_equal(one, other)


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_p_is_never_below_the_full_conformal_one(seed: int, coarse: bool) -> None:
    """Which puts the query among the photos; the promise rests on this."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((13, 3))
    if coarse:
        rows = np.rint(rows) + np.array([0.0, 0.0, 2.5])
    photos, targets = unit(rows), np.repeat([0, 1, 2], [4, 4, 5])
    gallery, query = photos[:-1], photos[-1]  # of class 2
    *everything, nearest = left_out(photos)
    marginal = (1 + sum(one >= nearest for one in everything)) / (len(everything) + 1)
    *scale, (_, a) = left_out_of_class(photos, targets.tolist())
    own = [one for target, one in scale if target == 2]
    conditional = (1 + sum(one >= a for one in own)) / (len(own) + 1)
    made = Openset.fit(gallery, targets[:-1])
    assert made.p_values(query[None]).p[0] >= marginal - 1e-12
    assert made.p_values_by_class(query[None]).p[0] >= conditional - 1e-12


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("ask", ["p_values", "p_values_by_class"])
def test_known_queries_are_wrongly_refused_no_more_often_than_allowed(
    ask: str, coarse: bool
) -> None:
    rng = np.random.default_rng(11)
    repeats, classes, each = 1500, 2, 12
    centres = np.array([[3.0, 0, 0, 0], [0, 3.0, 0, 0]])
    p = np.empty(repeats)
    for repeat in range(repeats):
        targets = np.repeat(np.arange(classes), each + 1)
        rows = centres[targets] + rng.standard_normal((len(targets), 4))
        photos = unit(np.rint(rows * 2) + 0.25 if coarse else rows)
        asked = (repeat % classes) * (each + 1)  # any one photo: they are exchangeable
        gallery = np.delete(photos, asked, axis=0)
        made = Openset.fit(gallery, np.delete(targets, asked))
        p[repeat] = getattr(made, ask)(photos[asked : asked + 1]).p[0]
    for alpha in (0.08, 0.2, 0.4):
        most = alpha + 3 * np.sqrt(alpha * (1 - alpha) / repeats)
        assert (p <= alpha).mean() <= most
    assert (p <= 0.4).mean() > 0.05  # it does refuse


def test_photos_alone_in_their_class_keep_the_promise() -> None:
    rng = np.random.default_rng(4)
    repeats = 800
    p: list[float] = []
    while len(p) < repeats:
        targets = rng.integers(0, 12, 19)  # most draws have photos that are alone
        rows = 3 * np.eye(12)[targets] + rng.standard_normal((19, 12))
        if (np.unique(targets[1:], return_counts=True)[1] > 1).any():
            photos = unit(rows)
            p.append(Openset.fit(photos[1:], targets[1:]).p_values(photos[:1]).p[0])
    for alpha in (0.1, 0.3):
        most = alpha + 3 * np.sqrt(alpha * (1 - alpha) / repeats)
        assert np.mean(np.array(p) <= alpha) <= most


def test_strangers_far_away_have_the_least_p() -> None:
    rng = np.random.default_rng(2)
    gallery = unit(rng.standard_normal((30, 5)) * 0.1 + np.eye(5)[0])
    made = Openset.fit(gallery, np.repeat([0, 1, 2], 10))
    stranger = unit(-np.eye(5)[:1])
    assert made.p_values(stranger).p.tolist() == [1 / 31]
    assert made.p_values_by_class(stranger).p.tolist() == [1 / 11]


def test_what_cannot_be_fitted_is_said() -> None:
    rows = at(0, 10, 20)
    with pytest.raises(ValueError, match=r"^a gallery must have a class with two photos; got 3 ph"):
        Openset.fit(rows, np.arange(3))
    with pytest.raises(ValueError, match=r"^targets must be int64, 0 or more; got int64, least -1"):
        Openset.fit(rows, np.array([-1, 0, 0]))
    with pytest.raises(ValueError, match=r"^targets must be \(3,\); got \(2,\)"):
        Openset.fit(rows, np.array([0, 0]))
    with pytest.raises(ValueError, match=r"^vectors must have finite rows of norm 1"):
        Openset.fit(2 * rows, np.array([0, 0, 0]))
    made = Openset.fit(rows, np.array([4, 4, 7]))
    with pytest.raises(ValueError, match=r"got 1 with one, such as 7\. Add photos, or use p_v"):
        made.p_values_by_class(rows)
    with pytest.raises(ValueError, match=r"^queries must be \(Q, 2\)"):
        made.p_values(unit(np.ones((1, 3))))
