"""Encoding against the loop that a user would write: files to unit vectors, images a second.

    python benchmarks/speed/encoding.py --weights mobilenet_v2=PATH

Both run over the same generated JPEG files in alternation: a block of the plain loop, then a whole
job of ours with its start-up, several times, and a last block of the loop. A round's ratio is that
of the job to the loop's blocks before and after it. Networks have random weights unless given;
speed does not depend on them, but "auto" may, because it compares vectors. The arithmetic limit of
the machine is measured in the same run: its largest matrix product, the network's FLOP, and what
decoding costs. Nothing else should run on the machine.
"""

import argparse
import json
import math
import re
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from retrieval.encoder import Encoder, build_encoder
from retrieval.encoding import encode_batches
from retrieval.images import decode
from retrieval.provenance import provenance
from retrieval.runtimes import available_runtimes

RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Source:
    """Generated photos.

    Attributes:
        width: Pixels.
        height: Pixels.
        files: Different files; a job goes through them as often as it has to.
        images: In a job.
        plain: Images in a block of the plain loop.
    """

    width: int
    height: int
    files: int
    images: int
    plain: int


SOURCES = {"500 px": Source(500, 375, 200, 2000, 120), "12 MP": Source(4000, 3000, 12, 240, 24)}


@dataclass(frozen=True)
class Row:
    """One network on one source.

    Attributes:
        plain: Images a second of the plain loop, median of the blocks.
        ours: Images a second of a whole job, start-up included, median of the rounds.
        steady: Likewise without start-up.
        start_up: Seconds, median.
        ratios: Of each round, start-up included.
        limit: Images a second that the arithmetic of this machine would allow.
        limit_exact: Likewise in float32.
    """

    network: str
    source: str
    images: int
    runtime: str
    plain: float
    ours: float
    steady: float
    start_up: float
    ratios: list[float]
    limit: float
    limit_exact: float
    gflop: float
    decode_ms: float


def main() -> None:
    """Measure, print and write results/encoding.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["mobilenet_v2", "resnet50"])
    parser.add_argument("--sources", nargs="+", default=list(SOURCES), choices=list(SOURCES))
    parser.add_argument("--weights", nargs="*", default=[], metavar="NETWORK=PATH")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of each job, for a quick look")
    parser.add_argument("--runtimes", nargs="*", help="compare these; all but compile if left out")
    parser.add_argument("--out", type=Path, default=RESULTS / "encoding")
    chosen = parser.parse_args()
    weights = {name: Path(path) for name, path in (one.split("=", 1) for one in chosen.weights)}
    peaks = {name: peak(kind) for name, kind in KINDS.items()}
    print(peaks, flush=True)
    rows: list[Row] = []
    compared: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        files = {name: photos(Path(folder), name, SOURCES[name]) for name in chosen.sources}
        for network in chosen.networks:
            encoder = build_encoder(network, weights=weights.get(network))
            for name in chosen.sources:
                rows.append(
                    measured(encoder, name, files[name], chosen.rounds, chosen.share, peaks)
                )
                print(line(rows[-1]), flush=True)
            for runtime in usable(chosen.runtimes):
                compared.append(each(encoder, files[chosen.sources[0]], runtime, chosen.share))
                print(compared[-1], flush=True)
    write(chosen.out, rows, compared, peaks)


def photos(folder: Path, name: str, source: Source) -> list[Path]:
    """Generated JPEGs with detail at every scale, as photos have; the same ones every time."""
    random = np.random.default_rng(source.width)
    paths = []
    for number in range(source.files):
        total = np.zeros((source.height, source.width, 3), np.float32)
        cell = source.width // 2
        while cell >= 1:
            shape = (source.height // cell + 1, source.width // cell + 1, 3)
            grid = Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8))
            grid = grid.resize((source.width, source.height), Image.Resampling.BILINEAR)
            total += (np.asarray(grid, np.float32) - 128) * (cell / source.width) ** 0.35
            cell //= 2 if cell < 8 else 4
        path = folder / f"{name.replace(' ', '')}-{number:03d}.jpg"
        Image.fromarray(np.clip(total + 128, 0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    print(f"{name}: {source.files} files, {path.stat().st_size / 1000:.0f} kB each", flush=True)
    return paths


def plain_loop(encoder: Encoder, paths: Sequence[Path]) -> None:
    """What a user writes: open, resize, normalise, one image through the network at a time."""
    size, mean, std = encoder.transform.size, encoder.transform.mean, encoder.transform.std
    with torch.no_grad():
        for path in paths:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
            images = (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
            encoder(images[None])


def measured(
    encoder: Encoder,
    name: str,
    files: Sequence[Path],
    rounds: int,
    share: float,
    peaks: dict[str, float],
) -> Row:
    """The plain loop and ours, in alternation."""
    source = SOURCES[name]
    images, count = max(64, int(source.images * share)), max(4, int(source.plain * share))
    paths = [files[number % len(files)] for number in range(images)]
    block = paths[:count]
    plain_loop(encoder, block[:2])  # PyTorch's first calls prepare its kernels
    plain, jobs = [count / seconds(lambda: plain_loop(encoder, block))], []
    for _ in range(rounds):
        jobs.append(job(encoder, paths, "auto"))
        plain.append(count / seconds(lambda: plain_loop(encoder, block)))
    around = [(before + after) / 2 for before, after in pairwise(plain)]
    decode_ms = 1000 * seconds(lambda: decoded(encoder, block)) / count
    gflop = work(encoder)
    cores = torch.get_num_threads()
    return Row(
        network=encoder.backbone.name,
        source=name,
        images=images,
        runtime=jobs[0].runtime,
        plain=statistics.median(plain),
        ours=statistics.median(images / one.total for one in jobs),
        steady=statistics.median(one.steady for one in jobs),
        start_up=statistics.median(one.start_up for one in jobs),
        ratios=[images / one.total / rate for one, rate in zip(jobs, around, strict=True)],
        limit=1 / (gflop / max(peaks.values()) + decode_ms / 1000 / cores),
        limit_exact=1 / (gflop / peaks["float32"] + decode_ms / 1000 / cores),
        gflop=gflop,
        decode_ms=decode_ms,
    )


@dataclass(frozen=True)
class Job:
    """One run of ours: seconds in all, images a second once it runs, seconds until it does."""

    runtime: str
    total: float
    steady: float
    start_up: float


def job(encoder: Encoder, paths: Sequence[Path], runtime: str) -> Job:
    """Encode the files and watch the clock at every batch."""
    begun = time.perf_counter()
    moments, counts, used = [], [], ""
    for batch in encode_batches(encoder, paths, runtime=runtime):
        moments.append(time.perf_counter() - begun)
        counts.append(len(batch.kept))
        used = batch.runtime
    first = min(2 * torch.get_num_threads(), len(moments)) - 1  # lanes are busy from here on
    steady = sum(counts[first + 1 :]) / max(moments[-1] - moments[first], 1e-9)
    if first + 1 >= len(moments):
        steady = sum(counts) / moments[-1]
    return Job(used, moments[-1], steady, max(0.0, moments[-1] - len(paths) / steady))


def each(encoder: Encoder, files: Sequence[Path], runtime: str, share: float) -> dict[str, object]:
    """One runtime by name."""
    paths = [files[number % len(files)] for number in range(max(256, int(480 * share)))]
    done = job(encoder, paths, runtime)
    return {"network": encoder.backbone.name, "images": len(paths), **asdict(done)}


def usable(wanted: Sequence[str] | None) -> list[str]:
    """Runtimes to compare."""
    here = [name for name, text in available_runtimes() if not text.startswith("not here")]
    return [name for name in here if (name in wanted if wanted is not None else name != "compile")]


def decoded(encoder: Encoder, paths: Sequence[Path]) -> None:
    """Files to network input, one after the other."""
    for path in paths:
        encoder.transform.pixels(decode(path, draft_size=encoder.transform.draft_size))


def work(encoder: Encoder) -> float:
    """GFLOP of one image."""
    size = encoder.transform.size
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder.backbone(torch.zeros(1, 3, size, size))
    return float(counter.get_total_flops()) / 1e9


KINDS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def peak(kind: torch.dtype) -> float:
    """GFLOP a second of large matrix products, one on each core at once: the best of several."""
    cores, side = torch.get_num_threads(), 2048
    matrices = [torch.randn(2, side, side).to(kind) for _ in range(cores)]
    best = math.inf
    with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as lanes:
        for _ in range(12):
            run = lambda: list(lanes.map(lambda pair: pair[0] @ pair[1], matrices))  # noqa: E731
            best = min(best, seconds(run))
    torch.set_num_threads(cores)
    return 2 * side**3 * cores / best / 1e9


def seconds(call: Callable[[], object]) -> float:
    """Wall-clock time of a call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def command() -> str:
    """What was typed, without the places of weights."""
    words = [re.sub("=.*/", "=", word) for word in sys.argv[1:]]
    return shlex.join(["python", "benchmarks/speed/encoding.py", *words])


