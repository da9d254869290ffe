"""The formats of drawings one by one: golden files by hand, and what each refuses in words."""

import io
import json
import math
import zipfile

import numpy as np
import pytest

from retrieval import drawing_files
from retrieval.drawing_files import Content, format_called, format_of, write_drawing
from retrieval.errors import BadInputError
from retrieval.image_headers import Refusal
from retrieval.strokes import Drawing, Stroke


def read(name: str, data: bytes | str, key: str = "") -> Drawing:
    content = Content(data.encode() if isinstance(data, str) else data)
    form = format_of(content, "a.json")
    assert form.name == name
    return form.drawing(form.entries(content)[key])


def points(drawing: Drawing) -> list[list[list[float]]]:
    return [stroke.points.tolist() for stroke in drawing.strokes]


def canvas(*strokes: object, **sides: object) -> str:
    return json.dumps({"width": 100, "height": 50, **sides, "strokes": list(strokes)})


def svg(shapes: str, attributes: str = 'viewBox="0 0 100 100"') -> Drawing:
    return read("svg", f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{shapes}</svg>')


def array(values: object, **options: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(values), **options)  # type: ignore[arg-type]
    return file.getvalue()


# the canvas


def test_a_canvas_keeps_time_and_pressure():
    line = {"w": 4, "erase": False, "p": [[1, 2, 10, 0.5], [3, 4, 30, 1]]}
    dot = {"w": 2, "erase": False, "p": [[9, 9]]}
    drawing = read("canvas", canvas(line, dot))
    assert (drawing.width, drawing.height) == (100, 50)
    assert points(drawing) == [[[1, 2], [3, 4]], [[9, 9]]]
    first, second = drawing.strokes
    assert first.times is not None
    assert first.times.tolist() == [10, 30]
    assert first.pressures is not None
    assert first.pressures.tolist() == [0.5, 1]
    assert second.times is None
    bare = read("canvas", json.dumps([line, dot]))  # the component's list, without its canvas
    assert (bare.width, points(bare)) == (256, points(drawing))


def test_an_eraser_cuts_what_it_crosses_and_nothing_else():
    line = {"w": 2, "p": [[0, 50], [100, 50]]}
    below = {"w": 2, "p": [[0, 90], [100, 90]]}
    rub = {"w": 20, "erase": True, "p": [[40, 0], [40, 60]]}
    later = {"w": 2, "p": [[0, 55], [100, 55]]}
    drawing = read("canvas", canvas(line, below, rub, later))
    left, right, *others = points(drawing)
    assert np.array(left) == pytest.approx(np.array([[0, 50], [30, 50]]), abs=0.6)
    assert np.array(right) == pytest.approx(np.array([[50, 50], [100, 50]]), abs=0.6)
    assert others == [[[0, 90], [100, 90]], [[0, 55], [100, 55]]]


def test_an_eraser_dot_takes_a_dot_and_leaves_others():
    rub = {"w": 10, "erase": True, "p": [[20, 20]]}
    drawing = read("canvas", canvas({"p": [[22, 22]]}, {"p": [[40, 20]]}, rub))
    assert points(drawing) == [[[40, 20]]]


def test_what_an_eraser_leaves_of_a_line_is_a_line_or_nothing():
    rub = {"w": 20.4, "erase": True, "p": [[10, 20]]}
    drawing = read("canvas", canvas({"p": [[20, 20], [20.4, 20]]}, {"p": [[40, 20]]}, rub))
    assert points(drawing) == [[[40, 20]]]


def test_a_cut_has_the_time_of_the_pen_there():
    line = {"p": [[0, 0, 0, 0], [100, 0, 1000, 1]]}
    rub = {"w": 20, "erase": True, "p": [[100, 0]]}
    (stroke,) = read("canvas", canvas(line, rub)).strokes
    assert stroke.times is not None
    assert stroke.times[-1] == pytest.approx(900, abs=6)
    assert stroke.pressures is not None
    assert stroke.pressures[-1] == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (canvas(), "must be a drawing; got a blank one: nothing is drawn"),
        (
            canvas({"p": [[5, 5]]}, {"w": 9, "erase": True, "p": [[5, 5]]}),
            "got a blank one: nothing is drawn",
        ),
        (canvas({"p": [[1, 1]] * 100_001}), "at most 100,000 points; got 100,001"),
        (canvas(*[{"p": [[1, 1]] * 50_001}] * 2), "at most 100,000 points; got 100,002"),
        ('{"strokes": [{"p": [[NaN, 1]]}]}', "must be whole JSON; got NaN"),
        ('{"strokes": [{"p": [[1e999, 1]]}]}', "points must be finite.* got inf"),
        ('{"strokes": [{"p": [[-Infinity, 1]]}]}', "must be whole JSON; got -Infinity"),
        (canvas({"p": [["1", 1]]}), r"stroke 0 has points .* of numbers; got \['1', 1\]"),
        (canvas({"p": [[True, 1]]}), r"of numbers; got \[True, 1\]"),
        (canvas({"p": [[1]]}), r"stroke 0 has points .* got \[1\]"),
        (canvas({"p": [[1, 1], [1, 1, 5]]}), r"got \[1, 1, 5\]"),
        (canvas({"p": [[1, 1], [1, 1, 5], None]}), r"got \[1, 1, 5\]"),
        (canvas({"p": [[1, 1, 1, 7]]}), r"pressures must be in 0\.\.1; got 7"),
        (canvas({"p": [[1, 1]]}, {"p": []}), "stroke 1 has a point; got none"),
        (canvas({"p": []}), "got a blank one"),
        (canvas({"p": [[1, 1]]}, {}), 'stroke 1 is an object with a list of points "p"'),
        (canvas({"p": [[1, 1]]}, 7), "stroke 1 is an object .* got 7"),
        (canvas({"p": "points"}), "got {'p': 'points'}"),
        (canvas({"p": [[1, 1]], "w": "2"}), "stroke 0 has a width .* got '2'"),
        (canvas({"p": [[1, 1]], "w": -2}), "stroke 0 has a width .* got -2"),
        (canvas({"p": [[1, 1]], "erase": 1}), 'stroke 0 has "erase" true or false; got 1'),
        (canvas({"p": [[1, 1]]}, width="100"), "\"width\" is a number; got '100'"),
        (canvas({"p": [[1, 1]]}, height=0), "height of a canvas must be more than 0"),
        ('{"strokes": {"p": 1}}', "\"strokes\" is a list; got {'p': 1}"),
        ("[" * 5000, "must be whole JSON; got"),
    ],
)
def test_a_canvas_that_is_none_is_refused_in_a_sentence(data, sentence):
    with pytest.raises((Refusal, BadInputError), match=sentence):
        read("canvas", data)


