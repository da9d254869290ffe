"""One way in for every sketch file."""

from pathlib import Path

from PIL import Image

from .images import decode


def read_sketch(
    path: Path,
    *,
    name: str | None = None,
    draft_size: int | None = None,
    size: int = 256,
    pen: float = 2.0,
) -> Image.Image:
    """A sketch as RGB pixels, black on white."""
    del size, pen
    return decode(path, name=name, draft_size=draft_size)


def sketch_bytes(path: Path) -> bytes:
    """What makes two sketch files the same."""
    return path.read_bytes()
