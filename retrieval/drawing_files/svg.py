"""SVG: shapes as their outlines, curves as points."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ..image_headers import Refusal
from ..strokes import CANVAS, MAX_COORDINATE, PEN, Drawing, Stroke
from ._content import Content
from ._format import DrawingFormat
from ._numbers import check_count, on_canvas
from ._svg_paths import Points, flattened, numbers
from ._svg_shapes import Matrix, curves_of, length, matrix_of

MAX_SVG_BYTES = 20_000_000
"""Most bytes of an SVG."""

MAX_ELEMENTS = 100_000
"""Most elements of an SVG."""

MAX_DEPTH = 64
"""Most elements within one another."""

MAX_SCALE = 1e9
"""Most that nested transforms may do."""

TOLERANCE = CANVAS / 2560
"""Most that a flattened curve leaves its true one, on a canvas of 256."""

_UNSEEN = frozenset({"defs", "symbol", "clipPath", "mask", "pattern", "marker", "style", "script"})
_PAPER = frozenset({"none", "transparent", "white", "#fff", "#ffffff", "rgb(255,255,255)"})
_INHERITED = ("stroke", "fill", "visibility")


class Svg(DrawingFormat):
    """Paths, polylines, polygons, lines, rectangles, circles and ellipses, in nested transforms.

    A shape is drawn as its outline, whether it has a stroke or a fill, unless neither is darker
    than paper. Texts, pictures and style sheets are passed over. The canvas is the ``viewBox``, or
    width and height. Written files keep points, not times and pressures.
    """

    suffixes = (".svg",)
    written_as = ".svg"
    shape = "an SVG"

    def recognises(self, content: Content) -> bool:
        return content.head[:1] == b"<" and b"<svg" in content.data[:100_000]

    def entries(self, content: Content) -> Mapping[str, Any]:
        return {"": content.data}

    def drawing(self, entry: Any) -> Drawing:  # noqa: ANN401
        if len(entry) > MAX_SVG_BYTES:
            raise Refusal(
                f"an SVG of at most {MAX_SVG_BYTES:,} bytes", f"{len(entry):,}", "Simplify it."
            )
        shapes = _Shapes()
        parser = ElementTree.XMLParser(target=shapes)
        try:
            parser.feed(entry)
            parser.close()
        except ElementTree.ParseError as error:
            raise Refusal("whole XML", str(error)[:100], "Save it again.") from None
        except ArithmeticError:  # an arc with radii of 1e-200, say
            raise Refusal("an SVG of moderate numbers", "one too small", "Save it again.") from None
        except (ValueError, LookupError) as error:  # an encoding that is unknown or not kept
            raise Refusal("an SVG in UTF-8", str(error)[:100], "Save it again.") from None
        return shapes.drawing()

    def write(self, drawing: Drawing) -> bytes:
        pen = PEN * max(drawing.width, drawing.height) / CANVAS
        paths = "".join(f'<path d="{_data(stroke)}"/>\n' for stroke in drawing.strokes)
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" '
            f'viewBox="0 0 {drawing.width:.9g} {drawing.height:.9g}">\n'
            f'<g fill="none" stroke="black" stroke-width="{pen:.6g}" '
            'stroke-linecap="round" stroke-linejoin="round">\n'
            f"{paths}</g>\n</svg>\n"
        ).encode()


class _Shapes:
    """What an XML parser tells its elements to; it keeps the curves and no tree.

    An element's ``doctype`` comes before anything it declares, so no entity is ever expanded and
    nothing outside the file is ever asked for.
    """

    def __init__(self) -> None:
        self._matrices: list[Matrix] = []
        self._styles: list[dict[str, str]] = []
        self._unseen = 0
        self._elements = 0
        self._count = 0  # of control points
        self._canvas: tuple[float, float] | None = None
        self._curves: list[Points] = []

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise Refusal("an SVG without a DOCTYPE", "one with it", "Remove the <!DOCTYPE ...> line.")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rsplit("}", 1)[-1]
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(self._matrices) >= MAX_DEPTH:
            raise Refusal(
                f"an SVG of at most {MAX_ELEMENTS:,} elements, {MAX_DEPTH} within one another",
                "more",
                "Simplify it.",
            )
        if not self._matrices:
            self._root(tag, attributes)
            return
        style = self._styles[-1] | _style(attributes)
        if self._unseen or tag in _UNSEEN or style.pop("display", "") == "none":
            self._unseen += 1
        elif tag in ("svg", "use"):
            raise Refusal(
                "an SVG with every shape in place", f"a <{tag}> inside", "Save it as plain paths."
            )
        matrix = self._matrices[-1]
        if not self._unseen and "transform" in attributes:
            matrix = matrix @ matrix_of(attributes["transform"])
            if not np.abs(matrix).max() <= MAX_SCALE:
                raise Refusal("an SVG of moderate transforms", "one beyond 1e9", "Save it again.")
        self._matrices.append(matrix)
        self._styles.append(style)
        if not self._unseen and _inked(style):
            self._add(curves_of(tag, attributes), matrix)

    def end(self, tag: str) -> None:
        self._matrices.pop()
        self._styles.pop()
        self._unseen = max(0, self._unseen - 1)

    def data(self, text: str) -> None:
        """Texts are no strokes."""

    def close(self) -> None:
        """The parser's last word."""

    def drawing(self) -> Drawing:
        """What was seen, curves flattened."""
        check_count(self._count)
        side = max(self._canvas) if self._canvas else _extent(self._curves)
        tolerance = TOLERANCE * max(side, 1e-3) / CANVAS
        paths = [flattened(curves, tolerance) for curves in self._curves]
        check_count(sum(map(len, paths)))
        strokes = [Stroke(path if np.ptp(path, axis=0).any() else path[:1]) for path in paths]
        return (
            on_canvas(strokes) if self._canvas is None else Drawing(tuple(strokes), *self._canvas)
        )

    def _add(self, shapes: list[Points], matrix: Matrix) -> None:
        self._count += sum(map(len, shapes))
        check_count(max(1, self._count))
        self._curves += [curves @ matrix[:2, :2].T + matrix[:2, 2] for curves in shapes]

    def _root(self, tag: str, attributes: dict[str, str]) -> None:
        if tag != "svg":
            raise Refusal("an SVG", f"XML that begins with <{tag[:20]}>", "Save it again.")
        matrix = np.eye(3)
        if "viewBox" in attributes:
            box = numbers(attributes["viewBox"])
            if len(box) != 4 or min(box[2:]) <= 0 or max(map(abs, box)) > MAX_COORDINATE:
                got = repr(attributes["viewBox"][:30])
                raise Refusal("an SVG with a viewBox of x, y, width, height", got, "Save it again.")
            matrix[:2, 2] = [-box[0], -box[1]]
            self._canvas = (box[2], box[3])
        elif _is_pixels(attributes):
            self._canvas = (length(attributes, "width"), length(attributes, "height"))
        self._matrices.append(matrix)
        self._styles.append({"fill": "black", "stroke": "none"} | _style(attributes))


