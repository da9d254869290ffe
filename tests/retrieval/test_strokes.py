"""Strokes: what they refuse, how they are cut and scaled, and that ink is where the pen went."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInputError
from retrieval.strokes import Drawing, Stroke, placed
from tests.retrieval.drawings import drawings

CROSS = Drawing((Stroke([[0, 0], [30, 40]], [0, 100], [0, 1]), Stroke([[10, 10], [60, 10]])))


def ink(drawing: Drawing, size: int = 256, pen: float = 2) -> np.ndarray:
    """(size, size) share of each pixel that is black."""
    return 1 - np.asarray(drawing.raster(size, pen))[..., 0] / 255


def distance_to(drawing: Drawing, x: float, y: float) -> float:
    """From a place to the nearest place of any stroke, as loops in float64."""
    nearest = np.inf
    for stroke in drawing.strokes:
        points = stroke.points.astype(np.float64).tolist()
        for (ax, ay), (bx, by) in zip(points, points[1:] or points, strict=False):
            dx, dy = bx - ax, by - ay
            long = dx * dx + dy * dy
            t = min(1.0, max(0.0, ((x - ax) * dx + (y - ay) * dy) / long)) if long else 0.0
            nearest = min(nearest, np.hypot(ax + t * dx - x, ay + t * dy - y))
    return float(nearest)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([],), r"points must be \(K, 2\), K at least 1; got \(0,\)"),
        (([[1, 2, 3]],), r"points must be \(K, 2\), K at least 1; got \(1, 3\)"),
        (([[1, 2], [3]],), "points must be numbers, as many in every row"),
        (([["a", 2]],), "points must be numbers"),
        (([[np.nan, 2]],), "points must be finite.* got nan"),
        (([[0, 0], [np.inf, 2]],), "points must be finite.* got inf"),
        (([[1e39, 2]],), "points must be finite.* got inf"),
        (([[2e6, 2]],), "at most 1,000,000 from the origin; got 2000000"),
        (([[1, 2]], [1, 2]), r"times must be \(1,\), one for each point; got \(2,\)"),
        (([[1, 2]], [np.nan]), "times must be finite; got nan"),
        (([[1, 2]], None, [1.5]), r"pressures must be in 0\.\.1; got 1\.5"),
        (([[1, 2]], None, [np.nan]), "pressures must be finite"),
    ],
)
def test_what_is_no_stroke_is_refused(arguments, sentence):
    with pytest.raises(BadInputError, match=sentence):
        Stroke(*arguments)


@pytest.mark.parametrize("side", [0, -1, np.nan, np.inf])
def test_a_canvas_has_sides(side):
    with pytest.raises(BadInputError, match="height of a canvas must be more than 0"):
        Drawing((), 256, side)


def test_nobody_can_change_a_stroke():
    points = np.zeros((2, 2), np.float32)
    stroke = Stroke(points)
    points[0] = 7
    assert stroke.points.tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match="read-only"):
        stroke.points[0] = 7


def test_length_and_box():
    assert CROSS.strokes[0].length == 50
    assert CROSS.length == 100
    assert CROSS.box == (0, 0, 60, 40)
    assert Stroke([[5, 5]]).length == 0
    with pytest.raises(BadInputError, match="must have a stroke"):
        _ = Drawing(()).box


def test_a_share_of_the_way_cuts_inside_a_stroke():
    begun = CROSS.until(0.25)
    (stroke,) = begun.strokes
    assert stroke.points.tolist() == [[0, 0], [15, 20]]
    assert stroke.times is not None
    assert stroke.times.tolist() == [0, 50]
    assert stroke.pressures is not None
    assert stroke.pressures.tolist() == [0, 0.5]
    assert [len(CROSS.until(share).strokes) for share in (0, 0.5, 0.51, 1)] == [0, 1, 2, 2]
    assert CROSS.until(0.75).strokes[1].points.tolist() == [[10, 10], [35, 10]]
    with pytest.raises(BadInputError, match=r"share must be in 0\.\.1; got 1\.1"):
        CROSS.until(1.1)


def test_a_dot_is_there_when_the_pen_has_come_to_it():
    dotted = Drawing((Stroke([[0, 0], [10, 0]]), Stroke([[5, 5]]), Stroke([[0, 1], [10, 1]])))
    assert len(dotted.until(0.49).strokes) == 1
    assert len(dotted.until(0.5).strokes) == 2


@settings(max_examples=60, deadline=None)
@given(drawings(), st.floats(0, 1))
def test_a_share_has_that_share_of_the_way(drawing, share):
    assert drawing.until(share).length == pytest.approx(share * drawing.length, rel=1e-4, abs=1e-3)


def test_the_first_strokes():
    assert [len(CROSS.prefix(count).strokes) for count in (-1, 0, 1, 2, 9)] == [0, 0, 1, 2, 2]
    assert CROSS.prefix(1).strokes[0] is CROSS.strokes[0]


def test_a_canvas_is_scaled_and_centred():
    wide = Drawing((Stroke([[0, 0], [200, 100]], [0, 5]),), 200, 100).fitted(100)
    assert (wide.width, wide.height) == (100, 100)
    assert wide.strokes[0].points.tolist() == [[0, 25], [100, 75]]
    assert wide.strokes[0].times is not None


def test_what_is_drawn_is_centred_between_margins():
    fitted = Drawing((Stroke([[10, 10], [20, 10]]), Stroke([[15, 15]]))).fitted(100, margin=10)
    assert fitted.box == pytest.approx((10, 30, 90, 70))
    dot = Drawing((Stroke([[3, 200]]),)).fitted(100, margin=10)
    assert dot.box == (50, 50, 50, 50)
    with pytest.raises(BadInputError, match="margin must be at least 0 and below 50; got 50"):
        CROSS.fitted(100, margin=50)


def test_strokes_without_a_canvas_get_one_around_them():
    drawing = placed([Stroke([[-100, 0], [600, 0]])])
    assert (drawing.width, drawing.height) == (800, 800)
    assert drawing.box == (50, 400, 750, 400)


@pytest.mark.parametrize("pen", [0.5, 2.0, 7.3, 40.0])
@pytest.mark.parametrize("size", [64, 224])
def test_ink_is_where_the_pen_went(size, pen):
    """Against the distance to the path: inside the pen all black, outside white, ends round."""
    random = np.random.default_rng(3)
    drawing = Drawing(
        (
            Stroke([[40, 40], [200, 90], [60, 150], [61, 40]]),
            Stroke([[220, 220]]),
            Stroke(random.uniform(100, 250, (5, 2))),
        )
    )
    seen = ink(drawing, size, pen)
    pixel = 256 / size
    for row, column in random.integers(0, size, (1500, 2)).tolist():
        away = distance_to(drawing, (column + 0.5) * pixel, (row + 0.5) * pixel)
        if away < pen / 2 - 1.2 * pixel:
            assert seen[row, column] > 0.9
        if away > pen / 2 + 1.4 * pixel:
            assert seen[row, column] == 0


@pytest.mark.parametrize("pen", [1.0, 3.0, 10.0])
def test_a_dot_is_a_disc_and_a_line_as_wide_as_its_pen(pen):
    disc = ink(Drawing((Stroke([[128, 128]]),)), 512, pen)
    assert disc.sum() == pytest.approx(np.pi * pen**2, rel=0.2)
    line = ink(Drawing((Stroke([[-50, 128], [300, 128]]),)), 512, pen)
    assert line[:, 100].sum() == pytest.approx(2 * pen, abs=0.26)


def test_a_pen_grows_with_the_picture():
    small, large = ink(CROSS, 128, 8), ink(CROSS, 512, 8)
    assert large.reshape(128, 4, 128, 4).mean((1, 3)) == pytest.approx(small, abs=0.5)
    assert large.mean() == pytest.approx(small.mean(), rel=0.03)


def test_a_large_picture_has_no_seams():
    """It is drawn in bands; the same lines at half the size are drawn in one."""
    zigzag = Drawing((Stroke([[10 + 9 * k, 20 if k % 2 else 236] for k in range(27)]),))
    large = np.asarray(zigzag.raster(2048, 3).reduce(4)).astype(float)
    small = np.asarray(zigzag.raster(1024, 3).reduce(2)).astype(float)
    assert np.abs(large - small).max() < 60
    assert np.abs(large - small).mean() < 1


def test_what_lies_on_a_wide_canvas_is_centred():
    drawing = Drawing((Stroke([[0, 50], [400, 50]]),), 400, 100)
    rows = np.flatnonzero(ink(drawing, 64, 8).max(1) > 0.5)
    assert rows.mean() == pytest.approx(31.5, abs=0.6)


@settings(max_examples=60, deadline=None)
@given(drawings(-1e6, 1e6), st.sampled_from([16, 33, 64]), st.floats(0.01, 256))
def test_any_drawing_gives_the_same_picture_twice(drawing, size, pen):
    once = drawing.raster(size, pen)
    assert once.mode == "RGB"
    assert once.size == (size, size)
    again = Drawing(drawing.strokes, drawing.width, drawing.height)
    assert once.tobytes() == again.raster(size, pen).tobytes()


def test_no_stroke_is_white_paper():
    assert ink(Drawing(()), 64).max() == 0


@pytest.mark.parametrize(
    ("size", "pen", "sentence"),
    [
        (15, 2, r"size must be in 16\.\.4096 pixels; got 15"),
        (4097, 2, r"size must be in 16\.\.4096 pixels; got 4097"),
        (64, 0, "pen must be more than 0 and at most 256; got 0"),
        (64, float("nan"), "pen must be more than 0"),
    ],
)
def test_a_picture_that_cannot_be_is_refused(size, pen, sentence):
    with pytest.raises(BadInputError, match=sentence):
        CROSS.raster(size, pen)
