"""Pictures that carry the strokes they show."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from retrieval.drawing_files import Content, NoStrokes, format_called
from retrieval.image_headers import Refusal
from retrieval.images import decode
from retrieval.sketches import read_drawing, read_sketch
from retrieval.strokes import Drawing, Stroke
from tests.retrieval.drawings import drawings, same_column

HEAD = b"fgir drawing\0"
LINE = b'{"strokes": [{"p": [[1, 2], [30, 40]]}]}'


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("L", (32, 32), 255).save(file, "PNG")
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def carrying(kind: bytes, content: bytes, *, behind: bool = False) -> bytes:
    """A PNG with one chunk more, before or behind its pixels."""
    whole = picture()
    at = len(whole) - 12 if behind else 33  # 33: signature and header
    return whole[:at] + chunk(kind, content) + whole[at:]


def read(data: bytes, most: int = 10_000) -> Drawing:
    form = format_called("png")
    content = Content(data, most_unpacked=most)
    assert form.recognises(content)
    (entry,) = form.entries(content).values()
    return form.drawing(entry)


@settings(max_examples=40, deadline=None)
@given(drawing=drawings())
def test_a_picture_keeps_what_json_keeps(drawing: Drawing):
    written = format_called("png").write(drawing)
    again = read(written)
    assert (again.width, again.height) == (drawing.width, drawing.height)
    assert len(again.strokes) == len(drawing.strokes)
    for one, other in zip(drawing.strokes, again.strokes, strict=True):
        assert np.array_equal(one.points, other.points)
        assert same_column(one.times, other.times)
        assert same_column(one.pressures, other.pressures)
    with Image.open(io.BytesIO(written)) as opened:  # as any other program reads it
        assert opened.text["fgir drawing"].encode() == format_called("canvas").write(drawing)  # type: ignore[attr-defined]


def test_a_picture_of_a_large_drawing_is_read_as_both():
    """Its text is more than readers of pictures would unpack."""
    random = np.random.default_rng(0)
    points = random.uniform(-9e5, 9e5, (30_000, 2))
    stroke = Stroke(points, np.arange(30_000) + 0.123456789, random.uniform(0, 1, 30_000))
    written = format_called("png").write(Drawing((stroke,)))
    assert 1 << 20 < len(written) < 2_000_000
    assert decode(written).size == (256, 256)
    assert np.array_equal(read(written, 2_000_000).strokes[0].points, stroke.points)


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"tEXt", LINE),
        (b"zTXt", b"\0" + zlib.compress(LINE)),
        (b"iTXt", b"\0\0en\0drawing\0" + LINE),
        (b"iTXt", b"\1\0\0\0" + zlib.compress(LINE)),
    ],
)
def test_other_programs_may_keep_the_text_in_their_way(kind: bytes, content: bytes, behind: bool):
    drawing = read(carrying(kind, HEAD + content, behind=behind))
    assert drawing.strokes[0].points.tolist() == [[1, 2], [30, 40]]


@pytest.mark.parametrize(
    ("kind", "content", "sentence"),
    [
        (b"tEXt", LINE + b" " * 10_000, "at most 10,000 bytes of text; got more"),
        (b"zTXt", b"\0" + zlib.compress(bytes(10_001)), "at most 10,000 bytes of text; got more"),
        (b"zTXt", b"\1" + zlib.compress(LINE), "got a text packed in an unknown way"),
        (b"zTXt", b"", "got a text packed in an unknown way"),
        (b"zTXt", b"\0" + LINE, "got a text that cannot be unpacked"),
        (b"zTXt", b"\0" + zlib.compress(LINE)[:-9], "got a text that is cut short"),
        (b"iTXt", b"\1\0" + zlib.compress(LINE), "got a text"),
        (b"iTXt", b"", "got a text without its languages"),
        (b"tEXt", b"", "must be a picture whose strokes are JSON of a canvas"),
        (b"tEXt", LINE[:-1], "must be a picture whose strokes are JSON of a canvas"),
        (b"tEXt", b'{"a": 1}', "must be a picture whose strokes are JSON of a canvas"),
        (b"tEXt", b"[" * 9_000, "must be a picture whose strokes are JSON of a canvas"),
        (b"tEXt", b'{"strokes": [{"p": [["x", 1]]}]}', "of numbers; got"),
        (b"tEXt", b'{"strokes": []}', "got a blank one"),
    ],
)
def test_strokes_that_are_none_are_refused_in_a_sentence(
    kind: bytes, content: bytes, sentence: str
):
    with pytest.raises(Refusal, match=sentence):
        read(carrying(kind, HEAD + content))


def test_a_changed_text_is_told_by_its_checksum():
    data = bytearray(carrying(b"tEXt", HEAD + LINE))
    data[data.index(b"30")] = ord("9")
    with pytest.raises(Refusal, match="an intact image; got a wrong checksum in its 'tEXt"):
        read(bytes(data))


def test_a_text_is_unpacked_no_further_than_it_may_be_large():
    bomb = carrying(b"zTXt", HEAD + b"\0" + zlib.compress(bytes(50_000_000), 9))
    tracemalloc.start()
    with pytest.raises(Refusal, match="at most 100,000 bytes"):
        read(bomb, 100_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000


@pytest.mark.parametrize(
    "data",
    [picture(), carrying(b"tEXt", b"Comment\0" + LINE), carrying(b"aaAa", HEAD + LINE)],
    ids=["plain", "another keyword", "another chunk"],
)
def test_a_picture_without_strokes_says_so(data: bytes):
    with pytest.raises(NoStrokes, match="must be a file of strokes; got a PNG picture"):
        read(data)
    with pytest.raises(NoStrokes, match="got a JPEG picture"):
        read(b"\xff\xd8\xff" + data)


def test_as_a_sketch_a_picture_is_its_pixels(tmp_path):
    data = carrying(b"tEXt", HEAD + LINE)
    (tmp_path / "a.png").write_bytes(format_called("png").write(read(data)))
    assert read_drawing(tmp_path / "a.png").strokes[0].points.tolist() == [[1, 2], [30, 40]]
    drawn = read_drawing(tmp_path / "a.png").raster()
    assert read_sketch(tmp_path / "a.png").tobytes() == drawn.tobytes()
    assert read_sketch(tmp_path / "a.png", size=64).size == (256, 256)
