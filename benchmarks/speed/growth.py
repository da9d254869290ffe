"""How engines grow: build time, latency and memory from ten thousand to ten million vectors.

    python -m benchmarks.speed.growth --folder DIR
    python -m benchmarks.speed.growth --folder DIR --engines exact faiss_flat --sizes 10000 100000

Each engine of each size is a process of its own, asked as a collection on disk asks it. DIR keeps
the vectors and one JSON for each engine and size; what is there is not measured again. The plot is
of all that is in DIR.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.speed import own_engines
from benchmarks.speed.apart import Measured, apart, in_batches, one_by_one, timed
from benchmarks.speed.clustered import HITS, prepare, recall, report_half, vectors_of
from indexer import backends
from retrieval import plugins
from retrieval.provenance import provenance

RESULTS = Path(__file__).resolve().parents[1] / "results"
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
BATCH = 256
SHOWN = {
    "build_s": "preparing the engine, CPU s",
    "single_ms": "one query, ms",
    "batch_ms": "a query in batches of 256, ms",
    "memory_mb": "memory of the process, MB",
}


def main() -> None:
    """Measure what is missing; print and write results/growth.md, .json and .svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="+", help="files of indexer/backends; all if left out")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10, help="for each measured figure")
    parser.add_argument("--folder", type=Path, help="what is kept between runs")
    parser.add_argument("--note", default="", help="for the reader, such as what else was running")
    parser.add_argument("--out", type=Path, default=RESULTS / "growth")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        print(json.dumps(run(chosen.run, chosen.folder, chosen.seconds)))
        return
    known = plugins.names(backends)
    for engine in chosen.engines or known:
        if engine not in known:
            parser.error(plugins.unknown("engine", engine, known))
    with tempfile.TemporaryDirectory() as passing:
        folder = (chosen.folder or Path(passing)).absolute()
        for size in sorted(chosen.sizes):
            for engine in chosen.engines or known:
                measure(engine, size, folder, chosen)
        write(folder, chosen)


def measure(engine: str, size: int, folder: Path, chosen: argparse.Namespace) -> None:
    """One engine at one size, unless it is there."""
    record = folder / f"{engine}_{size}.json"
    if record.exists():
        return
    vectors = folder / f"vectors_{size}"
    prepare(vectors, size, chosen.dim, chosen.queries)
    (vectors / "index").mkdir(exist_ok=True)
    arguments = ["--run", engine, "--folder", str(vectors), "--seconds", str(chosen.seconds)]
    found = apart("benchmarks.speed.growth", arguments, chosen.threads)
    facts = {"engine": engine, "size": size, "dim": chosen.dim, "threads": chosen.threads}
    record.write_text(json.dumps({**facts, **found, **provenance(), "note": chosen.note}, indent=1))
    print(engine, size, json.dumps(found), flush=True)


def run(engine: str, folder: Path, seconds: float) -> Measured:
    """In a child: prepare, then ask one by one and in batches, with the engine's own settings."""
    path = folder / "index" / engine
    cost = timed(lambda: own_engines.build(engine, vectors_of(folder), path))
    view, _ = own_engines.opened(engine, path)
    path.unlink()
    calls: dict[str, Any] = {"row": lambda queries: view.search(queries, HITS)}
    queries, nearest = report_half(folder)
    single = one_by_one(calls, queries, seconds)["row"]
    batch = in_batches(calls, queries, BATCH, seconds)["row"]
    found = [[int(hit.item.id) for hit in hits] for hits in view.search(queries, HITS)]
    return {
        "build_s": cost["cpu_s"],
        "build_wall_s": cost["wall_s"],
        "single_ms": statistics.median(single),
        "single_p95_ms": float(np.percentile(single, 95)),
        "batch_ms": statistics.median(batch["wall_ms"]),
        "batch_cpu_ms": statistics.median(batch["cpu_ms"]),
        "recall": recall(np.array(found), nearest),
        "recall_n": len(queries),
    }


def write(folder: Path, chosen: argparse.Namespace) -> None:
    """The table and the plot for people, the numbers for programs."""
    rows = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    rows.sort(key=lambda row: (row["engine"], row["size"]))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
    lines = [
        "# How engines grow",
        "",
        "Each with its own settings, through a collection's view. Preparing includes what a "
        "collection keeps of it. Memory: the peak of what the process asked for, with the vectors, "
        "the rows, and twice the engine where it is kept and read again.",
        *sorted({row["note"] for row in rows if row["note"]}),
        "",
        f"![growth]({chosen.out.name}.svg)",
        "",
        "| engine | vectors | dim | threads | build CPU s / wall s | ms a query: median / 95th "
        "percentile | ms a query in batches of 256 | memory MB | recall@10 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        start = f"| {row['engine']} | {row['size']:,} | {row['dim']} | {row['threads']} |"
        if "failed" in row:
            lines.append(f"{start} {row['failed']} | | | | |")
            continue
        lines.append(
            f"{start} {row['build_s']:.2f} / {row['build_wall_s']:.2f} "
            f"| {row['single_ms']:.3g} / {row['single_p95_ms']:.3g} | {row['batch_ms']:.3g} "
            f"| {row['memory_mb']:,} | {row['recall']:.4f} (n {row['recall_n']}) |"
        )
    places = {(row["hardware"]["processor"], row["date"][:10], str(row["commit"])) for row in rows}
    lines += ["", *(", ".join(place) for place in sorted(places))]
    text = "\n".join(lines) + "\n"
    chosen.out.with_suffix(".md").write_text(text)
    plot([row for row in rows if "failed" not in row], chosen.out.with_suffix(".svg"))
    print(text)


def plot(rows: list[Measured], path: Path) -> None:
    """Each figure over the number of vectors, both axes logarithmic."""
    figure, grid = plt.subplots(2, 2, figsize=(9, 7), sharex=True, layout="constrained")
    for axes, (key, words) in zip(grid.flat, SHOWN.items(), strict=True):
        for engine in sorted({row["engine"] for row in rows}):
            points = [(row["size"], row[key]) for row in rows if row["engine"] == engine]
            axes.plot(*zip(*points, strict=True), marker="o", label=engine)
        axes.set(xscale="log", yscale="log", title=words)
        axes.grid(alpha=0.3)
    for axes in grid[-1]:
        axes.set_xlabel("vectors")
    grid[0, 0].legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
