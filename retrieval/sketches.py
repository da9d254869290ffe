"""One way in for every sketch file."""

from pathlib import Path

from PIL import Image

from .images import decode


def read_sketch(path: Path, *, size: int = 256, pen: float = 2.0) -> Image.Image:
    """A sketch as RGB pixels, black on white."""
    del pen
    return decode(path, draft_size=size)


def sketch_bytes(path: Path) -> bytes:
    """What makes two sketch files the same."""
    return path.read_bytes()
