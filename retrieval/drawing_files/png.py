"""A picture of a drawing. A PNG that was written here carries the strokes, too, as a text."""

import io
from collections.abc import Mapping
from typing import Any

from PIL.PngImagePlugin import PngInfo

from ..image_headers import Refusal
from ..png_text import SIGNATURE, png_text
from ..strokes import Drawing
from ._canvas_json import SHAPE, drawing_of, is_canvas, text_of
from ._content import Content
from ._format import DrawingFormat, NoStrokes

KEYWORD = "fgir drawing"
"""Of the text that holds the strokes."""


class Png(DrawingFormat):
    """256 x 256 pixels, black on white, and JSON of the canvas in a ``tEXt`` chunk.

    It is not packed: readers of pictures refuse a packed text of more than 1 MB, and with it the
    picture. One that another program has packed is read all the same.
    """

    suffixes = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
    written_as = ".png"
    shape = "a picture"
    is_picture = True

    def recognises(self, content: Content) -> bool:
        heads = (SIGNATURE, b"\xff\xd8\xff", b"GIF8", b"BM")
        return content.data.startswith(heads) or content.data[8:12] == b"WEBP"

    def entries(self, content: Content) -> Mapping[str, Any]:
        text = None
        if content.data.startswith(SIGNATURE):
            text = png_text(content.data, KEYWORD, most=content.most_unpacked)
        if text is None:
            raise NoStrokes("a file of strokes", content.shown(), "Read it as a picture.")
        value = Content(text).json
        if not is_canvas(value):
            want = f"a picture whose strokes are {SHAPE}"
            raise Refusal(want, "something else", "Save the drawing again.")
        return {"": value}

    def drawing(self, entry: Any) -> Drawing:  # noqa: ANN401
        return drawing_of(entry)

    def write(self, drawing: Drawing) -> bytes:
        text = PngInfo()
        text.add_text(KEYWORD, text_of(drawing).decode("ascii"))
        file = io.BytesIO()
        drawing.raster().convert("L").save(file, "PNG", pnginfo=text)
        return file.getvalue()
