"""Other hands: driven by chance only, as much as was asked for, late and short strokes first."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInputError
from retrieval.stroke_variation import StrokeVariation, removal_weights, varied, varied_picture
from retrieval.strokes import Drawing, Stroke
from tests.retrieval.drawings import drawings

STILL = StrokeVariation(
    **{
        name: 0.0
        for name in asdict(StrokeVariation())
        if name[:5] not in ("thinn", "thick", "least")
    }
)


def rays(count: int = 20) -> Drawing:
    """Lines of growing length from the centre, with a point every unit."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return Drawing(
        tuple(
            Stroke(128 + np.arange(20 + 4 * k)[:, None] * [np.cos(a), np.sin(a)], range(20 + 4 * k))
            for k, a in enumerate(angles)
        )
    )


def moves(drawing: Drawing, amounts: StrokeVariation, times: int = 150) -> list[np.ndarray]:
    """(N, 2) how far each point went, in each of many variations."""
    random = np.random.default_rng(0)
    before = np.concatenate([stroke.points for stroke in drawing.strokes])
    return [
        np.concatenate([one.points for one in varied(drawing, random, amounts).strokes]) - before
        for _ in range(times)
    ]


@settings(max_examples=40, deadline=None)
@given(drawings(), st.integers(0, 2**32))
def test_chance_alone_decides(drawing, seed):
    amounts = StrokeVariation(least_share=0.3)
    once, again = (
        varied_picture(drawing, np.random.default_rng(seed), amounts, size=32).tobytes()
        for _ in range(2)
    )
    assert once == again
    other = varied(drawing, np.random.default_rng(seed), amounts)
    assert 1 <= len(other.strokes) <= len(drawing.strokes)
    assert (other.width, other.height) == (drawing.width, drawing.height)


def test_seeds_differ():
    one, other = (varied_picture(rays(), np.random.default_rng(seed)).tobytes() for seed in (1, 2))
    assert one != other


def test_nothing_asked_for_changes_nothing():
    drawing = rays()
    still = varied(drawing, np.random.default_rng(0), STILL)
    for before, after in zip(drawing.strokes, still.strokes, strict=True):
        assert after.points == pytest.approx(before.points, abs=1e-3)
        assert np.array_equal(before.times, after.times)  # type: ignore[arg-type]


def test_late_and_short_strokes_are_left_out_first():
    order = tuple(Stroke([[0, 0], [9, 0]]) for _ in range(5))
    weights = removal_weights(order)
    assert weights.sum() == pytest.approx(1)
    assert weights[-1] / weights[0] == pytest.approx(np.exp(0.5))
    length = (Stroke([[0, 0], [10, 0]]), Stroke([[0, 0], [5, 0]]), Stroke([[0, 0], [10, 0]]))
    weights = removal_weights(length)
    assert weights[1] == max(weights)
    assert weights[1] / weights[0] == pytest.approx(np.exp(0.25 + 1))


def test_a_share_of_the_strokes_is_left_out_and_one_stays():
    random = np.random.default_rng(0)
    counts = [len(varied(rays(), random, replace(STILL, removed=0.3)).strokes) for _ in range(300)]
    assert np.mean(counts) == pytest.approx(14, abs=0.4)
    last = [varied(rays(), random, replace(STILL, removed=1.0)).strokes for _ in range(20)]
    assert {len(strokes) for strokes in last} == {1}


def test_the_order_of_drawing_stays():
    kept = varied(rays(), np.random.default_rng(0), replace(STILL, removed=0.4))
    lengths = [stroke.length for stroke in kept.strokes]
    assert lengths == sorted(lengths)


@pytest.mark.parametrize("option", ["bent_strokes", "bent_drawing"])
def test_bends_are_as_strong_as_asked_for_and_smooth(option):
    drawing = rays()
    gone = np.stack(moves(drawing, replace(STILL, **{option: 3.0})))
    assert gone.std() == pytest.approx(3, rel=0.15)
    along = np.concatenate([np.diff(one[-90:], axis=0) for one in gone])
    assert np.abs(along).max() < 1.2  # between points a unit apart