# stroke lists


def test_stroke_lists_lie_on_a_canvas_of_256_where_they_fit():
    drawing = read("stroke_lists", "[[[0, 0], [256, 9]], [[1, 2]]]")
    assert (drawing.width, points(drawing)) == (256, [[[0, 0], [256, 9]], [[1, 2]]])
    placed = read("stroke_lists", "[[[0, 0], [280, 0]]]")
    assert (placed.width, points(placed)) == (320, [[[20, 160], [300, 160]]])


def test_one_of_many_stroke_lists_by_its_name():
    many = '{"a/1.png": [[[1, 2], [3, 4]]], "b": [[[5, 6]]]}'
    assert points(read("stroke_lists", many, "a/1.png")) == [[[1, 2], [3, 4]]]
    assert points(read("stroke_lists", many, "b")) == [[[5, 6]]]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("[]", "got a blank one"),
        ('[[[1, 2], [3, "4"]]]', r"stroke 0 has 2 numbers for each point; got \[3, '4'\] at point"),
        ("[[[1, 2]], []]", "stroke 1 is a list of points; got an empty one"),
        ("[[[1, 2]], 5]", "stroke 1 is a list of points; got 5"),
        (json.dumps([[[1, 2]] * 100_001]), "at most 100,000 points"),
    ],
)
def test_stroke_lists_that_are_none(data, sentence):
    with pytest.raises(Refusal, match=sentence):
        read("stroke_lists", data)


# stroke-3 and stroke-5

THREE = [[10, 0, 0], [20, 5, 1], [0, 10, 0], [-5, 0, 0]]


