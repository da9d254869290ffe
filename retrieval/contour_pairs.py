"""Pairs of a photo and a drawing of its contours, for training where photos have no sketches.

What comes out is a data set of :mod:`retrieval.benchmarks.pairs` with a training part only:
``photos/``, ``strokes.json`` and ``pairs.csv``. People draw less and worse than contours are, so
training adds variation, see :mod:`retrieval.stroke_variation`.
"""

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .contours import contours
from .errors import BadInputError
from .images import ImageError, decode

DECIMALS = 1
"""Of a coordinate, on a canvas of 256."""


def write_contour_pairs(
    photos: Sequence[Path], out: Path, *, on_progress: Callable[[int], None] | None = None
) -> list[str]:
    """Draw the contours of photos.

    The folder appears when it is complete.

    Args:
        photos: Of objects on a plain background; each file is copied.
        out: A new or empty folder.
        on_progress: Called with 1 after each photo.

    Returns:
        Sentences about photos that were left out: unreadable, or without any line.

    Raises:
        BadInputError: ``out`` holds something, or no photo has contours.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInputError(f"out must be a new or empty folder; got {out}. Name another folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial.", dir=out.parent))
    try:
        left_out = _write(photos, partial, on_progress or (lambda done: None))
        partial.chmod(0o755)
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return left_out


def _write(photos: Sequence[Path], out: Path, on_progress: Callable[[int], None]) -> list[str]:
    (out / "photos").mkdir()
    rows: list[tuple[str, str, str]] = []
    drawn: dict[str, Any] = {}
    left_out: list[str] = []
    for number, photo in enumerate(photos):
        on_progress(1)
        key = f"{number:06d}"
        try:
            drawing = contours(decode(photo))
        except ImageError as error:
            left_out.append(str(error))
            continue
        if not drawing.strokes:
            left_out.append(f"{photo} must show contours; got none.")
            continue
        drawn[key] = [
            [[round(float(value), DECIMALS) for value in point] for point in stroke.points]
            for stroke in drawing.strokes
        ]
        name = f"photos/{key}{photo.suffix.lower()}"
        shutil.copyfile(photo, out / name)
        rows.append((key, name, "train"))
    if not rows:
        raise BadInputError(f"photos must show contours; got none in {len(photos)}.")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerows([("sketch", "photo", "split"), *rows])
    (out / "pairs.csv").write_text(table.getvalue())
    (out / "strokes.json").write_text(json.dumps(drawn, separators=(",", ":")))
    return left_out
