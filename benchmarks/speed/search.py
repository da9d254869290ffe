"""Search in a million vectors: our engines through a collection's door, beside other libraries.

    python -m benchmarks.speed.search --count 1000000 --dim 512 --folder DIR
    python -m benchmarks.speed.search --count 1000000 --dim 512 --folder DIR --rows exact plain_ivf

DIR keeps the vectors, each index that was built and each row that was measured; a row that is there
is not measured again, so that rows can be run one at a time. The tables are of all rows in DIR.

- A row is built in one process and searched in another for each number of threads. The process may
  use as many cores as it has threads.
- The search effort of an approximate index is the least of its ladder whose recall@10 reaches 0.99
  on one half of the queries; recall and times are of the other half.
- ``own_NAME`` is the file NAME of indexer/backends, asked through the view that a collection
  searches. Where it holds an index of FAISS, that index is also asked directly, query by query in
  the same run: the difference is what our layer costs.
- ``limit`` is how fast this machine reads the vectors and multiplies them, beside our exact engine,
  numpy, PyTorch and FAISS, all in turns.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import own_engines
from benchmarks.speed.apart import Calls, Measured, apart, in_batches, one_by_one, timed
from benchmarks.speed.clustered import (
    HITS,
    Positions,
    Rows,
    prepare,
    recall,
    report_half,
    tuning_half,
    vectors_of,
)
from benchmarks.speed.peers import peers
from indexer import backends
from retrieval import plugins
from retrieval.provenance import provenance

RESULTS = Path(__file__).resolve().parents[1] / "results"
WANTED_RECALL = 0.99
BATCH = 256
OWN = "own_"
LIMIT = "limit"


def main() -> None:
    """Measure the rows that are missing; print and write results/search.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=1000, help="half of them choose the effort")
    parser.add_argument("--rows", nargs="+", help="all of them when left out")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--build-threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=20, help="for each measured figure")
    parser.add_argument("--folder", type=Path, help="what is kept between runs")
    parser.add_argument("--note", default="", help="for the reader, such as what else was running")
    parser.add_argument("--out", type=Path, default=RESULTS / "search")
    parser.add_argument("--step", choices=("build", "search"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        step = {"build": build, "search": search}[chosen.step]
        print(json.dumps(step(chosen.rows[0], chosen)))
        return
    names = row_names(chosen.count, chosen.dim)
    for name in chosen.rows or names:
        if name not in names:
            parser.error(plugins.unknown("row", name, names))
    with tempfile.TemporaryDirectory() as passing:
        chosen.folder = (chosen.folder or Path(passing)).absolute()
        prepare(chosen.folder, chosen.count, chosen.dim, chosen.queries)
        (chosen.folder / "index").mkdir(exist_ok=True)
        (chosen.folder / "rows").mkdir(exist_ok=True)
        for name in chosen.rows or names:
            measure(name, chosen)
        write(chosen, names)


def row_names(count: int, dim: int) -> list[str]:
    """Every row that can be measured here."""
    own = [OWN + name for name in plugins.names(backends)]
    return [LIMIT, *own, *peers(count, dim)]


def measure(name: str, chosen: argparse.Namespace) -> None:
    """Build, search with each number of threads, and write what came out."""
    record = chosen.folder / "rows" / f"{name}.json"
    if record.exists():
        return
    found: Measured = {"facts": provenance(), "note": chosen.note, "search": {}}
    if name != LIMIT:
        found["build"] = built(name, chosen)
    for threads in chosen.threads:
        arguments = step("search", name, chosen, threads)
        found["search"][str(threads)] = apart("benchmarks.speed.search", arguments, threads)
    record.write_text(json.dumps(found, indent=1))
    print(name, json.dumps(found["search"])[:300], flush=True)


def built(name: str, chosen: argparse.Namespace) -> Measured:
    """What building cost, now or in an earlier run whose index is still there."""
    kept = chosen.folder / "index" / f"{name}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    threads = chosen.build_threads
    found = apart("benchmarks.speed.search", step("build", name, chosen, threads), threads)
    if "failed" not in found:
        kept.write_text(json.dumps(found))
    return found


def step(what: str, name: str, chosen: argparse.Namespace, threads: int) -> list[str]:
    """The command line of a child."""
    facts = {"rows": name, "threads": threads, "step": what}
    facts |= {key: getattr(chosen, key) for key in ("count", "dim", "folder", "seconds")}
    return [word for key, value in facts.items() for word in (f"--{key}", str(value))]


def build(name: str, chosen: argparse.Namespace) -> Measured:
    """In a child: make the index."""
    path, threads = chosen.folder / "index" / name, chosen.threads[0]
    if name.startswith(OWN):
        vectors = vectors_of(chosen.folder)
        cost = timed(lambda: own_engines.build(name.removeprefix(OWN), vectors, path))
        extra = 4 * chosen.dim  # a collection has the vectors in memory whatever the engine
    else:
        peer = peers(chosen.count, chosen.dim)[name]
        vectors = vectors_of(chosen.folder, mapped=True)
        cost = timed(lambda: peer.build(vectors, path, threads))
        extra = 0
    return {**cost, "threads": threads, "bytes_per_vector": size(path) / chosen.count + extra}


def size(path: Path) -> int:
    """Bytes on the disk of a file or a folder."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(512 * one.stat().st_blocks if path.is_dir() else one.stat().st_size for one in files)


def search(name: str, chosen: argparse.Namespace) -> Measured:
    """In a child: choose the effort, then measure."""
    if name == LIMIT:
        queries, _ = report_half(chosen.folder)
        return times(limits(vectors_of(chosen.folder), chosen), queries, chosen.seconds)
    path, threads = chosen.folder / "index" / name, chosen.threads[0]
    ask: Callable[[Rows, int], Any]
    plain = None
    if name.startswith(OWN):
        engine_name = name.removeprefix(OWN)
        view, engine = own_engines.opened(engine_name, path)
        effort = own_engines.effort_of(engine_name)
        ladder = own_engines.LADDERS.get(effort, ())

        def through_the_view(queries: Rows, value: int) -> object:
            own_engines.with_effort(engine, effort, value)
            return view.search(queries, HITS)

        ask, plain = through_the_view, own_engines.plain(engine)
    else:
        peer = peers(chosen.count, chosen.dim)[name]
        effort, ladder, ask = peer.effort, peer.ladder, peer.open(path, threads)
    value, tuned = tune(ask, ladder, chosen.folder)
    calls: Calls = {"row": lambda queries: ask(queries, value)}
    calls |= {"plain": plain} if plain else {}
    queries, nearest = report_half(chosen.folder)
    found = times(calls, queries, chosen.seconds)
    reached = recall(positions(ask(queries, value)), nearest)
    facts = {"effort": effort, "value": value, "tuned_recall": tuned}
    return {**facts, "recall": reached, "recall_n": len(queries), **found}


def tune(ask: Any, ladder: tuple[int, ...], folder: Path) -> tuple[int, float]:  # noqa: ANN401
    """The least effort that reaches the wanted recall, or the greatest there is; and its recall."""
    queries, nearest = tuning_half(folder)
    value, reached = 0, 0.0
    for value in ladder or (0,):
        reached = recall(positions(ask(queries, value)), nearest)
        if reached >= WANTED_RECALL:
            break
    return value, reached


def positions(answer: Any) -> Positions:  # noqa: ANN401 - of ours or of a library
    """Positions (Q, 10) of an answer."""
    if isinstance(answer, np.ndarray):
        return answer
    return np.array([[int(hit.item.id) for hit in hits] for hits in answer])


def times(calls: Calls, queries: Rows, seconds: float) -> Measured:
    """Single queries and batches of all calls, taking turns."""
    single = one_by_one(calls, queries, seconds)
    calls = {name: call for name, call in calls.items() if not name.startswith("read")}
    return {"single_ms": single, "batch": in_batches(calls, queries, BATCH, seconds)}


def limits(vectors: Rows, chosen: argparse.Namespace) -> Calls:
    """Ways to read or multiply all vectors."""
    import faiss
    import torch

    torch.set_num_threads(chosen.threads[0])
    view, _ = own_engines.opened("exact", chosen.folder / "index" / "own_exact")
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    tensor = torch.from_numpy(vectors)
    chunk = max(1, 2**24 // BATCH)  # 64 MB of scores of a batch

    def by_numpy(queries: Rows) -> list[Any]:
        parts = range(0, len(vectors), chunk)
        scores = (queries @ vectors[start : start + chunk].T for start in parts)
        return [np.argpartition(one, -HITS)[:, -HITS:] for one in scores]

    def by_torch(queries: Rows) -> list[Any]:
        parts = range(0, len(vectors), chunk)
        asked = torch.from_numpy(queries)
        return [torch.topk(asked @ tensor[start : start + chunk].T, HITS) for start in parts]

    return {
        "read by a sum": lambda _: vectors.sum(),
        "read by torch's sum": lambda _: tensor.sum(),
        "read by a product": lambda queries: vectors @ queries[0],
        "own exact": lambda queries: view.search(queries, HITS),
        "faiss": lambda queries: flat.search(queries, HITS),
        "numpy": by_numpy,
        "torch": by_torch,
    }


def write(chosen: argparse.Namespace, names: list[str]) -> None:
    """The tables for people, the numbers for programs."""
    rows = {}
    for name in names:
        record = chosen.folder / "rows" / f"{name}.json"
        if record.exists():
            rows[name] = json.loads(record.read_text())
    settings = json.loads((chosen.folder / "settings.json").read_text())
    result = {**provenance(), "settings": settings, "rows": rows}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    known = peers(chosen.count, chosen.dim)
    words = {
        name: known[name].words if name in known else name.replace(OWN, "ours: ") for name in rows
    }
    parts = [heading(chosen, rows, settings)]
    for threads in map(str, chosen.threads):
        parts.append(f"## {threads} thread{'s' * (threads != '1')}")
        parts.append(table(rows, words, threads))
        parts += [text for text in (layer(rows, words, threads), limit(rows, threads)) if text]
    text = "\n\n".join(parts) + "\n"
    chosen.out.with_suffix(".md").write_text(text)
    print(text)


def heading(chosen: argparse.Namespace, rows: dict[str, Measured], settings: Measured) -> str:
    """What was measured, where and when."""
    places = {
        (row["facts"]["hardware"]["processor"], row["facts"]["date"][:10], row["facts"]["commit"])
        for row in rows.values()
    }
    notes = sorted({row["note"] for row in rows.values() if row["note"]})
    options = [
        "OUT" if before == "--out" else word for before, word in pairwise(["", *sys.argv[1:]])
    ]
    options = ["DIR" if before == "--folder" else word for before, word in pairwise(["", *options])]
    lines = [
        f"# Search in {settings['count']:,} vectors of {settings['dim']} dimensions",
        "",
        "; ".join(f"{where}, {when}, commit {what}" for where, when, what in sorted(places)) + ".",
        "Single queries: median / 95th percentile. Effort: the least of a ladder whose recall@10 "
        f"reaches {WANTED_RECALL} on half of the {settings['queries']:,} queries; all figures are "
        "of the other half. Bytes of our rows hold the collection's own vectors. Memory: the peak "
        "of what the process asked for; pages of files are not counted.",
        *notes,
        "",
        f"    python -m benchmarks.speed.search {' '.join(options)}",
    ]
    return "\n".join(lines)


def table(rows: dict[str, Measured], words: dict[str, str], threads: str) -> str:
    """One line for each row."""
    lines = [
        "| index | effort | recall@10 | ms a query alone | queries/s in batches of 256 "
        "| build CPU s / wall s | bytes/vector | memory MB: build / search |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        found = row["search"].get(threads)
        if name == LIMIT or found is None:
            continue
        made = row["build"]
        if "failed" in found or "failed" in made:
            why = made.get("failed") or found.get("failed")
            lines.append(f"| {words[name]} | {why} | | | | | | |")
            continue
        effort = f"{found['effort']} {found['value']}" if found["effort"] else ""
        cells = [
            effort,
            f"{found['recall']:.4f} (n {found['recall_n']})",
            spread(found["single_ms"]["row"]),
            f"{1000 / statistics.median(found['batch']['row']['wall_ms']):,.0f}",
            f"{made['cpu_s']:,.1f} / {made['wall_s']:,.1f}",
            f"{made['bytes_per_vector']:,.0f}",
            f"{made['memory_mb']:,} / {found['memory_mb']:,}",
        ]
        lines.append(f"| {words[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def layer(rows: dict[str, Measured], words: dict[str, str], threads: str) -> str:
    """What our layer adds to the library's own search in the same index."""
    lines = []
    for name, row in rows.items():
        found = row["search"].get(threads, {})
        if name == LIMIT or "plain" not in found.get("single_ms", {}):
            continue
        single, batch = found["single_ms"], found["batch"]
        pairs = zip(single["row"], single["plain"], strict=True)
        extra = statistics.median(1000 * (mine - plain) for mine, plain in pairs)
        ratios = [
            statistics.median(
                mine / plain
                for mine, plain in zip(batch["row"][key], batch["plain"][key], strict=True)
            )
            for key in ("wall_ms", "cpu_ms")
        ]
        lines.append(
            f"| {words[name]} | {extra:,.0f} | {spread(single['plain'])} "
            f"| {ratios[0]:.3f} | {ratios[1]:.3f} |"
        )
    if not lines:
        return ""
    head = "| our layer over the same index | microseconds more, alone | ms of the index alone "
    head += "| batch of 256: wall ratio | CPU ratio |\n|---|---|---|---|---|\n"
    return head + "\n".join(lines)


def limit(rows: dict[str, Measured], threads: str) -> str:
    """Exact search beside what the machine can do."""
    found = rows.get(LIMIT, {}).get("search", {}).get(threads, {})
    if "single_ms" not in found:
        return ""
    single, batch = found["single_ms"], found["batch"]
    reading = min(min(took) for name, took in single.items() if name.startswith("read"))
    lines = [
        "| exact search | ms alone | share of the read bandwidth, best / median "
        "| ms a query in batches of 256 | CPU ms | batch time over ours |",
        "|---|---|---|---|---|---|",
    ]
    for name, took in single.items():
        shares = f"{reading / min(took):.0%} / {reading / statistics.median(took):.0%}"
        cells = ["", "", ""]
        if name in batch:
            mine = zip(batch[name]["wall_ms"], batch["own exact"]["wall_ms"], strict=True)
            cells = [
                f"{statistics.median(batch[name]['wall_ms']):.2f}",
                f"{statistics.median(batch[name]['cpu_ms']):.2f}",
                f"{statistics.median(one / own for one, own in mine):.2f}",
            ]
        lines.append(f"| {name} | {spread(took)} | {shares} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(took: list[float]) -> str:
    """Median and 95th percentile."""
    return f"{statistics.median(took):.3g} / {np.percentile(took, 95):.3g}"


if __name__ == "__main__":
    main()
