"""What each head costs on a 7 x 7 x 1280 map: parameters, GFLOPs, milliseconds, peak memory.

    python benchmarks/speed/heads.py --classes 200

One process each, so that the peak is of this head alone. Parameters are all that the head learns,
its pooling's included. GFLOPs are of one picture forward, two for a multiplication and its
addition: matrix products and convolutions as torch's flop counter meets them; beside them, by
formula, 2.5 d log2 d for each Fourier transform of d real numbers and 9 n^3 for the eigenvalues and
vectors of an n x n matrix, which it does not count. Milliseconds are the median of repeated steps
forward and backward of a batch, over its pictures. Memory is the most the process held more than
before the head was made (the maximum resident set), weights, gradients and a batch included.
"""

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from retrieval import heads, plugins
from retrieval.classifier import build_head
from retrieval.provenance import provenance

RESULTS = Path(__file__).resolve().parents[1] / "results"
CHANNELS, SIDE = (96, 1280), 7
"""Of mobilenet_v2 at 224 pixels; the early map has twice the side."""


def main() -> None:
    """Measure every head and write a table."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--classes", type=int, default=200)
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--one", help="measure this head in this process and print it as JSON")
    given = options.parse_args()
    if given.one:
        print(json.dumps(measured(given.one, given.classes, given.batch, given.repeats)))
        return
    rows = []
    for name in plugins.names(heads):
        words = [sys.executable, __file__, "--one", name, "--classes", str(given.classes)]
        words += ["--batch", str(given.batch), "--repeats", str(given.repeats)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        rows.append(json.loads(lines[-1]) if done.returncode == 0 else {"head": name})
        print(line(rows[-1]), flush=True)
    record = {"settings": vars(given), "heads": rows, **provenance()}
    (RESULTS / "heads.json").write_text(json.dumps(record, indent=2) + "\n")


def measured(name: str, classes: int, batch: int, repeats: int) -> dict[str, object]:
    """The costs of one head, in this process."""
    before = peak()
    head = build_head({"name": name}, CHANNELS, classes).train()
    last = torch.rand(batch, CHANNELS[1], SIDE, SIDE).requires_grad_()
    early = torch.rand(batch, CHANNELS[0], 2 * SIDE, 2 * SIDE)
    targets = torch.arange(batch) % classes
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        head(last, early)
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        torch.nn.functional.cross_entropy(head(last, early), targets).backward()
        seconds.append(time.perf_counter() - started)
    return {
        "head": name,
        "parameters": sum(one.numel() for one in head.parameters() if one.requires_grad),
        "dim": head.pooling.out_dim(CHANNELS),
        "gflops": (counter.get_total_flops() / batch + uncounted(head)) / 1e9,
        "ms_per_image": 1000 * statistics.median(seconds[1:]) / batch,
        "peak_mib": peak() - before,
    }


def uncounted(head: torch.nn.Module) -> float:
    """Of one picture: Fourier transforms and eigenvalues, by formula."""
    settings = head.settings()
    transforms = {"compact_bilinear": 2 * SIDE**2 + 1, "kernel_pooling": 4 * SIDE**2 + 3}
    if settings["name"] in transforms:
        dim = settings["dim"]
        return transforms[settings["name"]] * 2.5 * dim * math.log2(dim)
    sides = {"improved_bilinear": 0, "g2denet": 1}
    if settings["name"] in sides:
        return 9.0 * float((settings["reduced"] + sides[settings["name"]]) ** 3)
    return 0.0


def peak() -> float:
    """Most memory this process has held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def line(row: dict[str, object]) -> str:
    """One row of the table."""
    if len(row) == 1:
        return f"| {row['head']} | did not fit |"
    return (
        f"| {row['head']} | {row['dim']:,} | {row['parameters']:,} | {row['gflops']:.3f} "
        f"| {row['ms_per_image']:.1f} | {row['peak_mib']:.0f} |"
    )


if __name__ == "__main__":
    main()