@pytest.mark.parametrize(
    "data", [json.dumps(THREE).encode(), array(THREE), array(np.array(THREE, np.int16))]
)
def test_steps_add_up_to_points(data):
    drawing = read("stroke3", data)
    first, second = (np.array(one) for one in points(drawing))
    assert first - first[0] == pytest.approx(np.array([[0, 0], [20, 5]]))
    assert second - first[0] == pytest.approx(np.array([[20, 15], [15, 15]]))
    assert drawing.box[0] == pytest.approx(drawing.width - drawing.box[2])  # centred


def test_stroke_5_ends_where_it_says():
    rows = [[3, 4, 1, 0, 0], [1, 0, 0, 1, 0], [2, 2, 1, 0, 0], [0, 0, 0, 0, 1], [9, 9, 0, 0, 1]]
    first, second = (np.array(one) for one in points(read("stroke5", json.dumps(rows))))
    assert first - first[0] == pytest.approx(np.array([[0, 0], [1, 0]]))
    assert second - first[0] == pytest.approx(np.array([[3, 2]]))


def test_tables_of_many_drawings_by_key():
    file = io.BytesIO()
    np.savez_compressed(file, cat=np.array(THREE), many=np.array([THREE, THREE]))
    form = format_called("stroke3")
    assert list(form.entries(Content(file.getvalue()))) == ["cat", "many/0", "many/1"]
    listed = json.dumps({"train": [THREE, THREE], "test": [THREE]})
    assert list(form.entries(Content(listed.encode()))) == ["train/0", "train/1", "test/0"]
    assert list(form.entries(Content(json.dumps([THREE, THREE]).encode()))) == ["0", "1"]


class Canary:
    """Raises the moment anything unpickles it."""

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return (SystemExit, ("unpickled",))


def test_arrays_of_objects_are_refused_unread():
    objects = np.empty(1, object)
    objects[0] = Canary()
    archive = io.BytesIO()
    np.savez(archive, train=objects)
    for data in (array(objects, allow_pickle=True), archive.getvalue()):
        with pytest.raises(Refusal, match="must be plain arrays of numbers; got Python objects"):
            read("stroke3", data)


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(301_000_000))
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (array(THREE)[:-3], r"must be a whole array; got one of \(4, 3\) cut short"),
        (header("(1000000000000, 3)"), "cut short"),
        (array(["a", "b"]), "must be arrays of numbers"),
        (array([[1, 2], [3, 4]]), r"rows \[dx, dy, pen lifted\].* got a numpy array"),
        (array([[1.0, np.nan, 0]]), "finite numbers"),
        (array([[1.0, 2, 0.5]]), r"a pen that is 0 or 1; got 0\.5"),
        (array(np.zeros((0, 3))), "got a blank one"),
        (array(np.zeros((100_001, 3))), "at most 100,000 points"),
        (b"PK\x03\x04" + bytes(40), "must be a whole archive of arrays"),
        (b'[[1, 2, 0], [1, "2", 0]]', r"table has 3 numbers for each point; got \[1, '2', 0\]"),
        (bomb(), "must be at most 100,000 arrays of 300,000,000 bytes together"),
    ],
    ids=range(11),
)
def test_tables_that_are_none(data, sentence):
    with pytest.raises(Refusal, match=sentence):
        read("stroke3", data)


def test_a_row_has_one_state_of_the_pen():
    with pytest.raises(Refusal, match=r"one state of the pen in each row; got \[1, 1, 0\]"):
        read("stroke5", "[[1, 2, 1, 1, 0]]")


# Quick, Draw!


def test_lines_of_quick_draw_by_key_and_by_number():
    raw = {"word": "cat", "key_id": "77", "drawing": [[[100, 170], [5.5, 5.5], [0, 130]]]}
    simple = {"word": "cat", "key_id": "78", "drawing": [[[0, 255], [0, 9]], [[4], [5]]]}
    data = f"{json.dumps(raw)}\n\n{json.dumps(simple)}\n"
    drawing = read("quickdraw", data, "77")
    (stroke,) = drawing.strokes
    assert stroke.times is not None
    assert stroke.times.tolist() == [0, 130]
    assert (drawing.width, drawing.box) == (80, (5, 40, 75, 40))
    assert points(read("quickdraw", data, "78")) == [[[0, 0], [255, 9]], [[4, 5]]]
    assert read("quickdraw", data, "78").width == 256
    assert points(read("quickdraw", data, "1")) == points(read("quickdraw", data, "78"))


