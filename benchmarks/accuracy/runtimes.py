"""What each runtime does to vectors and to Recall@1, on real photos with real weights.

    python benchmarks/accuracy/runtimes.py --data DATA

DATA holds ``birds/`` and ``weights/mobilenet_v2_imagenet.safetensors``. Every runtime that works
here encodes all test photos. Its vectors are compared with those of ``eager``, float32; then every
photo queries all others, once with all vectors from the runtime and once with the queries from
``eager``, as when a single query meets a collection that was encoded in bulk.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.benchmarks import table
from retrieval.encoder import build_encoder
from retrieval.encoding import encode_files
from retrieval.metrics import judge
from retrieval.provenance import provenance
from retrieval.runtimes import EAGER, MIN_COSINE, available_runtimes
from retrieval.statistics import wilson

RESULTS = Path(__file__).resolve().parents[1] / "results"
HEADER = (
    "| pooling | runtime | min cosine | median cosine | Recall@1 | hits/n | 95 % (Wilson) "
    "| queries by eager: hits/n |\n|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Measure, print and write results/runtimes_birds.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with birds/ and weights/")
    parser.add_argument("--poolings", nargs="+", default=["average", "scda"])
    parser.add_argument("--limit", type=int, help="use only so many photos")
    parser.add_argument("--out", type=Path, default=RESULTS / "runtimes_birds")
    chosen = parser.parse_args()
    split = table.read(chosen.data / "birds", query_split="test").query
    paths, targets = split.paths[: chosen.limit], split.targets[: chosen.limit]
    rows = []
    for pooling in chosen.poolings:
        rows += measured(chosen.data, pooling, paths, targets)
    facts = provenance()
    lines = [HEADER, *map(line, rows)]
    text = (
        f"# Runtimes on {len(paths)} bird photos, mobilenet_v2 with ImageNet weights\n\n"
        + "\n".join(lines)
        + f'\n\n"auto" takes a runtime only if the least cosine on a sample exceeds {MIN_COSINE}. '
        "What it took here is marked with a star.\n\n"
        + f"Measured {facts['date']} at commit {facts['commit']}: {facts['hardware']}, "
        f"{facts['versions']}.\n\n    python benchmarks/accuracy/runtimes.py --data DATA\n"
    )
    chosen.out.with_suffix(".md").write_text(text)
    chosen.out.with_suffix(".json").write_text(json.dumps({"rows": rows, **facts}, indent=1))
    print(text)


def measured(
    data: Path, pooling: str, paths: tuple[Path, ...], targets: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """One row for each runtime."""
    weights = data / "weights" / "mobilenet_v2_imagenet.safetensors"
    encoder = build_encoder("mobilenet_v2", pooling, weights=weights)
    automatic = encode_files(encoder, paths).runtime
    reference = encode_files(encoder, paths, runtime=EAGER)
    targets, rows = targets[reference.kept], []
    for name, summary in available_runtimes("cpu"):
        if summary.startswith("not here"):
            print(f"{name}: {summary}")
            continue
        vectors = encode_files(encoder, paths, runtime=name).vectors
        cosines = np.einsum("nd,nd->n", vectors, reference.vectors, dtype=np.float64)
        rows.append(
            {
                "pooling": pooling,
                "runtime": name,
                "auto": name == automatic,
                "min_cosine": float(cosines.min()),
                "median_cosine": float(np.median(cosines)),
                "hits": hits(vectors, vectors, targets),
                "hits_of_eager_queries": hits(reference.vectors, vectors, targets),
                "queries": len(targets),
            }
        )
        print(line(rows[-1]), flush=True)
    return rows


def hits(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], targets: NDArray[np.int64]
) -> int:
    """Queries whose best hit among all other photos is of their class."""
    return int(judge(queries, gallery, targets, targets, same_images=True).found(1).sum())


def line(row: dict[str, Any]) -> str:
    """One line of the table."""
    low, high = wilson(row["hits"], row["queries"])
    return (
        f"| {row['pooling']} | {row['runtime']}{' *' if row['auto'] else ''} "
        f"| {row['min_cosine']:.6f} | {row['median_cosine']:.6f} "
        f"| {100 * row['hits'] / row['queries']:.2f} % | {row['hits']}/{row['queries']} "
        f"| {100 * low:.1f} to {100 * high:.1f} "
        f"| {row['hits_of_eager_queries']}/{row['queries']} |"
    )


if __name__ == "__main__":
    main()