def _is_pixels(attributes: Mapping[str, str]) -> bool:
    sides = [attributes.get(name, "") for name in ("width", "height")]
    return all(re.fullmatch(r"\s*[1-9]\d{0,5}(\.\d+)?\s*(px)?\s*", side) for side in sides)


def _style(attributes: Mapping[str, str]) -> dict[str, str]:
    found = {name: attributes[name] for name in (*_INHERITED, "display") if name in attributes}
    for declaration in attributes.get("style", "").split(";"):
        name, _, value = declaration.partition(":")
        if name.strip() in (*_INHERITED, "display"):
            found[name.strip()] = value
    return {name: re.sub(r"\s", "", value).lower() for name, value in found.items()}


def _inked(style: Mapping[str, str]) -> bool:
    seen = style.get("visibility", "visible") == "visible"
    return seen and not {style["stroke"], style["fill"]} <= _PAPER


def _extent(curves: list[Points]) -> float:
    points = np.concatenate(curves)
    return float(np.ptp(points, axis=0).max())


def _data(stroke: Stroke) -> str:
    """Path data; a dot goes nowhere and back, so that it is shown with its round ends."""
    points = stroke.points if len(stroke.points) > 1 else stroke.points.repeat(2, axis=0)
    return "M" + " L".join(f"{x} {y}" for x, y in points)
