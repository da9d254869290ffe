"""The one way in for sketches: pictures, files of strokes, and one drawing of a file of many."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from retrieval import sketches
from retrieval.drawing_files import Content, DrawingFormat, format_of, write_drawing
from retrieval.errors import BadInputError
from retrieval.images import ImageError
from retrieval.sketches import drawing_keys, read_drawing, read_sketch, sketch_bytes
from retrieval.strokes import Drawing, Stroke

HOUSE = Drawing((Stroke([[50, 200], [50, 100], [128, 40], [206, 100], [206, 200]]),))
MANY = {
    "a": [[[10, 10], [200, 200]]],
    "sketches/b_1.png": [[[200, 10], [10, 200]]],
    "blank": [],
    "broken": [[[1, 2], ["x", 3]]],
}


@pytest.fixture
def many(tmp_path):
    path = tmp_path / "strokes.json"
    path.write_text(json.dumps(MANY))
    return path


@pytest.mark.parametrize("name", ["a.json", "a.svg", "a.npy", "a.ndjson"])
def test_every_file_of_strokes_is_drawn_with_one_pen(tmp_path, name):
    write_drawing(HOUSE, tmp_path / name)
    drawn = read_sketch(tmp_path / name, size=64, pen=4)
    assert drawn.mode == "RGB"
    again = read_drawing(tmp_path / name).raster(64, 4)
    assert drawn.tobytes() == again.tobytes()
    if name != "a.npy":  # which has no canvas
        assert drawn.tobytes() == HOUSE.raster(64, 4).tobytes()


def test_content_decides_and_not_the_name(tmp_path):
    write_drawing(HOUSE, tmp_path / "a.svg")
    (tmp_path / "a.svg").rename(tmp_path / "a.png")
    assert read_sketch(tmp_path / "a.png").tobytes() == HOUSE.raster().tobytes()
    write_drawing(HOUSE, tmp_path / "b.png")
    (tmp_path / "b.png").rename(tmp_path / "b.json")
    assert read_sketch(tmp_path / "b.json").tobytes() == HOUSE.raster().tobytes()


def test_a_picture_on_nothing_lies_on_white(tmp_path):
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[10:12, 5:30, 3] = 255  # black where it is opaque
    Image.fromarray(pixels).save(tmp_path / "a.png")
    drawn = np.asarray(read_sketch(tmp_path / "a.png"))
    assert drawn[10, 20].tolist() == [0, 0, 0]
    assert drawn[20, 20].tolist() == [255, 255, 255]


@pytest.mark.parametrize("colour", [(255, 255, 255, 255), (0, 0, 0, 255), (0, 0, 0, 0)])
def test_a_blank_picture_is_refused(tmp_path, colour):
    Image.new("RGBA", (40, 40), colour).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png must be a sketch; got a blank picture"):
        read_sketch(tmp_path / "a.png")


def test_strokes_beside_the_canvas_are_blank(tmp_path):
    canvas = {"width": 100, "height": 100, "strokes": [{"p": [[500, 500], [600, 600]]}]}
    (tmp_path / "a.json").write_text(json.dumps(canvas))
    with pytest.raises(ImageError, match="got a blank picture"):
        read_sketch(tmp_path / "a.json")


def test_one_drawing_of_many_by_its_key(many):
    drawing = read_drawing(many / "sketches/b_1.png")
    assert drawing.strokes[0].points.tolist() == [[200, 10], [10, 200]]
    assert (
        read_sketch(many / "a", size=32).tobytes() == read_drawing(many / "a").raster(32).tobytes()
    )
    assert drawing_keys(many) == list(MANY)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (
            "aa",
            r"strokes\.json/aa must be a drawing of strokes\.json; got no such key among 4. Did",
        ),
        ("", r"must be one drawing; got a file of 4. Add the key of one, such as strokes\.json/a"),
        ("blank", r"strokes\.json/blank must be a drawing; got a blank one"),
        ("broken", r"stroke 0 has 2 numbers for each point; got \['x', 3\] at point 1"),
    ],
)
def test_a_key_that_leads_to_no_drawing(many, key, sentence):
    path = many / key if key else many
    for read in (read_drawing, read_sketch):
        with pytest.raises(ImageError, match=sentence):
            read(path)


def test_the_name_that_was_asked_for_is_named(many, tmp_path):
    with pytest.raises(ImageError, match=r"^mine must be a drawing"):
        read_sketch(many / "blank", name="mine")
    for path in (tmp_path / "no.svg", tmp_path / "no" / "where.json", tmp_path):
        with pytest.raises(ImageError, match=r"must be a file( that can be read)?; got "):
            read_sketch(path)


def test_a_key_into_a_file_of_one(tmp_path):
    write_drawing(HOUSE, tmp_path / "a.svg")
    with pytest.raises(ImageError, match=r"got a key into a file of one. Leave the key out"):
        read_drawing(tmp_path / "a.svg" / "0")


def test_a_number_out_of_range_keeps_its_sentence(tmp_path):
    (tmp_path / "a.json").write_text("[[[1e9, 1]]]")
    with pytest.raises(ImageError, match=r"a\.json must be a drawing; points must be finite, at"):
        read_drawing(tmp_path / "a.json")
    write_drawing(HOUSE, tmp_path / "b.svg")
    with pytest.raises(BadInputError, match=r"size must be in 16\.\.4096") as caught:
        read_sketch(tmp_path / "b.svg", size=8)
    assert not isinstance(caught.value, ImageError)


def test_a_file_is_parsed_once_until_it_changes(many, monkeypatch):
    parses = []

    def counted(content: Content, name: str) -> DrawingFormat:
        parses.append(name)
        return format_of(content, name)

    monkeypatch.setattr(sketches, "format_of", counted)
    for key in ("a", "sketches/b_1.png", "a"):
        read_drawing(many / key)
    assert len(parses) == 1
    many.write_text(json.dumps({"a": [[[1, 1]]], "c": [[[2, 2]]]}))
    assert read_drawing(many / "a").strokes[0].points.tolist() == [[1, 1]]
    before = many.stat()
    many.write_text(json.dumps({"a": [[[9, 9]]], "c": [[[2, 2]]]}))
    os.utime(many, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert read_drawing(many / "a").strokes[0].points.tolist() == [[9, 9]]


def test_only_a_few_parses_are_kept(tmp_path):
    for number in range(sketches.KEPT_CONTAINERS + 3):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(MANY))
        read_drawing(path / "a")
    assert len(sketches._kept) == sketches.KEPT_CONTAINERS


def test_the_bytes_of_one_drawing_do_not_depend_on_its_neighbours(many, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"a": MANY["a"], "new": [[[0, 0]]]}, indent=2))
    assert sketch_bytes(many / "a") == sketch_bytes(other / "a")
    assert sketch_bytes(many / "a") != sketch_bytes(many / "sketches/b_1.png")
    write_drawing(HOUSE, tmp_path / "a.svg")
    assert sketch_bytes(tmp_path / "a.svg") == (tmp_path / "a.svg").read_bytes()
    with pytest.raises(ImageError, match="no such key"):
        sketch_bytes(many / "zzz")
    with pytest.raises(ImageError, match="a file that can be read; got no file"):
        sketch_bytes(tmp_path / "none.svg")


def test_real_strokes_are_read(data_folder):
    path = data_folder / "chairv2-train" / "strokes.json"
    keys = drawing_keys(path)
    assert len(keys) == 952
    for key in keys[::100]:
        drawing = read_drawing(path / key)
        assert drawing.width == 256
        ink = (np.asarray(read_sketch(path / key)) < 128).mean()
        assert 0.005 < ink < 0.2
