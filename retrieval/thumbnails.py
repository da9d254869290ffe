"""Small copies of pictures that can stand inside an HTML page."""

import base64
import io
from pathlib import Path

from PIL import Image

from .data import Modality
from .images import ImageError, decode
from .sketches import read_sketch

SIDE = 176
"""Longer side in pixels where no other is asked for: sharp at half that size on any screen."""

QUALITY = 78


def thumbnail(
    path: Path | bytes, modality: Modality = Modality.PHOTO, *, side: int = SIDE
) -> str | None:
    """A picture as a data URI, or None where it cannot be read; strokes are drawn.

    It is decoded and encoded again, so that nothing of the file but its pixels enters the page: no
    place, no camera, no owner.

    Args:
        path: A file, or the bytes of a photo's.
        modality: What it shows.
        side: Its longer side in pixels, at most.
    """
    try:
        if modality is Modality.SKETCH and isinstance(path, Path):
            image = read_sketch(path, draft_size=side, size=side)
        else:
            image = decode(path, draft_size=side)
    except ImageError:
        return None
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode("ascii")
