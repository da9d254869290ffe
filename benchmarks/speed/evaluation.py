"""Evaluation against pytorch-metric-learning's AccuracyCalculator: seconds and memory.

    python benchmarks/speed/evaluation.py --count 60502 --dim 512

Every image queries all others; vectors and classes are generated in the sizes of Stanford Online
Products. Each run is a process of its own that loads the same files; the rivals alternate, and a
round's ratio is between neighbours. Memory is the peak of resident pages above what the process
held once the vectors were loaded and a small run had loaded every library.

- ``ours``: the whole report: Recall@1/2/4/8, R-precision, MAP@R, mAP over the full ranking, ten
  best hits of each query, Wilson and bootstrap intervals.
- ``pml``: precision@1, R-precision, MAP@R, with k="max_bin_count", the least that gives them.
- ``pml_recall``: precision@1 alone, with k=1: the least that it can be asked.

mAP over the full ranking is not asked of pytorch-metric-learning: with k=None it keeps all ranks of
all queries, count x count numbers of 8 bytes several times over.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.provenance import provenance

RESULTS = Path(__file__).resolve().parents[1] / "results"
RIVALS = ("ours", "pml", "pml_recall")
PML_FIGURES = ("precision_at_1", "r_precision", "mean_average_precision_at_r")

Measured = dict[str, Any]


def main() -> None:
    """Measure, print and write results/evaluation.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60_502)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--classes", type=int, help="as many per image as in SOP if left out")
    parser.add_argument("--noise", type=float, default=2.6, help="around the centre of a class")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--limit", type=int, default=3600, help="seconds that a run may take")
    parser.add_argument("--out", type=Path, default=RESULTS / "evaluation")
    parser.add_argument("--run", choices=RIVALS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        print(json.dumps(run(chosen.run, chosen.folder)))
        return
    chosen.classes = chosen.classes or max(2, round(chosen.count * 11_316 / 60_502))
    with tempfile.TemporaryDirectory() as folder:
        write_vectors(Path(folder), chosen.count, chosen.dim, chosen.classes, chosen.noise)
        rounds = []
        for number in range(chosen.rounds):
            order = RIVALS if number % 2 == 0 else RIVALS[::-1]
            rounds.append({name: in_process(name, Path(folder), chosen) for name in order})
            print(rounds[-1], flush=True)
    write(chosen, rounds)


def write_vectors(folder: Path, count: int, dim: int, classes: int, noise: float) -> None:
    """Unit rows around a centre for each class, and their targets; the same ones every time."""
    random = np.random.default_rng(0)
    targets = random.integers(0, classes, count)
    rows = random.standard_normal((classes, dim), np.float32)[targets]
    rows += np.float32(noise) * random.standard_normal((count, dim), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.save(folder / "vectors.npy", rows)
    np.save(folder / "targets.npy", targets)


def in_process(name: str, folder: Path, chosen: argparse.Namespace) -> Measured:
    """What one run measured of itself, in a fresh process."""
    threads = {key: str(chosen.threads) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    command = [sys.executable, __file__, "--run", name, "--folder", str(folder)]
    try:
        process = subprocess.run(
            command,
            env={**os.environ, **threads},
            stdout=subprocess.PIPE,
            text=True,
            timeout=chosen.limit,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {chosen.limit} s"}
    if process.returncode != 0:
        return {"failed": f"ended with {process.returncode}"}  # -9: out of memory
    return dict(json.loads(process.stdout))


def run(name: str, folder: Path) -> Measured:
    """Load, warm up on a thousand rows, then measure."""
    vectors, targets = np.load(folder / "vectors.npy"), np.load(folder / "targets.npy")
    rival = {"ours": ours, "pml": pml, "pml_recall": pml_recall}[name]
    rival(vectors[:1000], targets[:1000] % 50)
    before = resident_after_reset()
    wall, cpu = time.perf_counter(), time.process_time()
    figures = rival(vectors, targets)
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "memory_mb": (status("VmHWM") - before) / 1024,
        "figures": figures,
    }


def ours(vectors: NDArray[np.float32], targets: NDArray[np.int64]) -> dict[str, float]:
    """The whole report."""
    from retrieval.data import Benchmark, Split
    from retrieval.evaluation import report

    images = Split(tuple(Path(str(row)) for row in range(len(vectors))), targets)
    found = report(Benchmark("speed", images, images), vectors, vectors)
    return {score.name: score.value for score in found.scores}


def pml(
    vectors: NDArray[np.float32],
    targets: NDArray[np.int64],
    include: tuple[str, ...] = PML_FIGURES,
    k: str | int = "max_bin_count",
) -> dict[str, float]:
    """What pytorch-metric-learning gives for the figures that both know."""
    import torch
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    calculator = AccuracyCalculator(include=include, k=k, device=torch.device("cpu"))
    found = calculator.get_accuracy(torch.from_numpy(vectors), torch.from_numpy(targets))
    return {name: float(value) for name, value in found.items()}


def pml_recall(vectors: NDArray[np.float32], targets: NDArray[np.int64]) -> dict[str, float]:
    """Its fastest way to Recall@1."""
    return pml(vectors, targets, ("precision_at_1",), 1)


def resident_after_reset() -> int:
    """Resident kB now; the peak counts from here."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def status(name: str) -> int:
    """A line of /proc/self/status, in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise OSError(f"/proc/self/status must have {name}; got none. This needs Linux.")


def write(chosen: argparse.Namespace, rounds: list[dict[str, Measured]]) -> None:
    """The table for people, the numbers for scripts."""
    facts = provenance()
    settings = {name: getattr(chosen, name) for name in ("count", "dim", "classes", "noise")}
    settings["threads"] = chosen.threads
    result = {**facts, "settings": settings, "rounds": rounds}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    text = "\n".join([*heading(chosen, facts), *table(rounds), "", *parity(rounds), ""])
    chosen.out.with_suffix(".md").write_text(text)
    print(text)


def heading(chosen: argparse.Namespace, facts: dict[str, Any]) -> list[str]:
    """What was measured, where and when."""
    hardware, versions = facts["hardware"], facts["versions"]
    return [
        f"# Evaluation, {chosen.count:,} x {chosen.count:,} x {chosen.dim}",
        "",
        f"{chosen.classes:,} classes; {hardware['processor']}, {chosen.threads} threads; "
        f"torch {versions.get('torch')}, numpy {versions.get('numpy')}, faiss-cpu "
        f"{versions.get('faiss-cpu')}; {facts['date'][:10]}, commit {facts['commit']}.",
        "Medians of the rounds; ratios of neighbours in a round, all of them in brackets.",
        "Memory: peak above what the process held with the vectors loaded.",
        "",
        f"    python benchmarks/speed/evaluation.py --count {chosen.count} --dim {chosen.dim} "
        f"--classes {chosen.classes} --noise {chosen.noise} --rounds {chosen.rounds}",
        "",
    ]


def table(rounds: list[dict[str, Measured]]) -> list[str]:
    """One line for each rival."""
    what = {
        "ours": "fgir: whole report with mAP, best hits, intervals",
        "pml": "pytorch-metric-learning: precision@1, R-precision, MAP@R",
        "pml_recall": "pytorch-metric-learning: precision@1 alone, k=1",
    }
    lines = [
        "| | wall s | CPU s | memory MB | CPU time against fgir | wall time against fgir |",
        "|---|---|---|---|---|---|",
    ]
    for name, words in what.items():
        done = [one[name] for one in rounds if "failed" not in one[name]]
        if not done:
            lines.append(f"| {words} | {rounds[0][name]['failed']} | | | | |")
            continue
        cells = [f"{statistics.median(one[key] for one in done):.1f}" for key in ("wall", "cpu")]
        cells.append(f"{max(one['memory_mb'] for one in done):,.0f}")
        cells += [ratios(rounds, name, key) for key in ("cpu", "wall")]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return lines


def ratios(rounds: list[dict[str, Measured]], name: str, key: str) -> str:
    """A rival's time over ours, median and all rounds."""
    pairs = [(one[name], one["ours"]) for one in rounds]
    values = [theirs[key] / own[key] for theirs, own in pairs if "failed" not in theirs | own]
    if not values:
        return ""
    each = ", ".join(f"{value:.2f}" for value in values)
    return f"{statistics.median(values):.2f} ({each})"


def parity(rounds: list[dict[str, Measured]]) -> list[str]:
    """The figures that both give, side by side."""
    first = rounds[0]
    if any("failed" in first[name] for name in ("ours", "pml")):
        return []
    own, theirs = first["ours"]["figures"], first["pml"]["figures"]
    pairs = zip(("Recall@1", "R-precision", "MAP@R"), PML_FIGURES, strict=True)
    return [
        "Figures, fgir / pytorch-metric-learning. Here a wrong answer within 1e-6 of a right one "
        "stands in front of it; there the order of float32 distances decides.",
        "",
    ] + [f"- {name} / {other}: {own[name]:.8f} / {theirs[other]:.8f}" for name, other in pairs]


if __name__ == "__main__":
    main()