HEADER = (
    "| network | source | images | runtime | plain loop, images/s | ours with start-up | "
    "ratio (least to most) | ours, steady | start-up, s | limit of the machine | limit, float32 |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)


def line(row: Row) -> str:
    """One line of the table."""
    ratio = statistics.median(row.ratios)
    spread = f"{min(row.ratios):.1f} to {max(row.ratios):.1f}"
    return (
        f"| {row.network} | {row.source} | {row.images} | {row.runtime} | {row.plain:.1f} "
        f"| {row.ours:.1f} | **{ratio:.1f}** ({spread}) | {row.steady:.1f} | {row.start_up:.1f} "
        f"| {row.limit:.1f} | {row.limit_exact:.1f} |"
    )


def write(
    out: Path, rows: Sequence[Row], compared: Sequence[dict[str, object]], peaks: dict[str, float]
) -> None:
    """The tables, for people and for programs."""
    facts = provenance()
    works = {row.network: row.gflop for row in rows}
    decoding = {row.source: row.decode_ms for row in rows}
    parts = [
        "# Encoding: JPEG files to unit vectors",
        "\n".join([HEADER, *map(line, rows)]),
        "The limit is the time that a network's arithmetic takes at the largest matrix product's "
        "rate, and decoding and resizing by Pillow, both on every core, with nothing in between. "
        + "Measured: "
        + ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in peaks.items())
        + "; "
        + ", ".join(f"{name} {gflop:.2f} GFLOP" for name, gflop in works.items())
        + "; "
        + ", ".join(f"{name} {ms:.1f} ms on one core" for name, ms in decoding.items())
        + ".",
    ]
    if compared:
        table = ["| network | runtime | images/s, steady | start-up, s |", "|---|---|---|---|"]
        table += [
            f"| {one['network']} | {one['runtime']} | {one['steady']:.1f} | {one['start_up']:.1f} |"
            for one in compared
        ]
        parts.append("\n".join(table))
    parts.append(
        f"Measured {facts['date']} at commit {facts['commit']}: {facts['hardware']}, "
        f"{facts['versions']}.\n\n    {command()}"
    )
    out.with_suffix(".md").write_text("\n\n".join(parts) + "\n")
    plain = {"rows": [asdict(row) for row in rows], "runtimes": list(compared), "peaks": peaks}
    out.with_suffix(".json").write_text(json.dumps({**plain, **facts}, indent=1))
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
