"""Opening a large collection: what is compared, what is left after that, and the first answer.

    python benchmarks/speed/opening.py --count 100000 --dim 512

Clustered unit vectors are added through the public interface in batches of 10,000, the writer
closes, and a process of its own opens the collection and asks ten questions. The peer, in the same
run and also in a process of its own, is `faiss.read_index` of a flat index of the same vectors: it
compares no byte, keeps no text and knows no generation. "Comparing" is the time in which opening
hashed files (read back from the kernel's memory); the rest of the opening comes after it. "Row by
row" is the same collection without its mapped files, as after a kill. Peaks are resident memory,
mapped pages included; "private" is what is not shared with the kernel's own copy of the files.
"""

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer import contents, opening
from indexer.collection import Item
from indexer.disk import DiskCollection
from retrieval.provenance import provenance

RESULTS = Path(__file__).resolve().parents[1] / "results"
FINGERPRINT = "0" * 64
BATCH = 10_000
QUESTIONS, HITS = 10, 10

Facts = dict[str, Any]
_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def main() -> None:
    """Measure, print and write results/opening.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where to work; the system's place if left out")
    parser.add_argument("--note", default="", help="for the reader, such as what else was running")
    parser.add_argument("--out", type=Path, default=RESULTS / "opening")
    parser.add_argument("--run", choices=STAGES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        print(json.dumps(STAGES[chosen.run](chosen.folder, chosen.count, chosen.dim)))
        return
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        found = {stage: apart(stage, Path(folder), chosen) for stage in STAGES}
    write(chosen.out, found, chosen)


def apart(stage: str, folder: Path, chosen: argparse.Namespace) -> Facts:
    """Measure a stage in a process of its own."""
    done = subprocess.run(
        [
            *(sys.executable, __file__, "--run", stage, "--folder", str(folder)),
            *("--count", str(chosen.count), "--dim", str(chosen.dim)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    facts: Facts = json.loads(done.stdout.splitlines()[-1])
    return facts


def built(folder: Path, count: int, dim: int) -> Facts:
    """Make the collection."""
    start = time.perf_counter()
    collection = DiskCollection.create(folder / "c", dim=dim, fingerprint=FINGERPRINT)
    for first, vectors in batches(count, dim):
        items = [item(number) for number in range(first, first + len(vectors))]
        collection.add(vectors, items, fingerprint=FINGERPRINT)
    added = time.perf_counter() - start
    collection.close()
    files = {path.name: path.stat().st_size for path in (folder / "c").rglob("*") if path.is_file()}
    closing = time.perf_counter() - start - added
    return {"adding": added, "closing": closing, "bytes": files} | memory()


def mapped(folder: Path, count: int, dim: int) -> Facts:
    """Open what was closed in order, and ask."""
    clock = Clock()
    opening.sha256_of_file = clock.timed(opening.sha256_of_file)  # type: ignore[attr-defined]
    contents.file_digest = clock.timed(contents.file_digest)  # type: ignore[attr-defined]
    start = time.perf_counter()
    with DiskCollection.open(folder / "c") as collection:
        whole = time.perf_counter() - start
        if collection.notices:
            raise SystemExit(f"the files must be mapped; got {collection.notices}")
        comparing = clock.seconds()
        facts = {"comparing": comparing, "opening": whole - comparing}
        return facts | asked(collection, count, dim)


def row_by_row(folder: Path, count: int, dim: int) -> Facts:
    """Open without the mapped files, and ask."""
    (folder / "c" / "cache").rename(folder / "away")
    start = time.perf_counter()
    with DiskCollection.open(folder / "c") as collection:
        facts = {"opening": time.perf_counter() - start} | asked(collection, count, dim)
    (folder / "away").rename(folder / "c" / "cache")
    return facts


def plain_made(folder: Path, count: int, dim: int) -> Facts:
    """Make the peer's file."""
    start = time.perf_counter()
    index = faiss.IndexFlatIP(dim)
    for _, vectors in batches(count, dim):
        index.add(vectors)
    faiss.write_index(index, str(folder / "flat.faiss"))
    size = (folder / "flat.faiss").stat().st_size
    return {"adding": time.perf_counter() - start, "bytes": {"flat.faiss": size}}


def plain(folder: Path, count: int, dim: int) -> Facts:
    """Read the peer's file, and ask."""
    start = time.perf_counter()
    index = faiss.read_index(str(folder / "flat.faiss"))
    seconds = time.perf_counter() - start

    def search(query: NDArray[np.float32]) -> list[str]:
        _, positions = index.search(query, HITS)
        return [item(position).id for position in positions[0].tolist()]

    return {"opening": seconds} | answers(search, count, dim)


STAGES: dict[str, Callable[[Path, int, int], Facts]] = {
    "built": built,
    "mapped": mapped,
    "row_by_row": row_by_row,
    "plain_made": plain_made,
    "plain": plain,
}


