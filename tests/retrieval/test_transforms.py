"""A picture meets the network's square: drawings and products meet aligned."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from retrieval.errors import BadInputError
from retrieval.object_box import ObjectBox, object_box
from retrieval.transforms import Transform

BEFORE = {
    "size": 224,
    "fit": "squash",
    "crop_share": 0.875,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}
"""The settings of every encoder whose fingerprint was taken before there was more to set."""


def canvas(
    box: tuple[int, int, int, int],
    size: tuple[int, int] = (256, 256),
    colour: str = "black",
    background: str = "white",
) -> Image.Image:
    picture = Image.new("RGB", size, background)
    picture.paste(colour, box)
    return picture


def shoe(left: float, top: float, scale: float, size: tuple[int, int] = (256, 256)) -> Image.Image:
    """A drawing, the same at every place and scale."""
    picture = Image.new("RGB", size, "white")
    points = [(0, 0), (30, 10), (90, 60), (100, 80), (0, 80)]
    ImageDraw.Draw(picture).polygon(
        [(left + scale * x, top + scale * y) for x, y in points], fill="#444", outline="black"
    )
    return picture


def as_jpeg(picture: Image.Image, quality: int = 85) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def oracle(picture: Image.Image) -> ObjectBox | None:
    """The definition as loops."""
    width, height = picture.size

    def pixel(x: int, y: int) -> list[int]:
        return [int(value) for value in picture.getpixel((x, y))]  # type: ignore[union-attr]

    sides = [pixel(x, y) for y in (0, height - 1) for x in range(width)]
    sides += [pixel(x, y) for x in (0, width - 1) for y in range(height)]

    def near(one: list[int], other: list[int]) -> bool:
        return all(abs(a - b) <= 24 for a, b in zip(one, other, strict=True))

    medians = [sorted(channel) for channel in zip(*sides, strict=True)]
    middle = len(sides) // 2
    median = [(channel[middle - 1] + channel[middle]) // 2 for channel in medians]
    for colour in ([255, 255, 255], median):
        if sum(near(one, colour) for one in sides) < 0.75 * len(sides):
            continue
        far = [(x, y) for x in range(width) for y in range(height) if not near(pixel(x, y), colour)]
        if not far:
            return None
        columns, rows = zip(*far, strict=True)
        box = (min(columns), min(rows), max(columns) + 1, max(rows) + 1)
        return ObjectBox(box, (colour[0], colour[1], colour[2]))
    return None


# The box


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_box_is_that_of_the_definition(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(2, 9)), data.draw(st.integers(2, 9))
    background = data.draw(st.sampled_from([(255, 255, 255), (240, 250, 235), (90, 20, 200)]))
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = background
    for _ in range(data.draw(st.integers(0, 8))):
        row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        pixels[row, column] = data.draw(st.tuples(*[st.integers(0, 255)] * 3))
    picture = Image.fromarray(pixels)
    assert object_box(picture) == oracle(picture)


def test_one_pixel_of_difference_counts_and_a_level_less_does_not() -> None:
    at = canvas((7, 9, 8, 10), colour="#ffffe7")  # 24 below white in one channel
    beyond = canvas((7, 9, 8, 10), colour="#ffffe6")
    assert object_box(at) is None
    assert object_box(beyond) == ObjectBox((7, 9, 8, 10), (255, 255, 255))


def test_a_background_of_another_colour() -> None:
    grey = canvas((40, 50, 90, 200), background="#8090a0")
    assert object_box(grey) == ObjectBox((40, 50, 90, 200), (0x80, 0x90, 0xA0))


def test_an_object_may_touch_the_border() -> None:
    assert object_box(canvas((0, 40, 256, 90))) == ObjectBox((0, 40, 256, 90), (255, 255, 255))


def test_what_jpeg_does_to_white_is_not_an_object() -> None:
    clean = canvas((96, 80, 176, 160), colour="#b06030")
    found = object_box(as_jpeg(clean, 75))
    assert found is not None
    np.testing.assert_allclose(found.box, (96, 80, 176, 160), atol=8)  # a block of JPEG
    noise = np.random.default_rng(0).integers(-20, 1, (256, 256, 3)) + np.asarray(clean)
    noisy = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
    assert object_box(noisy) == ObjectBox((96, 80, 176, 160), (255, 255, 255))


# The fit


def ink(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((pixels < 128).any(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_the_object_fills_the_square_but_for_the_margins() -> None:
    """By hand: 100 less 2 x 6 is 88; a box of 40 x 20 becomes 88 x 44, from (6, 28)."""
    got = Transform(100, "object").pixels(canvas((30, 120, 70, 140)))
    want = np.full((100, 100, 3), 255, np.uint8)
    want[28:72, 6:94] = 0
    np.testing.assert_array_equal(got, want)
    wide = Transform(100, "object", margin=0.25).pixels(canvas((30, 120, 50, 160)))
    assert ink(wide) == (37, 25, 62, 75)
    whole = Transform(100, "object", margin=0).pixels(canvas((9, 9, 20, 20)))
    assert ink(whole) == (0, 0, 100, 100)


def test_a_stretched_object_fills_the_square_both_ways() -> None:
    """By hand: whatever the shape of the box, 88 x 88 from (6, 6)."""
    want = np.full((100, 100, 3), 255, np.uint8)
    want[6:94, 6:94] = 0
    for box in ((30, 120, 70, 140), (30, 20, 50, 160)):
        np.testing.assert_array_equal(Transform(100, "stretch").pixels(canvas(box)), want)
    blank = Image.new("RGB", (90, 120), "white")
    np.testing.assert_array_equal(
        Transform(64, "stretch").pixels(blank), Transform(64).pixels(blank)
    )


@pytest.mark.parametrize(
    "other",
    [
        shoe(120, 150, 1),
        shoe(3, 5, 2.2),
        shoe(300, 40, 1.5, (640, 320)),
        as_jpeg(shoe(40, 60, 1.4)),
    ],
    ids=["elsewhere", "larger", "on a wide canvas", "as JPEG"],
)
def test_a_drawing_means_the_same_anywhere_on_its_canvas(other: Image.Image) -> None:
    transform = Transform(128, "object")
    want, got = (transform.pixels(one).astype(float) for one in (shoe(10, 20, 1.7), other))
    assert np.abs(got - want).mean() < 6
    squashed = [Transform(128).pixels(one).astype(float) for one in (shoe(10, 20, 1.7), other)]
    assert np.abs(squashed[0] - squashed[1]).mean() > 12


def test_a_coloured_background_goes_on_into_the_margins() -> None:
    got = Transform(64, "object").pixels(canvas((40, 50, 90, 200), background="#8090a0"))
    assert got[0, 0].tolist() == [0x80, 0x90, 0xA0]


@pytest.mark.parametrize("kind", ["blank", "busy"])
def test_without_an_object_the_whole_picture_is_used(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    picture = Image.new("RGB", (90, 120), "white") if kind == "blank" else Image.fromarray(noise)
    np.testing.assert_array_equal(
        Transform(64, "object").pixels(picture), Transform(64, "pad").pixels(picture)
    )


def test_a_line_without_width_is_an_object() -> None:
    pixels = Transform(64, "object").pixels(canvas((100, 20, 101, 220)))
    assert pixels.shape == (64, 64, 3)
    assert (pixels < 128).any(axis=2).sum() == 56  # a column of one pixel, from margin to margin


# Settings and fingerprints


def test_settings_of_old_are_what_they_were() -> None:
    assert Transform().settings() == BEFORE
    assert Transform.from_settings(BEFORE) == Transform()


@pytest.mark.parametrize("changed", [{"pen": 3.0}, {"margin": 0.1}, {"pen": 1.5, "fit": "object"}])
def test_what_was_added_later_is_kept_where_it_is_set(changed: dict[str, object]) -> None:
    transform = Transform(**changed)  # type: ignore[arg-type]
    plain = json.loads(json.dumps(transform.settings()))
    assert {name: plain[name] for name in changed} == changed
    assert Transform.from_settings(plain) == transform


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"fit": "objct"}, "no fit called 'objct'.*Did you mean 'object'"),
        ({"pen": 0.0}, r"pen must be in \(0, 64\]; got 0.0"),
        ({"pen": float("nan")}, r"pen must be in \(0, 64\]; got nan"),
        ({"margin": 0.5}, r"margin must be in \[0, 0.5\); got 0.5"),
        ({"margin": -0.1}, r"margin must be in \[0, 0.5\); got -0.1"),
    ],
)
def test_options_that_make_no_transform(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        Transform(**options)  # type: ignore[arg-type]


def test_a_photo_keeps_the_detail_of_its_object() -> None:
    assert Transform(100, "object").draft_size == 200