@pytest.mark.parametrize(
    ("drawing", "sentence"),
    [
        ([], "got a blank one"),
        (None, 'a list "drawing"; got None'),
        ([[[1, 2], [3]]], "stroke 0 is two or three lists of as many numbers"),
        ([[[1], [2]], [[1, 2]]], "stroke 1 is two or three lists"),
        ([[["1"], [3]]], "stroke 0 is two or three lists"),
        ([[[], []]], "stroke 0 is two or three lists"),
        ([[[1] * 100_001] * 2], "at most 100,000 points"),
    ],
)
def test_lines_of_quick_draw_that_are_none(drawing, sentence):
    with pytest.raises(Refusal, match=sentence):
        read("quickdraw", json.dumps({"drawing": drawing}), "0")


# SVG


def test_straight_commands_relative_and_absolute():
    (path,) = points(svg('<path d="M10 20 l5,0 H30 h-5 V40 v-10 L0 0"/>'))
    assert path == [[10, 20], [15, 20], [30, 20], [25, 20], [25, 40], [25, 30], [0, 0]]
    first, second, third = points(svg('<path d="m1,1 2 0 0 2z m10 0 1-1 M5.5.5-3e1 2"/>'))
    assert first == [[1, 1], [3, 1], [3, 3], [1, 1]]
    assert second == [[11, 1], [12, 0]]
    assert third == [[5.5, 0.5], [-30, 2]]


def curve_of(text: str) -> np.ndarray:
    (path,) = points(svg(f'<path d="{text}"/>'))
    return np.array(path)


def test_curves_are_flattened_where_they_are():
    t = np.linspace(0, 1, 2001)[:, None]
    cubic = (1 - t) ** 3 * [0, 0] + 3 * (1 - t) ** 2 * t * [0, 60] + 3 * (1 - t) * t**2 * [90, 60]
    cubic = cubic + t**3 * [90, 0]
    flat = curve_of("M0 0C0 60 90 60 90 0")
    for point in cubic[::50]:
        assert away_from(flat, point) < 0.1
    quadratic = 2 * (1 - t) * t * [40, 80] + t**2 * [80, 0]
    flat = curve_of("M0 0q40 80 80 0")
    for point in quadratic[::50]:
        assert away_from(flat, point) < 0.1


def away_from(path: np.ndarray, point: np.ndarray) -> float:
    start, way = path[:-1], np.diff(path, axis=0)
    t = (((point - start) * way).sum(1) / np.maximum((way**2).sum(1), 1e-12)).clip(0, 1)
    return float(np.linalg.norm(start + t[:, None] * way - point, axis=1).min())


def test_smooth_curves_mirror_the_last_control_point():
    assert curve_of("M0 0C0 10 10 10 10 0S20-10 20 0") == pytest.approx(
        curve_of("M0 0C0 10 10 10 10 0C10 -10 20 -10 20 0")
    )
    assert curve_of("M0 0Q5 10 10 0T20 0t10 0") == pytest.approx(
        curve_of("M0 0Q5 10 10 0Q15 -10 20 0Q25 10 30 0")
    )
    assert curve_of("M0 0L10 0S20 10 20 0") == pytest.approx(curve_of("M0 0L10 0C10 0 20 10 20 0"))


@pytest.mark.parametrize(
    ("large", "sweep", "below"), [(0, 0, -1), (0, 1, 1), (1, 0, 1), (1, 1, -1)]
)
def test_arcs_go_the_way_their_flags_say(large, sweep, below):
    """From (40, 50) to (60, 50) on circles of radius 20 whose centres lie above and below."""
    path = curve_of(f"M40 50A20 20 0 {large}{sweep}60 50")
    centre = np.array([50, 50 + below * math.sqrt(20**2 - 10**2)])
    assert np.linalg.norm(path - centre, axis=1) == pytest.approx(20, abs=0.05)
    turn = 2 * math.asin(0.5)
    expected = 20 * (2 * math.pi - turn if large else turn)
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).sum() == pytest.approx(expected, rel=0.01)


