"""Augmentation: each colour change against its definition, crops inside the picture."""

import colorsys
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from train.augment import GREY, Augmentation, draw
from train.config import AugmentConfig

NONE = AugmentConfig(1.0, 1.0, False, 0.0, 0.0, 0.0)
PLAIN = Augmentation((0, 0, 1, 1), False, 1.0, 1.0, 1.0, 0.0, None)
MEAN = (0.5, 0.4, 0.3)


@pytest.fixture
def picture() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(70, 180, (5, 5, 3), np.uint8)
    return np.array(Image.fromarray(coarse).resize((20, 20), Image.Resampling.BILINEAR))


def test_nothing_drawn_changes_nothing(picture: np.ndarray) -> None:
    drawn = draw(NONE, np.random.default_rng(0))
    assert np.array_equal(drawn(picture, 20, MEAN), picture)


def test_brightness(picture: np.ndarray) -> None:
    bright = replace(PLAIN, brightness=1.2)(picture, 20, MEAN)
    assert np.abs(bright - picture * 1.2).max() < 1e-3


@pytest.mark.parametrize(("name", "kind"), [("contrast", "Contrast"), ("saturation", "Color")])
def test_contrast_and_saturation_are_pillows(picture: np.ndarray, name: str, kind: str) -> None:
    factor = 0.6
    want = np.asarray(getattr(ImageEnhance, kind)(Image.fromarray(picture)).enhance(factor))
    got = replace(PLAIN, **{name: factor})(  # type: ignore[arg-type]
        picture, 20, MEAN
    )
    assert np.abs(got - want).max() < 1.6  # Pillow rounds the grey and the result


def test_a_grey_picture_has_the_brightness_of_the_colours(picture: np.ndarray) -> None:
    grey = replace(PLAIN, saturation=0.0)(picture, 20, MEAN)
    assert np.abs(grey - (picture @ GREY)[..., None]).max() < 1e-3


def test_hue_turns_red_to_green_and_keeps_brightness_and_greys() -> None:
    matrix, offset = replace(PLAIN, hue=2 * math.pi / 3).colours(np.zeros(3, np.float32))
    assert np.abs(offset).max() < 1e-6
    red = np.array([0.6, 0.4, 0.4], np.float32)
    turned = matrix @ red
    assert abs(colorsys.rgb_to_hsv(*turned)[0] - 1 / 3) < 0.1
    assert abs(GREY @ turned - GREY @ red) < 2e-3
    assert np.abs(matrix @ np.ones(3, np.float32) - 1).max() < 6e-3


def test_changes_are_applied_one_after_another(picture: np.ndarray) -> None:
    both = replace(PLAIN, brightness=0.8, contrast=0.7, saturation=0.5)(picture, 20, MEAN)
    step = picture.astype(np.float64) * 0.8
    step = 0.7 * step + 0.3 * (step.reshape(-1, 3).mean(axis=0) @ GREY)
    step = 0.5 * step + 0.5 * (step @ GREY)[..., None]
    assert np.abs(both - step).max() < 1e-2


def test_mirror_and_crop(picture: np.ndarray) -> None:
    assert np.array_equal(replace(PLAIN, mirrored=True)(picture, 20, MEAN), picture[:, ::-1])
    corner = replace(PLAIN, box=(0.5, 0.25, 0.5, 0.5))(picture, 10, MEAN)
    assert np.array_equal(corner, picture[5:15, 10:20])


def test_a_crop_beyond_the_picture_mirrors_it(picture: np.ndarray) -> None:
    wide = replace(PLAIN, box=(-0.25, -0.5, 2.0, 1.5))(picture, 40, MEAN)
    around = np.pad(picture, ((10, 0), (5, 15), (0, 0)), mode="symmetric")
    assert around.shape == (30, 40, 3)
    want = np.asarray(Image.fromarray(around).resize((40, 40), Image.Resampling.BICUBIC))
    assert np.array_equal(wide, want)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1.1, 9))
def test_large_crops_hold_the_picture_or_lie_in_it(seed: int, largest: float) -> None:
    config = replace(AugmentConfig(), crop_share=0.5, crop_largest=largest)
    drawn = [draw(config, np.random.default_rng([seed, number])) for number in range(40)]
    for left, top, width, height in (one.box for one in drawn):
        assert width * height <= largest * (1 + 1e-9)
        for start, size in ((left, width), (top, height)):
            inside, around = 0 <= start <= 1 - size, start <= 0 <= 1 <= start + size
            assert inside or around or size == pytest.approx(1)
    assert any(one.box[2] > 1 for one in drawn)


def test_the_hidden_rectangle_has_the_mean_colour(picture: np.ndarray) -> None:
    hidden = replace(PLAIN, hidden=(0.1, 0.5, 0.2, 0.4))(picture, 20, MEAN)
    assert np.allclose(hidden[10:18, 2:6], np.array(MEAN) * 255)
    assert np.array_equal(hidden[:10], picture[:10])
    assert np.array_equal(hidden[:, 6:], picture[:, 6:])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1), st.floats(1, 5))
def test_crops_lie_inside_and_keep_enough(seed: int, share: float, aspect: float) -> None:
    config = AugmentConfig(crop_share=share, crop_aspect=aspect, erase=1.0)
    drawn = draw(config, np.random.default_rng(seed))
    assert drawn.hidden is not None
    for left, top, width, height in (drawn.box, drawn.hidden):
        assert left >= 0
        assert left + width <= 1 + 1e-9
        assert top >= 0
        assert top + height <= 1 + 1e-9
    _, _, width, height = drawn.box
    assert width * height <= 1
    assert width * height >= share - 1e-9 or max(width, height) == 1.0  # cut to what fits


def test_draws_differ_and_repeat() -> None:
    config = AugmentConfig(hue=0.1, grey=0.2, erase=0.5)
    first = [draw(config, rng) for rng in [np.random.default_rng(0)] for _ in range(50)]
    again = [draw(config, rng) for rng in [np.random.default_rng(0)] for _ in range(50)]
    assert first == again
    assert len({drawn.box for drawn in first}) == 50
    assert 10 < sum(drawn.mirrored for drawn in first) < 40
    assert 2 < sum(drawn.saturation == 0 for drawn in first) < 25
    assert 10 < sum(drawn.hidden is not None for drawn in first) < 40