class Clock:
    """The time in which at least one of the timed functions was at work."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []

    def timed(self, function: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
        """The same function, noted."""

        def call(*given: _Given.args, **named: _Given.kwargs) -> _Made:
            start = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                self._spans.append((start, time.perf_counter()))

        return call

    def seconds(self) -> float:
        """Without counting a moment twice."""
        total, end = 0.0, 0.0
        for start, stop in sorted(self._spans):
            total += max(0.0, stop - max(start, end))
            end = max(end, stop)
        return total


def asked(collection: DiskCollection, count: int, dim: int) -> Facts:
    """The first answers of a collection."""

    def search(query: NDArray[np.float32]) -> list[str]:
        (hits,) = collection.search(query, HITS, fingerprint=FINGERPRINT)
        return [hit.item.id for hit in hits]

    return answers(search, count, dim)


def answers(search: Callable[[NDArray[np.float32]], list[str]], count: int, dim: int) -> Facts:
    """Seconds of the first answer and of the middle one of the others, and all of them."""
    _, vectors = next(batches(QUESTIONS, dim, seed=1))
    seconds, found = [], []
    for query in vectors:
        start = time.perf_counter()
        found.append(search(query[None]))
        seconds.append(time.perf_counter() - start)
    facts = {"first": seconds[0], "next": float(np.median(seconds[1:])), "found": found}
    return facts | memory()


def batches(count: int, dim: int, seed: int = 0) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Unit rows around a thousand centres, the same ones every time: first number and rows."""
    centres = np.random.default_rng(9).standard_normal((1_000, dim), np.float32)
    for first in range(0, count, BATCH):
        random = np.random.default_rng([seed, first])
        size = min(BATCH, count - first)
        rows = centres[random.integers(0, len(centres), size)]
        rows = rows + np.float32(0.5) * random.standard_normal((size, dim), np.float32)
        yield first, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def item(number: int) -> Item:
    """What is known of a photo."""
    path = f"photos/{number // 1_000:04d}/{number:07d}.jpg"
    return Item(f"photo-{number:07d}", path, f"class {number % 1_000}", {"price": number % 97})


def memory() -> Facts:
    """Bytes of resident memory at its peak, and of private memory now."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    status = Path("/proc/self/status").read_text(encoding="ascii")
    private = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return {"peak": peak, "private": int(private.split()[1]) * 1024}


def write(out: Path, found: dict[str, Facts], chosen: argparse.Namespace) -> None:
    """The tables, for people and for programs."""
    made, ours, rows, peer = (found[name] for name in ("built", "mapped", "row_by_row", "plain"))
    same = sum(set(a) == set(b) for a, b in zip(ours.pop("found"), peer.pop("found"), strict=True))
    rows.pop("found")
    facts = provenance()
    ways = [
        "| way | comparing, s | opening after it, s | first answer, s | the next ones, ms "
        "| peak, MB | private, MB |",
        "|---|---|---|---|---|---|---|",
        _way("**mapped**", ours),
        _way("row by row", rows),
        _way("`faiss.read_index`, nothing compared", peer),
    ]
    sizes = ["| file | bytes an item |", "|---|---|"]
    every = made["bytes"] | found["plain_made"]["bytes"]
    sizes += [
        f"| {name} | {size / chosen.count:,.1f} |"
        for name, size in sorted(every.items(), key=lambda one: -one[1])
        if size > chosen.count
    ]
    words = ["python", "benchmarks/speed/opening.py", *sys.argv[1:]]
    words = [
        {"--out": "OUT", "--folder": "FOLDER"}.get(before, word)
        for before, word in pairwise(["", *words])
    ]
    parts = [
        f"# Opening {chosen.count:,} vectors of {chosen.dim} numbers",
        "\n".join(ways),
        f"The collection was made in {made['adding']:.1f} s of adding, {BATCH:,} items at a time, "
        f"and {made['closing']:.1f} s of closing (every row compared, mapped files and seal "
        f"written), in {made['peak'] / 1e6:,.0f} MB at its peak. FAISS found the same {HITS} "
        f"photos for {same} of {QUESTIONS} questions.",
        "\n".join(sizes),
        *([chosen.note] if chosen.note else []),
        f"Measured {facts['date']} at commit {facts['commit']}: {facts['hardware']}, "
        f"OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}, {facts['versions']}."
        f"\n\n    {shlex.join(words)}",
    ]
    out.with_suffix(".md").write_text("\n\n".join(parts) + "\n")
    figures = {"count": chosen.count, "dim": chosen.dim, "same_hits": same}
    out.with_suffix(".json").write_text(json.dumps(figures | found | facts, indent=1) + "\n")
    print("\n\n".join(parts))


def _way(name: str, facts: Facts) -> str:
    comparing = f"{facts['comparing']:.2f}" if "comparing" in facts else ""
    seconds = f"{comparing} | {facts['opening']:.2f} | {facts['first']:.2f}"
    megabytes = f"{facts['peak'] / 1e6:,.0f} | {facts['private'] / 1e6:,.0f}"
    return f"| {name} | {seconds} | {facts['next'] * 1e3:.1f} | {megabytes} |"


if __name__ == "__main__":
    main()