def test_an_arc_that_cannot_reach_is_scaled_up():
    path = curve_of("M0 50a1 1 0 0 1 100 0")
    assert np.linalg.norm(path - [50, 50], axis=1) == pytest.approx(50, abs=0.1)
    assert path[:, 1].min() == pytest.approx(0, abs=0.2)  # over the top: angles grow downwards


def test_shapes_are_their_outlines():
    shapes = (
        '<line x1="1" y1="2" x2="3" y2="4"/><polyline points="0,0 5 5,9 0"/>'
        '<polygon points="0 0 5 5 9 0"/><rect x="1" y="2" width="10" height="5px"/>'
    )
    assert points(svg(shapes)) == [
        [[1, 2], [3, 4]],
        [[0, 0], [5, 5], [9, 0]],
        [[0, 0], [5, 5], [9, 0], [0, 0]],
        [[1, 2], [11, 2], [11, 7], [1, 7], [1, 2]],
    ]
    circle = np.array(points(svg('<circle cx="50" cy="40" r="30"/>'))[0])
    assert np.linalg.norm(circle - [50, 40], axis=1) == pytest.approx(30, abs=0.05)
    ellipse = np.array(points(svg('<ellipse cx="50" cy="40" rx="30" ry="10"/>'))[0])
    assert np.linalg.norm((ellipse - [50, 40]) / [30, 10], axis=1) == pytest.approx(1, abs=0.01)
    assert ellipse[0] == pytest.approx(ellipse[-1])


def test_a_rounded_rectangle_has_round_corners():
    path = np.array(points(svg('<rect x="10" y="10" width="60" height="40" rx="10"/>'))[0])
    assert path.min(0).tolist() == pytest.approx([10, 10])
    assert path.max(0).tolist() == pytest.approx([70, 50])
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    assert length == pytest.approx(2 * (40 + 20) + 2 * math.pi * 10, rel=0.005)


def test_transforms_nest_from_the_outside_in():
    shape = '<line x1="0" y1="0" x2="10" y2="0" {}/>'
    for outer, inner, end in [
        ("translate(5)", "scale(2)", [25, 0]),
        ("scale(2, 3)", "translate(5,1)", [30, 3]),
        ("rotate(90)", "", [0, 10]),
        ("rotate(90 10 10)", "", [20, 10]),
        ("matrix(1 2 3 4 5 6)", "", [15, 26]),
        ("skewX(45) translate(0 5)", "", [15, 5]),
        ("skewY(45)", "", [10, 10]),
    ]:
        group = f'<g transform="{outer}">{shape}</g>'.format(f'transform="{inner}"')
        ((_, last),) = points(svg(group))
        assert last == pytest.approx(end, abs=1e-4), outer


def test_the_view_box_is_the_canvas():
    drawing = svg('<path d="M10 10 30 20"/>', 'viewBox="10 5 40 20" width="4in" height="9cm"')
    assert (drawing.width, drawing.height) == (40, 20)
    assert points(drawing) == [[[0, 5], [20, 15]]]
    sized = svg('<path d="M10 10 30 20"/>', 'width="50" height="60px"')
    assert (sized.width, sized.height, points(sized)) == (50, 60, [[[10, 10], [30, 20]]])
    neither = svg('<path d="M0 0 700 0"/>', "")
    assert (neither.width, points(neither)) == (800, [[[50, 400], [750, 400]]])


def test_what_is_not_seen_is_not_drawn():
    shapes = (
        '<rect width="100" height="100" fill="white"/><rect width="9" height="9" fill="none"/>'
        '<defs><line x2="5"/></defs><g style="display: none"><line x2="5"/></g>'
        '<text>hello</text><g visibility="hidden"><line x2="5"/></g>'
        '<g fill="none" stroke="none"><line x2="7" style="stroke:#000"/></g>'
    )
    assert points(svg(shapes)) == [[[0, 0], [7, 0]]]


