"""A picture of a drawing. It has no strokes to read any more."""

import io
from collections.abc import Mapping
from typing import Any

from ..image_headers import Refusal
from ..strokes import Drawing
from ._content import Content
from ._format import DrawingFormat


class Png(DrawingFormat):
    """256 x 256 pixels, black on white."""

    suffixes = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
    written_as = ".png"
    shape = "a picture"
    is_picture = True

    def recognises(self, content: Content) -> bool:
        heads = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM")
        return content.data.startswith(heads) or content.data[8:12] == b"WEBP"

    def entries(self, content: Content) -> Mapping[str, Any]:
        raise Refusal("a file of strokes", content.shown(), "Read it as a picture.")

    def drawing(self, entry: Any) -> Drawing:  # noqa: ANN401
        raise Refusal("a file of strokes", "a picture", "Read it as a picture.")

    def write(self, drawing: Drawing) -> bytes:
        file = io.BytesIO()
        drawing.raster().convert("L").save(file, "PNG")
        return file.getvalue()
