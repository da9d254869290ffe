"""Writes a whole catalogue: photos, sketches, tables, and a certificate of what was written."""

import csv
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ..errors import BadInputError
from ..strokes import Drawing, Stroke
from .design import Designer
from .families import FAMILIES
from .photo import jpeg, photograph
from .sketch import DRAWERS, draw
from .solid import STEPS, build
from .views import remembered, views

VERSION = 1
"""Of the pictures: another version draws other pictures from the same seed."""

CERTIFICATE = "catalogue.json"
SERIES = 4
"""Models of one series share colours and materials; a series is never split over train and test."""


@dataclass(frozen=True)
class Order:
    """What one worker needs to make one model."""

    folder: Path
    seed: int
    number: int
    photos: int
    sketches: int
    size: int

    @property
    def family(self) -> str:
        """The families take turns."""
        return tuple(FAMILIES)[self.number % len(FAMILIES)]

    @property
    def series(self) -> int:
        """Number of the model's series within its family."""
        return self.number // len(FAMILIES) // SERIES

    @property
    def split(self) -> str:
        """Series take turns, and families begin with either."""
        return "train" if (self.number % len(FAMILIES) + self.series) % 2 == 0 else "test"

    @property
    def seeds(self) -> tuple[int, int]:
        """Of what the series shares, and of what is the model's own."""
        series = _seed(self.seed, 1, self.number % len(FAMILIES), self.series)
        return series, _seed(self.seed, 2, self.number)

    @property
    def model(self) -> str:
        """The model's name, which is its label."""
        return f"{self.family}-{self.number // len(FAMILIES):03d}"


@dataclass(frozen=True)
class Made:
    """What was written for one model."""

    photos: list[str]
    sketches: dict[str, list[list[list[float]]]]


def generate(
    out: Path,
    *,
    models: int = 240,
    photos_per_model: int = 6,
    sketches_per_model: int = 2,
    size: int = 160,
    seed: int = 0,
    workers: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Make a catalogue of shoes that do not exist.

    The same arguments give the same bytes, whatever the number of workers. The folder appears when
    it is complete: an interrupted run leaves nothing that looks like a catalogue.

    Args:
        out: A new or empty folder. It receives ``photos/FAMILY/MODEL/VIEW.jpg``,
            ``sketches/MODEL_N.png``, ``images.csv`` (path, split, label, superclass, modality),
            ``pairs.csv`` (sketch, photo, split), ``strokes.json`` ({sketch: strokes of [x, y] on a
            256 canvas, in the order of drawing}) and ``catalogue.json``.
        models: How many; half of them are for training, half for the test.
        photos_per_model: Of each model; view 0 is the catalogue picture that sketches belong to.
        sketches_per_model: Of each model, each by another drawer.
        size: Side of a photo in pixels.
        seed: Another seed is another catalogue.
        workers: Processes; all cores when left out, 1 works in this process.
        on_progress: Called with the number of models made since the last call.

    Raises:
        BadInputError: A count is out of range, or ``out`` holds something.
    """
    _check(models, photos_per_model, sketches_per_model, size, seed)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInputError(
            f"out must be a new or empty folder; got {out}, which holds something. "
            "Name another folder, or delete this one."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial.", dir=out.parent))
    try:
        orders = [
            Order(partial, seed, number, photos_per_model, sketches_per_model, size)
            for number in range(models)
        ]
        made: list[Made] = []
        for one in _work(orders, workers):
            made.append(one)
            if on_progress:
                on_progress(1)
        _write_tables(partial, orders, made)
        partial.chmod(0o755)
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def make_model(order: Order) -> Made:
    """Write the pictures of one model."""
    series, model = order.seeds
    design = Designer(series, model)
    shoe = FAMILIES[order.family](design)
    body = build(shoe, design.texture, steps=round(order.size * STEPS / 160))
    random = np.random.default_rng([model, 3])
    folder = Path("photos", order.family, order.model)
    (order.folder / folder).mkdir(parents=True)
    photos, sketches = [], {}
    shown = list(views(order.photos, random))
    for number, view in enumerate(shown):
        path = folder / f"{number}.jpg"
        (order.folder / path).write_bytes(jpeg(photograph(body, view, order.size), view.quality))
        photos.append(path.as_posix())
    random = np.random.default_rng([model, 4])
    for number in range(order.sketches):
        drawer = list(DRAWERS.values())[int(random.integers(len(DRAWERS)))]
        strokes = draw(shoe, body, remembered(shown[0].pose, random), drawer, random)
        path = Path("sketches", f"{order.model}_{number}.png")
        (order.folder / path).parent.mkdir(exist_ok=True)
        drawing = Drawing(tuple(Stroke(stroke) for stroke in strokes))
        drawing.raster(pen=drawer.pen).convert("L").save(order.folder / path)
        sketches[path.as_posix()] = [stroke.tolist() for stroke in strokes]
    return Made(photos, sketches)


def sha256(data: bytes) -> str:
    """Hexadecimal digest of a table."""
    return hashlib.sha256(data).hexdigest()


def _check(models: int, photos: int, sketches: int, size: int, seed: int) -> None:
    for name, value, low, high in (
        ("models", models, 1, 100_000),
        ("photos_per_model", photos, 1, 1000),
        ("sketches_per_model", sketches, 0, 1000),
        ("size", size, 32, 1024),
        ("seed", seed, 0, 2**63),
    ):
        if not low <= value <= high:
            raise BadInputError(f"{name} must be in {low}..{high}; got {value}.")


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _work(orders: list[Order], workers: int | None) -> Iterator[Made]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    wanted = min(workers if workers is not None else cores or 1, len(orders))
    if wanted <= 1:
        yield from map(make_model, orders)
        return
    # a fresh process holds none of the parent's threads and locks
    with ProcessPoolExecutor(wanted, mp_context=get_context("spawn")) as pool:
        yield from pool.map(make_model, orders, chunksize=2)


def _write_tables(folder: Path, orders: list[Order], made: list[Made]) -> None:
    images, pairs = (
        [["path", "split", "label", "superclass", "modality"]],
        [["sketch", "photo", "split"]],
    )
    strokes: dict[str, list[list[list[float]]]] = {}
    for order, one in zip(orders, made, strict=True):
        kind = [order.split, order.model, order.family, "photo"]
        images += [[path, *kind] for path in one.photos]
        pairs += [[path, one.photos[0], order.split] for path in one.sketches]
        strokes |= one.sketches
    tables = {
        "images.csv": _csv(images),
        "pairs.csv": _csv(pairs),
        "strokes.json": json.dumps(strokes, separators=(",", ":")).encode() + b"\n",
    }
    for name, data in tables.items():
        (folder / name).write_bytes(data)
    first = orders[0]
    certificate = {
        "format": "fgir catalogue",
        "version": VERSION,
        "seed": first.seed,
        "size": first.size,
        "models": len(orders),
        "photos_per_model": first.photos,
        "sketches_per_model": first.sketches,
        "photos": sum(len(one.photos) for one in made),
        "sketches": len(strokes),
        "test_models": sum(order.split == "test" for order in orders),
        "sha256": {name: sha256(data) for name, data in tables.items()},
    }
    (folder / CERTIFICATE).write_text(json.dumps(certificate, indent=2) + "\n")


def _csv(rows: list[list[str]]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()