def test_a_dot_comes_back_as_a_dot():
    written = format_called("svg").write(Drawing((Stroke([[7.25, 8]]),), 100, 50))
    assert b"M7.25 8.0 L7.25 8.0" in written
    drawing = read("svg", written)
    assert (points(drawing), drawing.width, drawing.height) == ([[[7.25, 8]]], 100, 50)


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    "<svg><text>&b;</text></svg>"
)
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    "<svg><text>&x;</text></svg>"
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LAUGHS, "must be an SVG without a DOCTYPE; got one with it"),
        (OUTSIDE, "must be an SVG without a DOCTYPE; got one with it"),
        ("<svg><text>&b;</text></svg>", "must be whole XML; got undefined entity"),
        ("<svg><g></svg>", "must be whole XML; got mismatched tag"),
        ("<svg></svg>", "got a blank one"),
        ('<svg><path d=""/></svg>', "got a blank one"),
        ("<a><svg/></a>", "must be an SVG; got XML that begins with <a>"),
        ('<svg><path d="M0 0 L5"/></svg>', "whole paths; got its end where a number"),
        ('<svg><path d="L5 5"/></svg>', "whole paths; got 'L5 5' where"),
        ('<svg><path d="M0 0 X"/></svg>', "whole paths; got 'X' where"),
        ('<svg><path d="M0 0A1 1 0 2 0 5 5"/></svg>', "whole paths; got '2 0 5 5'"),
        ('<svg><path d="M1e999 0"/></svg>', "at most 1e9; got 1e999"),
        ('<svg><path d="M0 0 9000000 5"/></svg>', "points must be finite, at most 1,000,000"),
        ('<svg><g transform="turn(5)"/></svg>', r"known transforms; got 'turn\(5\)'"),
        ('<svg><g transform="rotate(5 6)"/></svg>', r"whole transforms; got 'rotate\(5 6\)'"),
        ('<svg><g transform="scale(1e9) scale(9)"/></svg>', "moderate transforms"),
        ('<svg><circle r="5mm"/></svg>', "r is in pixels; got '5mm'"),
        ('<svg viewBox="0 0 0 5"/>', "viewBox of x, y, width, height; got '0 0 0 5'"),
        ('<svg><use href="#a"/></svg>', "every shape in place; got a <use> inside"),
        ("<svg>" + "<g>" * 70 + "</g>" * 70 + "</svg>", "64 within one another; got more"),
        ("<svg>" + "<g/>" * 100_001 + "</svg>", "at most 100,000 elements"),
        (f'<svg><path d="M0 0{"h1" * 100_001}"/></svg>', "at most 100,000 curves"),
        ("<svg>" + f'<path d="M0 0{"h1" * 20_000}"/>' * 2 + "</svg>", "at most 100,000 points"),
        ('<svg><path d="M0 0A1e-200 1e-200 0 0 0 1e-200 0"/></svg>', "moderate numbers"),
        ("<svg>" + " " * 20_000_000 + "</svg>", "at most 20,000,000 bytes"),
        ('<?xml version="1.0" encoding="nope"?><svg/>', "must be (whole XML|an SVG in UTF-8)"),
    ],
    ids=range(26),
)
def test_an_svg_that_is_none_is_refused_in_a_sentence(text, sentence):
    with pytest.raises((Refusal, BadInputError), match=sentence):
        read("svg", text)


# writing


def test_the_suffix_chooses_what_is_written(tmp_path):
    drawing = Drawing((Stroke([[1, 2], [30, 40]], [0, 5]),))
    for suffix, name in [(".json", "canvas"), (".svg", "svg"), (".npy", "stroke3")]:
        write_drawing(drawing, tmp_path / f"a{suffix}")
        assert format_of(Content((tmp_path / f"a{suffix}").read_bytes()), "a").name == name
    write_drawing(drawing, tmp_path / "b.npy", "stroke5")
    assert format_of(Content((tmp_path / "b.npy").read_bytes()), "b").name == "stroke5"
    with pytest.raises(BadInputError, match=r"no kind of drawing file called '.jsno'.*'.json'"):
        write_drawing(drawing, tmp_path / "a.jsno")
    with pytest.raises(BadInputError, match="known: canvas, png"):
        write_drawing(drawing, tmp_path / "a.svg", "sgv")
    with pytest.raises(BadInputError, match="must get a drawing; got a blank one"):
        write_drawing(Drawing(()), tmp_path / "c.svg")


def test_names_of_drawing_files(tmp_path):
    assert drawing_files.is_drawing_name(tmp_path / "A.NDJSON")
    assert not drawing_files.is_drawing_name(tmp_path / "a.jpg")
