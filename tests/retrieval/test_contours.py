"""Photos as drawings: known shapes, the order of drawing, and real shoes."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from retrieval.contours import ContourChoice, contours, edge_map, edges, linked, silhouette
from retrieval.errors import BadInputError
from retrieval.images import decode


def scene(background: str = "white", size: tuple[int, int] = (224, 224)) -> Image.Image:
    """A disc of radius 80 with a dark bar and a short one."""
    image = Image.new("RGB", size, background)
    pen = ImageDraw.Draw(image)
    pen.ellipse((32, 32, 192, 192), fill=(180, 120, 60))
    pen.rectangle((70, 80, 150, 100), fill=(30, 30, 30))
    pen.rectangle((100, 140, 116, 156), fill=(30, 30, 30))
    return image


def test_the_outline_comes_first_and_is_the_outline():
    drawing = contours(scene())
    first = drawing.strokes[0].points / (256 / 224) - 112.5
    assert np.linalg.norm(first, axis=1) == pytest.approx(80, abs=2)
    assert drawing.strokes[0].length == pytest.approx(2 * np.pi * 80 * 256 / 224, rel=0.03)
    assert first[0] == pytest.approx(first[-1], abs=0.1)


def test_inner_lines_lie_on_edges_long_before_short():
    drawing = contours(scene())
    inner = drawing.strokes[1:]
    lengths = [stroke.length for stroke in inner]
    assert lengths == sorted(lengths, reverse=True)
    assert sum(lengths) == pytest.approx((2 * 80 + 2 * 20 + 4 * 16) * 256 / 224, rel=0.15)
    for x, y in np.concatenate([stroke.points for stroke in inner]) / (256 / 224):
        bars = [(70, 80, 151, 101), (100, 140, 117, 157)]
        assert min(to_border(x, y, bar) for bar in bars) < 4


def to_border(x: float, y: float, bar: tuple[int, ...]) -> float:
    left, top, right, bottom = bar
    outside = np.hypot(max(left - x, 0, x - right), max(top - y, 0, y - bottom))
    inside = min(x - left, right - x, y - top, bottom - y)
    return float(outside if inside < 0 else inside)


def test_patience_bounds_the_lines_inside():
    stripes = Image.new("RGB", (224, 224), "white")
    pen = ImageDraw.Draw(stripes)
    pen.rectangle((20, 20, 200, 200), fill=(200, 200, 200))
    for x in range(30, 190, 10):
        pen.rectangle((x, 30, x + 4, 190), fill=(60, 60, 60))
    for patience in (0.5, 1.5):
        drawing = contours(stripes, ContourChoice(patience=patience))
        outline, inner = drawing.strokes[0].length, drawing.length - drawing.strokes[0].length
        assert 0.5 * patience * outline < inner <= 1.1 * patience * outline


def test_a_background_of_many_colours_leaves_edges_only():
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 255, (14, 14, 3)).astype(np.uint8))
    image = noise.resize((224, 224), Image.Resampling.NEAREST)
    pixels = np.asarray(image).astype(np.float32)
    assert not silhouette(pixels, 12).any()
    assert contours(image).strokes


def test_a_hole_stays_and_a_speck_does_not():
    image = scene()
    pen = ImageDraw.Draw(image)
    pen.ellipse((80, 110, 110, 135), fill="white")  # a hole
    pen.point((120, 120), fill="white")
    pen.rectangle((5, 5, 9, 9), fill="black")  # a speck beside the object
    seen = silhouette(np.asarray(image).astype(np.float32), 12)
    assert seen[60, 112]
    assert not seen[122, 95]
    assert seen[120, 120]
    assert not seen[7, 7]


def test_one_colour_gives_no_stroke():
    assert contours(Image.new("RGB", (100, 60), (9, 9, 9))).strokes == ()
    assert np.asarray(edge_map(Image.new("RGB", (100, 60)))).min() == 255


def test_a_wide_photo_lies_in_the_middle_of_the_canvas():
    image = Image.new("RGB", (300, 150), "white")
    ImageDraw.Draw(image).rectangle((100, 50, 199, 99), fill="black")
    left, top, right, bottom = contours(image).box
    scale = 256 / 300
    assert (left, top) == pytest.approx((100 * scale, (50 + 75) * scale), abs=2)
    assert (right, bottom) == pytest.approx((200 * scale, (100 + 75) * scale), abs=2)


def test_an_edge_begins_strong_and_goes_on_weak():
    """A step that fades along its way is kept as long as it is not weaker than weak."""
    height = np.linspace(60, 0, 200, dtype=np.float32)
    grey = np.zeros((200, 100), np.float32)
    grey[:, 50:] = height[:, None]
    ridge, strength = edges(grey, ContourChoice(blur=1.4, weak=3, strong=10))
    rows = np.flatnonzero(ridge.any(1))
    contrast = height / (np.sqrt(2 * np.pi) * 1.4)  # of a blurred step at its middle
    assert rows.max() == pytest.approx(np.flatnonzero(contrast >= 3).max(), abs=3)
    assert set(np.flatnonzero(ridge.any(0))) <= {49, 50}
    assert strength[10].max() == pytest.approx(contrast[10], rel=0.05)
    none, _ = edges(grey, ContourChoice(weak=3, strong=30))
    assert not none.any()


def test_pixels_are_linked_from_end_to_end():
    ridge = np.zeros((20, 20), bool)
    ridge[5, 3:15] = True
    ridge[6:12, 14] = True
    (path,) = linked(ridge)
    assert len(path) == 18
    assert sorted([path[0].tolist(), path[-1].tolist()]) == [[3.5, 5.5], [14.5, 11.5]]
    assert np.abs(np.diff(path, axis=0)).max() == 1
    ring = np.zeros((20, 20), bool)
    ring[[4, 10], 4:11] = True
    ring[4:11, [4, 10]] = True
    (loop,) = linked(ring)
    assert len(loop) == 24


def test_every_pixel_is_in_one_path():
    ridge = np.random.default_rng(1).uniform(size=(30, 40)) < 0.3
    places = np.concatenate(linked(ridge))
    assert sorted(map(tuple, (places - 0.5).astype(int)[:, ::-1].tolist())) == sorted(
        map(tuple, np.argwhere(ridge).tolist())
    )


def test_the_same_photo_gives_the_same_picture():
    assert edge_map(scene()).tobytes() == edge_map(scene()).tobytes()
    assert edge_map(scene(), size=64).size == (64, 64)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"blur": 0.0}, "blur must be more than 0; got 0"),
        ({"weak": 12.0}, r"weak must be at most strong, 8\.0; got 12\.0"),
    ],
)
def test_a_choice_that_cannot_be(options, sentence):
    with pytest.raises(BadInputError, match=sentence):
        ContourChoice(**options)


def test_real_shoes_have_an_outline_and_few_lines(data_folder):
    photos = sorted((data_folder / "shoev2-photos").glob("*.jpg"))[::200]
    for photo in photos:
        drawing = contours(decode(photo))
        first = drawing.strokes[0]
        assert first.length == max(stroke.length for stroke in drawing.strokes)
        assert first.length > 300
        assert len(drawing.strokes) < 80
