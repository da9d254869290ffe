"""What every format of drawings must do, whichever files the folder holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval import drawing_files, plugins
from retrieval.drawing_files import Content, DrawingFormat, format_called, format_of
from retrieval.errors import BadInputError
from retrieval.image_headers import Refusal
from retrieval.strokes import Drawing, Stroke
from tests.retrieval.drawings import drawings

NAMES = plugins.names(drawing_files)

FOREIGN = {
    "nothing": b"",
    "text": b"a shoe",
    "a number": b"12",
    "an empty object": b"{}",
    "other JSON": b'{"images": [1, 2], "labels": {"a": 3}}',
    "a list of names": b'["a", "b"]',
    "HTML": b"<!doctype html><html><body>hello</body></html>",
    "half an object": b'{"strokes": [{"w": 1, "p": [[1,',
    "an archive": b"PK\x05\x06" + bytes(18),
}


@pytest.fixture(params=NAMES)
def form(request) -> DrawingFormat:
    return format_called(request.param)


def read(form: DrawingFormat, data: bytes) -> Drawing:
    (entry,) = form.entries(Content(data)).values()
    return form.drawing(entry)


def simple() -> Drawing:
    return Drawing((Stroke([[10, 20], [30, 40], [50, 10]]), Stroke([[70, 70]])))


def test_a_format_says_what_it_is(form):
    assert form.name in NAMES
    assert form.shape
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in form.suffixes)
    assert form.written_as in ("", *form.suffixes)


def test_no_two_formats_are_written_by_one_suffix():
    written = [form.written_as for form in map(format_called, NAMES) if form.written_as]
    assert len(set(written)) == len(written)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(drawing=drawings())
def test_one_format_recognises_what_it_wrote(name, drawing):
    content = Content(format_called(name).write(drawing))
    assert [other for other in NAMES if format_called(other).recognises(content)] == [name]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(drawing=drawings())
def test_what_was_written_is_read_again(name, drawing):
    """The same points in the same strokes, up to where the origin lies."""
    again = read(format_called(name), format_called(name).write(drawing))
    assert [len(one.points) for one in again.strokes] == [
        1 if name == "svg" and not np.ptp(one.points, axis=0).any() else len(one.points)
        for one in drawing.strokes
    ]
    before, after = (
        np.concatenate([one.points - drawn.strokes[0].points[0] for one in drawn.strokes])
        for drawn in (drawing, again)
    )
    if len(before) == len(after):
        assert after == pytest.approx(before, abs=2e-3, rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(drawing=drawings())
def test_the_same_drawing_is_written_as_the_same_bytes(name, drawing):
    assert format_called(name).write(drawing) == format_called(name).write(drawing)


@pytest.mark.parametrize("what", FOREIGN)
def test_nobody_recognises_what_is_no_drawing(what):
    content = Content(FOREIGN[what])
    assert not [name for name in NAMES if format_called(name).recognises(content)]
    for suffix in (".json", ".svg", ".npz", ""):
        with pytest.raises(Refusal, match=r"^must be .*; got .*\. "):
            format_of(content, f"a{suffix}")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_file_that_was_changed_is_read_or_refused(name, data):
    """Cut, with bytes changed or repeated: a drawing or a sentence, nothing else."""
    whole = bytearray(format_called(name).write(simple()))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.sampled_from(list(b'0123456789.,-eE[]{}":<>/NMZ\0\xff')))
    content = Content(bytes(whole[: data.draw(st.integers(1, len(whole)))]))
    refused = None
    try:
        form = format_of(content, f"a{format_called(name).written_as}")
        entries = form.entries(content)
        for key in list(entries):
            assert form.drawing(entries[key]).strokes
    except (Refusal, BadInputError) as error:
        refused = str(error)
    assert refused is None or "got " in refused
