"""A part of a photo: a box, and what is clicked on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from retrieval.encoder import build_encoder
from retrieval.errors import BadInputError
from retrieval.joined import JoinedEncoder
from retrieval.placement import Placement
from retrieval.regions import (
    GREY,
    ObjectRegions,
    components,
    cropped,
    cut_out,
    object_regions,
)


def flooded(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """The definition: positions that touch, corners included, in the order of the class."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    found = []
    while left:
        start = min(left)
        reached, edge = {start}, [start]
        while edge:
            row, column = edge.pop()
            near = {(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1)}
            new = (near & left) - reached
            reached |= new
            edge += new
        left -= reached
        found.append(reached)
    return sorted(found, key=lambda one: (-len(one), min(one)))


@settings(max_examples=60, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_components_are_what_touches_largest_first(mask: np.ndarray):
    labels = components(mask)
    numbered = [
        {(int(row), int(column)) for row, column in np.argwhere(labels == number)}
        for number in range(1, labels.max(initial=0) + 1)
    ]
    assert numbered == flooded(mask)


def gradient(width: int = 80, height: int = 60) -> Image.Image:
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return Image.fromarray(np.stack([columns, rows, columns], axis=2))


def test_a_box_is_cut_at_whole_pixels():
    part = cropped(gradient(), (0.255, 0.25, 0.75, 0.99))
    assert part.size == (60 - 20, 60 - 15)  # 20.4 down to 20, 59.4 up to 60
    assert part.getpixel((0, 0)) == (20, 15, 20)
    assert cropped(gradient(), (0, 0, 1, 1)).tobytes() == gradient().tobytes()


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ((0.5, 0, 0.5, 1), "in order; got 0.5, 0, 0.5, 1"),
        ((0.8, 0, 0.2, 1), "in order"),
        ((-0.1, 0, 1, 1), "in order"),
        ((0, 0, 1, 1.5), "in order"),
        ((float("nan"), 0, 1, 1), "got nan"),
        ((0, 0, 0.1, 1), r"at least 16 pixels wide and high .* got 8x60. Draw a larger box"),
    ],
)
def test_a_box_that_is_none_is_refused(box, sentence: str):
    with pytest.raises(BadInputError, match=sentence):
        cropped(gradient(), box)


def test_a_region_stands_alone_on_grey():
    regions = ObjectRegions(np.array([[1, 1, 0], [0, 1, 0], [2, 0, 0]]), Placement())
    part = cut_out(gradient(90, 60), regions, 1)  # a cell has 30 x 20 pixels
    assert part.size == (60, 40)
    assert part.getpixel((0, 0)) == (0, 0, 0)
    assert part.getpixel((59, 39)) == (59, 39, 59)
    assert part.getpixel((29, 20)) == GREY
    assert part.getpixel((30, 20)) == (30, 20, 30)
    assert cut_out(gradient(90, 60), regions, 2).getpixel((0, 0)) == (0, 40, 0)


def test_a_region_lies_where_the_picture_was_shown():
    shown = Placement(shown=(0.5, 0, 1, 1))  # the encoder saw the right half
    regions = ObjectRegions(np.array([[1, 0]]), shown)
    assert cut_out(gradient(), regions, 1).getpixel((0, 0)) == (40, 0, 40)


def test_a_region_beside_the_picture_or_unknown_is_refused():
    filled = Placement(filled=(0, 0, 0.5, 1))  # background was laid at the right
    regions = ObjectRegions(np.array([[0, 1]]), filled)
    with pytest.raises(BadInputError, match="got one beside it"):
        cut_out(gradient(), regions, 1)
    for number in (0, 2, -1):
        with pytest.raises(BadInputError, match=f"one of 1 to 1; got {number}"):
            cut_out(gradient(), regions, number)


def two_discs() -> Image.Image:
    picture = Image.new("RGB", (192, 128), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((8, 32, 72, 96), fill="black")
    draw.ellipse((144, 48, 176, 80), fill="black")
    return picture


def test_two_things_are_two_regions_the_larger_first():
    encoder = build_encoder("hog", size=192)
    found = object_regions(encoder, two_discs())
    assert len(found) >= 2
    first, second = (np.argwhere(found.labels == number).mean(axis=0) for number in (1, 2))
    assert first[1] < found.labels.shape[1] / 2 < second[1]


def test_the_largest_region_is_what_scda_takes():
    encoder = build_encoder("hog", "scda", size=128)
    picture = two_discs()
    found = object_regions(encoder, picture)
    mask = encoder.mask(encoder.transform(picture)[None])[0].numpy()
    np.testing.assert_array_equal(found.labels == 1, mask)


def test_an_encoder_without_a_map_says_what_to_do():
    parts = [build_encoder("hog", size=size) for size in (64, 96)]
    joined = JoinedEncoder(parts, [0.5, 0.5])
    with pytest.raises(BadInputError, match="got a joined encoder, which has none"):
        object_regions(joined, two_discs())


def test_a_picture_of_one_colour_has_nothing_to_click_on():
    with pytest.raises(BadInputError, match="something stands out"):
        object_regions(build_encoder("hog", size=64), Image.new("RGB", (64, 64), "white"))
