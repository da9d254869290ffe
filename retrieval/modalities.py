"""A picture of either kind, read as the encoder behind its door wants it."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .data import Modality
from .images import decode
from .sketches import read_sketch
from .strokes import LARGEST, Drawing
from .transforms import Transform


def read_picture(
    path: Path, modality: Modality, transform: Transform, *, name: str | None = None
) -> Image.Image:
    """A photo or a sketch as RGB pixels, before the transform.

    Args:
        path: A photo file, or what :func:`retrieval.sketches.read_sketch` takes.
        modality: Which of the two.
        transform: Of the encoder it goes to: how much detail is needed, how wide the pen is.
        name: What to call it in messages; by default its path.

    Raises:
        ImageError: It cannot be read.
    """
    if modality == Modality.SKETCH:
        return read_sketch(
            path,
            name=name,
            draft_size=transform.draft_size,
            size=drawn_side(transform),
            pen=transform.pen,
        )
    return decode(path, name=name, draft_size=transform.draft_size)


def picture_of(drawing: Drawing, transform: Transform) -> Image.Image:
    """A drawing as :func:`read_picture` gives it where it reads strokes."""
    return drawing.raster(drawn_side(transform), transform.pen)


def input_of(drawing: Drawing, transform: Transform) -> Tensor:
    """A drawing as the input of an encoder, (3, H, W) float32."""
    pixels = transform.read_pixels(lambda wanted: picture_of(drawing, wanted))
    return transform.normalise(torch.from_numpy(pixels)[None])[0]


def input_of_photo(photo: Image.Image, transform: Transform) -> Tensor:
    """A decoded photo as the input of an encoder, joined or not, (3, H, W) float32."""
    return transform.normalise(torch.from_numpy(transform.pixels(photo))[None])[0]


def drawn_side(transform: Transform) -> int:
    """Side in pixels of the picture that a transform wants strokes to become."""
    return min(transform.draft_size, LARGEST)
