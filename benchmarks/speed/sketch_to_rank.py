"""From strokes to hits, one drawing at a time: milliseconds of each stage, beside the plain way.

    python benchmarks/speed/sketch_to_rank.py

A hundred drawings by the generated catalogue's hands search a gallery of 10,000 random vectors.
Ours: the rasteriser, the encoder's transform, the encoder (the first 14 layers of mobilenet_v2,
160 pixels, a grid of 7 x 7, whitened to 256 numbers) with each runtime that works here, and the ten
best hits of a collection on disk with each engine. The plain way, what a user would write: lines by
Pillow, torchvision's network as it is, a numpy product and a sort. Weights and vectors are random;
speed does not depend on them. For each drawing all ways run one after the other, so that a machine
that is busy is busy for all; each number of threads has a process of its own. The aim is 50 ms.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torchvision.models import mobilenet_v2

from indexer.collection import Item
from indexer.disk import DiskCollection
from retrieval.catalogue.design import Designer
from retrieval.catalogue.families import FAMILIES
from retrieval.catalogue.sketch import DRAWERS, draw
from retrieval.catalogue.solid import build
from retrieval.catalogue.views import catalogue_pose, remembered
from retrieval.encoder import Encoder, build_encoder
from retrieval.modalities import picture_of
from retrieval.provenance import provenance
from retrieval.runtimes import available_runtimes, with_runtime
from retrieval.strokes import Drawing, Stroke
from retrieval.whitening import Whitening

RESULTS = Path(__file__).resolve().parents[1] / "results"
AIM_MS = 50
RUNTIMES = ("eager", "folded", "openvino")
ENGINES = ("exact", "faiss_flat")
SIZE, LAYERS, CELLS, DIM, HITS = 160, 14, 7, 256, 10

Times = dict[str, list[float]]


def main() -> None:
    """Measure, print and write results/sketch_to_rank.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gallery", type=int, default=10_000)
    parser.add_argument("--drawings", type=int, default=100)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--note", default="", help="for the reader, such as what else was running")
    parser.add_argument("--out", type=Path, default=RESULTS / "sketch_to_rank")
    parser.add_argument("--run", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        print(json.dumps(measured(chosen.run, chosen.gallery, chosen.drawings)))
        return
    found = {threads: apart(threads, chosen) for threads in chosen.threads}
    write(chosen.out, found, chosen)


def apart(threads: int, chosen: argparse.Namespace) -> Times:
    """Measure in a process whose libraries all have so many threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    done = subprocess.run(
        [
            *(sys.executable, __file__, "--run", str(threads)),
            *("--gallery", str(chosen.gallery), "--drawings", str(chosen.drawings)),
        ],
        env=os.environ | dict.fromkeys(names, str(threads)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    times: Times = json.loads(done.stdout.splitlines()[-1])
    return times


def measured(threads: int, gallery: int, count: int) -> Times:
    """Milliseconds of each stage for each drawing, in this process."""
    torch.set_num_threads(threads)
    random = np.random.default_rng(0)
    encoder = whitened_encoder()
    vectors = unit_rows(random, gallery)
    here = [name for name, text in available_runtimes("cpu") if not text.startswith("not here")]
    used = [name for name in RUNTIMES if name in here]
    encoders = {name: with_runtime(encoder, name, threads=threads) for name in used}
    plain = PlainWay(encoder, vectors)
    times: Times = {}
    with tempfile.TemporaryDirectory() as folder:
        collections = {name: filled(Path(folder) / name, name, vectors) for name in ENGINES}
        drawn = drawings(count)
        for drawing in [*drawn[:5], *drawn]:  # the first calls prepare kernels and caches
            for name, took in {
                **ours(drawing, encoders, collections),
                **plain.stages(drawing),
            }.items():
                times.setdefault(name, []).append(took)
        for collection in collections.values():
            collection.close()
    return {name: took[5:] for name, took in times.items()}


def whitened_encoder() -> Encoder:
    """The sketch door, with random weights."""
    encoder = build_encoder(
        "mobilenet_v2", {"name": "grid", "cells": CELLS}, size=SIZE, keep_layers=LAYERS
    )
    whitening = Whitening(encoder.dim, DIM)
    random = torch.Generator().manual_seed(1)
    whitening.projection.copy_(torch.randn(encoder.dim, DIM, generator=random))
    return encoder.with_whitening(whitening).eval()


def unit_rows(random: np.random.Generator, count: int) -> NDArray[np.float32]:
    """(count, DIM) random vectors of norm 1."""
    rows = random.standard_normal((count, DIM)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def filled(folder: Path, engine: str, vectors: NDArray[np.float32]) -> DiskCollection:
    """A collection on disk, open for search."""
    items = [Item(f"photo-{number:05d}") for number in range(len(vectors))]
    with DiskCollection.create(folder, dim=DIM, fingerprint="0" * 64, engine=engine) as made:
        made.add(vectors, items, fingerprint="0" * 64)
    return DiskCollection.open(folder)


def drawings(count: int) -> list[Drawing]:
    """Shoes of the generated catalogue, each drawn by several hands; the same ones every time."""
    made: list[Drawing] = []
    families, hands = list(FAMILIES.values()), list(DRAWERS.values())
    for model in range(-(-count // len(hands))):
        design = Designer(model, model)
        shoe = families[model % len(families)](design)
        body = build(shoe, design.texture, steps=96)
        random = np.random.default_rng(model)
        pose = catalogue_pose(random)
        for hand in hands:
            lines = draw(shoe, body, remembered(pose, random), hand, random)
            made.append(Drawing(tuple(Stroke(line) for line in lines)))
    return made[:count]


def ours(
    drawing: Drawing, encoders: dict[str, Encoder], collections: dict[str, DiskCollection]
) -> dict[str, float]:
    """Milliseconds of our stages."""
    transform = next(iter(encoders.values())).transform
    took = {}
    picture, took["raster"] = timed(lambda: picture_of(drawing, transform))
    pixels, took["transform"] = timed(lambda: transform(picture)[None])
    for name, encoder in encoders.items():
        vector, took[f"encode {name}"] = timed(lambda e=encoder: e.vectors(pixels))  # type: ignore[misc]
    for name, collection in collections.items():
        _, took[f"search {name}"] = timed(
            lambda c=collection: c.search(vector, HITS, fingerprint="0" * 64)  # type: ignore[misc]
        )
    return took


class PlainWay:
    """What a user writes: Pillow's lines, torchvision's network, a numpy product and a sort."""

    def __init__(self, encoder: Encoder, vectors: NDArray[np.float32]) -> None:
        self._network = mobilenet_v2(weights=None).features[:LAYERS].eval()
        self._mean, self._std = (
            torch.tensor(values)[:, None, None]
            for values in (encoder.transform.mean, encoder.transform.std)
        )
        whitening = encoder.whitening
        self._centre, self._axes = whitening.mean, whitening.projection  # type: ignore[union-attr]
        self._vectors = vectors

    def stages(self, drawing: Drawing) -> dict[str, float]:
        """Milliseconds of each."""
        took = {}
        picture, took["plain raster"] = timed(lambda: self._raster(drawing))
        pixels, took["plain transform"] = timed(lambda: self._pixels(picture))
        vector, took["plain encode"] = timed(lambda: self._vector(pixels))
        _, took["plain search"] = timed(lambda: np.argsort(-(self._vectors @ vector))[:HITS])
        return took

    def _raster(self, drawing: Drawing) -> Image.Image:
        picture = Image.new("RGB", (256, 256), "white")
        pencil = ImageDraw.Draw(picture)
        for stroke in drawing.strokes:
            points = [(float(x), float(y)) for x, y in stroke.points]
            pencil.line(points, fill="black", width=2)
        return picture

    def _pixels(self, picture: Image.Image) -> torch.Tensor:
        small = picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
        return ((pixels - self._mean) / self._std)[None]

    @torch.no_grad()
    def _vector(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        maps = self._network(pixels)
        cells = torch.nn.functional.adaptive_avg_pool2d(maps, CELLS).flatten(1)
        cells = torch.nn.functional.normalize(cells)
        vector = torch.nn.functional.normalize((cells - self._centre) @ self._axes)
        row: NDArray[np.float32] = vector[0].numpy()
        return row


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and its milliseconds."""
    begun = time.perf_counter()
    value = call()
    return value, 1000 * (time.perf_counter() - begun)


def totals(times: Times, runtime: str, engine: str) -> list[float]:
    """Milliseconds from strokes to hits, of each drawing."""
    stages = ["raster", "transform", f"encode {runtime}", f"search {engine}"]
    return [sum(took) for took in zip(*(times[stage] for stage in stages), strict=True)]


def plain_totals(times: Times) -> list[float]:
    """Likewise of the plain way."""
    stages = [times[f"plain {stage}"] for stage in ("raster", "transform", "encode", "search")]
    return [sum(took) for took in zip(*stages, strict=True)]


def spread(took: Sequence[float]) -> str:
    """Median and 95th percentile."""
    return f"{statistics.median(took):.1f} / {np.percentile(took, 95):.1f}"


def write(out: Path, found: dict[int, Times], chosen: argparse.Namespace) -> None:
    """The tables, for people and for programs."""
    facts = provenance()
    ways = ["| way | threads | ms from strokes to hits | plain / ours | within the aim |"]
    ways.append("|---|---|---|---|---|")
    for threads, times in found.items():
        plain = plain_totals(times)
        ways.append(f"| the plain way | {threads} | {spread(plain)} | | |")
        for runtime in (name for name in RUNTIMES if f"encode {name}" in times):
            for engine in ENGINES:
                took = totals(times, runtime, engine)
                ratio = statistics.median(p / o for p, o in zip(plain, took, strict=True))
                met = sum(one <= AIM_MS for one in took)
                ways.append(
                    f"| {runtime}, {engine} | {threads} | {spread(took)} | **{ratio:.2f}** "
                    f"| {met} of {len(took)} |"
                )
    heads = [f"ms, {threads} thread" + "s" * (threads > 1) for threads in found]
    stages = [f"| stage | {' | '.join(heads)} |", f"|{'---|' * (1 + len(found))}"]
    for stage in next(iter(found.values())):
        cells = [spread(times[stage]) for times in found.values()]
        stages.append(f"| {stage} | {' | '.join(cells)} |")
    words = ["python", "benchmarks/speed/sketch_to_rank.py", *sys.argv[1:]]
    words = ["OUT" if before == "--out" else word for before, word in pairwise(["", *words])]
    parts = [
        "# From strokes to hits, one drawing at a time",
        "\n".join(ways),
        "\n".join(stages),
        f"Median / 95th percentile over {chosen.drawings} drawings; a gallery of "
        f"{chosen.gallery:,}; the aim is {AIM_MS} ms. `eager` is what `fgir search --sketch` takes "
        "for a few sketches: nothing to prepare. The others are prepared once, before the first "
        f"drawing. The ratio is the median over the drawings, above 1 where ours is faster.",
        *([chosen.note] if chosen.note else []),
        f"Measured {facts['date']} at commit {facts['commit']}: {facts['hardware']}, "
        f"{facts['versions']}.\n\n    {shlex.join(words)}",
    ]
    out.with_suffix(".md").write_text("\n\n".join(parts) + "\n")
    plain_facts = {"milliseconds": {str(n): times for n, times in found.items()}, **facts}
    out.with_suffix(".json").write_text(json.dumps(plain_facts, indent=1))
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