def test_a_bend_of_the_drawing_moves_neighbours_together_and_strokes_bend_alone():
    twins = Drawing((Stroke([[100, 100], [150, 150]]), Stroke([[101, 100], [151, 150]])))
    whole = np.stack(moves(twins, replace(STILL, bent_drawing=5.0)))
    assert np.abs(whole[:, :2] - whole[:, 2:]).max() < 0.8
    own = np.stack(moves(twins, replace(STILL, bent_strokes=5.0)))
    assert abs(np.corrcoef(own[:, :2].ravel(), own[:, 2:].ravel())[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("option", "amount", "measured"),
    [
        ("turned", 10.0, lambda m: np.degrees(np.arctan2(m[1, 0], m[0, 0]))),
        ("scaled", 0.1, lambda m: np.log(np.abs(np.linalg.det(m))) / 2),
        ("stretched", 0.1, lambda m: np.log(m[0, 0] / m[1, 1])),
        ("sheared", 0.1, lambda m: m[0, 1]),
    ],
)
def test_the_affine_part_is_what_was_asked_for(option, amount, measured):
    """About the centre, with the standard deviation that was asked for."""
    cross = Drawing((Stroke([[128, 128], [228, 128]]), Stroke([[128, 228]])))
    random, seen = np.random.default_rng(0), []
    for _ in range(400):
        drawn = varied(cross, random, replace(STILL, **{option: amount}))
        (centre, right), (down,) = (stroke.points.astype(float) for stroke in drawn.strokes)
        assert centre == pytest.approx([128, 128], abs=1e-3)
        seen.append(measured(np.column_stack([right - centre, down - centre]) / 100))
    assert np.std(seen) == pytest.approx(amount, rel=0.12)
    assert np.mean(seen) == pytest.approx(0, abs=amount / 5)


def test_a_shift_is_in_units_of_256():
    wide = Drawing((Stroke([[100, 100], [700, 300]]),), 1024, 512)
    gone = np.stack(moves(wide, replace(STILL, shifted=5.0), 400))
    assert gone[:, 0].std() == pytest.approx(20, rel=0.1)
    assert gone[:, 0] == pytest.approx(gone[:, 1], abs=1e-3)


def test_a_drawing_is_cut_within_its_range():
    random = np.random.default_rng(0)
    amounts = replace(STILL, least_share=0.25)
    whole = rays().length
    shares = [varied(rays(), random, amounts).length / whole for _ in range(200)]
    assert min(shares) > 0.249
    assert np.mean(shares) == pytest.approx(0.625, abs=0.05)
    dot = Drawing((Stroke([[5, 5]]), Stroke([[5, 5], [50, 5]])))
    assert varied(dot, random, replace(STILL, least_share=0.0)).strokes


def test_pens_are_in_their_range():
    line = Drawing((Stroke([[-90, 128], [400, 128]]),))
    amounts = replace(STILL, thinnest=2.0, thickest=6.0)
    random = np.random.default_rng(0)
    widths = [
        (1 - np.asarray(varied_picture(line, random, amounts))[:, 128, 0] / 255).sum()
        for _ in range(60)
    ]
    assert 1.8 < min(widths) < 2.6
    assert 5.4 < max(widths) < 6.2


def test_no_stroke_stays_no_stroke():
    empty = Drawing(())
    assert varied(empty, np.random.default_rng(0)) is empty


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"turned": -1.0}, "turned must be at least 0 and finite; got -1"),
        ({"scaled": float("nan")}, "scaled must be at least 0 and finite; got nan"),
        ({"removed": 1.2}, r"removed must be a share in 0\.\.1; got 1\.2"),
        ({"least_share": 1.2}, r"least_share must be a share in 0\.\.1"),
        ({"thinnest": 4.0}, r"in this order, at most 256; got 4\.0 and 3\.5"),
        ({"thinnest": 0.0}, "pens of more than 0"),
    ],
)
def test_amounts_that_cannot_be(options, sentence):
    with pytest.raises(BadInputError, match=sentence):
        StrokeVariation(**options)
