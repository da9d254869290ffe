"""What the server takes from the drawing surface, and what it refuses."""

import io
import json
import zipfile
from collections.abc import Sequence

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from retrieval.drawing_files import format_called
from retrieval.errors import BadInputError
from retrieval.strokes import Drawing, Stroke
from ui import canvas
from ui.canvas import MAX_BYTES, MAX_POINTS, MAX_STROKES, Sent, loaded_from, sent


def text(*strokes: Sequence[Sequence[float]]) -> str:
    listed = [{"w": 2.5, "erase": False, "p": points} for points in strokes]
    return json.dumps({"width": 256, "height": 256, "strokes": listed})


def picture(form: str = "PNG", text: str | None = None) -> bytes:
    """White paper; a PNG with a packed text, where one is given."""
    carried = PngInfo()
    if text is not None:
        carried.add_text("fgir drawing", text, zip=True)
    file = io.BytesIO()
    Image.new("L", (32, 32), 255).save(file, form, pnginfo=carried)
    return file.getvalue()


def packed(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", data)
    return file.getvalue()


def test_a_drawing_arrives_with_its_times_and_pressures():
    drawing = Sent(3, text([[1, 2, 0, 0.5], [10, 20, 40, 1.0]], [[5, 5, 90, 0.25]])).drawing
    assert drawing is not None
    assert [stroke.points.tolist() for stroke in drawing.strokes] == [[[1, 2], [10, 20]], [[5, 5]]]
    first, second = drawing.strokes
    assert first.times is not None
    assert second.times is not None
    assert first.pressures is not None
    assert second.pressures is not None
    assert np.array_equal(first.times, [0, 40])
    assert np.array_equal(second.times, [90])
    assert np.array_equal(first.pressures, [0.5, 1.0])
    assert np.array_equal(second.pressures, [0.25])


@pytest.mark.parametrize("given", [Sent(), Sent(4, text())])
def test_an_empty_paper_is_no_drawing(given: Sent):
    assert given.drawing is None


@pytest.mark.parametrize(
    ("canvas_text", "sentence"),
    [
        ("x" * (MAX_BYTES + 1), "the drawing must have at most 2,000,000 bytes; got 2,000,001."),
        (text(*[[[1, 1]]] * (MAX_STROKES + 1)), "must have at most 500 strokes; got 501."),
        (text([[1, 1]] * (MAX_POINTS + 1)), "must have at most 20,000 points; got 20,001."),
        ("", "the drawing must be JSON of a canvas"),
        ("[1, 2]", "the drawing must be JSON of a canvas"),
        ('{"strokes": 7}', '"strokes" is a list; got 7'),
        ('{"strokes": [{"p": [["a", 1]]}]}', "of numbers"),
        ('{"strokes": [{"p": [[NaN, 1]]}]}', "the drawing must be JSON of a canvas"),
        ('{"strokes": [{"p": [[1e300, 1]]}]}', "points must be finite"),
        ('{"strokes": [{"p": [[1, 1, 0, 9]]}]}', "pressures must be in 0..1"),
        ('{"strokes": [{"w": -1, "p": [[1, 1]]}]}', "more than 0"),
        ('{"width": 0, "strokes": [{"p": [[1, 1]]}]}', "width of a canvas"),
        ("\ud800", "the drawing must be JSON of a canvas"),
        ("[" * 100_000, "the drawing must be JSON of a canvas"),
    ],
)
def test_what_is_no_drawing_is_refused_in_a_sentence(canvas_text: str, sentence: str):
    with pytest.raises(BadInputError) as refused:
        _ = Sent(1, canvas_text).drawing
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "state",
    [
        None,
        "text",
        {},
        {"drawing": None},
        {"drawing": [1]},
        {"drawing": {"number": "1", "canvas": "{}", "loaded": ""}},
        {"drawing": {"number": True, "canvas": "{}", "loaded": ""}},
        {"drawing": {"number": float("nan"), "canvas": "{}", "loaded": ""}},
        {"drawing": {"number": -3, "canvas": "{}", "loaded": ""}},
        {"drawing": {"number": 1, "canvas": {}, "loaded": ""}},
        {"drawing": {"number": 1, "canvas": "{}", "loaded": 5}},
    ],
)
def test_anything_but_a_message_of_ours_counts_as_nothing(
    state: object, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(st, "session_state", {"pad": state})
    assert sent("pad") == Sent()


def test_a_file_is_scaled_to_the_canvas_and_loaded_once():
    drawing = Drawing((Stroke([[0, 0], [512, 256]], times=[0, 5]),), 512, 512)
    first, second = (
        loaded_from(format_called("canvas").write(drawing), "a.json") for _ in range(2)
    )
    assert first.token != second.token
    assert [row[:3] for row in first.strokes[0]["p"]] == [[0, 0, 0], [256, 128, 5]]


def test_an_svg_becomes_strokes():
    svg = format_called("svg").write(Drawing((Stroke([[10, 10], [200, 100]]),)))
    assert [row[:2] for row in loaded_from(svg, "a.svg").strokes[0]["p"]] == [[10, 10], [200, 100]]


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (b"", "a.json", "a.json must be whole JSON"),
        (b"MZ\x90", "tool.exe", "tool.exe must be a file of strokes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(9), "a.png", "a.png must be an intact image"),
        (picture(), "a.png", "a.png must carry the strokes of a drawing; got a PNG picture"),
        (picture("JPEG"), "a.png", "a.png must carry the strokes of a drawing; got a JPEG"),
        (picture(text=text([[1, 1]] * 20_001)), "a.png", "a.png must have at most 20,000 points"),
        (picture(text=text(*[[[1, 1]]] * 501)), "a.png", "a.png must have at most 500 strokes"),
        (picture(text="{"), "a.png", "a.png must be a picture whose strokes are JSON"),
        (picture(text=" " * 9_000_000), "a.png", "a.png must be a picture with at most 2,000,000"),
        (packed(bytes(2_000_001)), "a.npz", "a.npz must be at most 100,000 arrays of 2,000,000"),
        (b"x" * (MAX_BYTES + 1), "a.svg", "a.svg must have at most 2,000,000 bytes"),
        (b'{"a": [[[1, 1]]], "b": [[[2, 2]]]}', "a.json", "a.json must be one drawing; got 2."),
        (b"<svg><script>1</script></svg>", "x" * 5000 + ".svg", "the file must be"),
        (b'{"strokes": []}', "\x1b[2J.json", "the file must be"),
        (text(*[[[1, 1]]] * 501).encode(), "a.json", "a.json must have at most 500 strokes"),
    ],
)
def test_a_file_without_a_drawing_for_the_page_is_refused(data: bytes, name: str, sentence: str):
    with pytest.raises(BadInputError) as refused:
        loaded_from(data, name)
    assert str(refused.value).startswith(sentence)


def test_a_picture_that_was_saved_is_the_same_drawing_again():
    drawing = Sent(3, text([[1, 2, 0, 0.5], [10, 20, 40, 1.0]], [[5, 5, 90, 0.25]])).drawing
    assert drawing is not None
    saved, written = (
        loaded_from(format_called(form).write(drawing), "a.png") for form in ("png", "canvas")
    )
    assert saved.strokes == written.strokes


def test_of_a_picture_without_strokes_it_is_said_what_to_do_with_it():
    with pytest.raises(BadInputError, match="laid under the drawing: press Picture to trace"):
        loaded_from(picture(), "a.png")


def test_the_component_names_nothing_outside_this_machine():
    for name in ("canvas.html", "canvas.css", "canvas.js"):
        source = (canvas._HERE / name).read_text("utf-8")
        assert "http" not in source
        assert "innerHTML" not in source
