"""Every loss at one small equal budget, judged on training classes that were held out.

Only the last four of mobilenet_v2's nineteen layers are trained, on maps that are computed once, so
that a row costs about a minute. Each loss has the settings of its paper, which are its defaults
here; everything else is the same for all. The test part is not touched. A row whose run is over is
not run again, and several processes may share the rows out among them:

    python benchmarks/accuracy/losses.py --data DATA --set birds [--part 1/2]
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from retrieval.provenance import provenance
from retrieval.statistics import wilson
from train.config import read_recipe
from train.trainer import resume, train

RESULTS = Path(__file__).resolve().parents[1] / "results"

ROWS: dict[str, list[str]] = {
    "contrastive": [],
    "triplet": [],
    "triplet, semi-hard": ["loss.name=triplet", "loss.triplets=semi_hard"],
    "triplet, easy positive": ["loss.name=triplet", "loss.triplets=easy_positive"],
    "multi_similarity": [],
    "circle": [],
    "smooth_ap": [],
    "fast_ap": [],
    "xbm": [],
    "proxy_anchor": [],
    "proxy_nca": [],
    "soft_triple": [],
    "arcface": [],
    "normalised_softmax": [],
    "center": [],
    "pce_style": [],
    "triplet_softmax": [],
    "crl": [],
    "dgcrl": [],
    "dgcrl, Gram-Schmidt": ["loss.name=dgcrl", "loss.decorrelate=gram_schmidt"],
}

BUDGET = (
    "optimizer.frozen_layers=15",
    "run.cached_views=2",
    "run.threads=1",
    "schedule.epochs=4",
    "validation_share=0.2",
)


def main() -> None:
    """Run the rows that are missing, then write the table of all that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with birds/ and grocery/")
    parser.add_argument("--set", choices=("birds", "grocery"), required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/losses"))
    parser.add_argument("--part", default="1/1", help="2/3: every third row from the second on")
    chosen = parser.parse_args()
    number, count = (int(word) for word in chosen.part.split("/"))
    runs = chosen.runs / chosen.set
    for row in list(ROWS)[number - 1 :: count]:
        _run(row, chosen.data, chosen.set, runs)
    _write(chosen.set, runs)


def _run(row: str, data: Path, name: str, runs: Path) -> None:
    out = runs / _folder(row)
    if (out / "result.json").exists():
        return
    print(row, flush=True)
    if (out / "config.json").exists():
        resume(out, on_epoch=_say)
        return
    settings = [
        f"benchmark.root={data / name}",
        f"encoder.weights={data / 'weights' / 'mobilenet_v2_imagenet.safetensors'}",
        f"run.maps_folder={runs / 'maps'}",
        f"loss.name={row}",
        *BUDGET,
        *ROWS[row],
    ]
    train(read_recipe("two_cores", settings), out, on_epoch=_say)


def _say(report: object) -> None:
    print(report, flush=True)


def _write(name: str, runs: Path) -> None:
    rows: dict[str, dict[str, Any]] = {}
    frozen: dict[str, Any] = {}
    for row in ROWS:
        out = runs / _folder(row)
        if not (out / "result.json").exists():
            continue
        epochs = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        best = max(epochs[1:], key=lambda line: line["map_at_r"])
        frozen = epochs[0]
        rows[row] = {key: best[key] for key in ("epoch", "hits", "queries", "map_at_r")} | {
            "seconds": round(sum(line["seconds"] for line in epochs[1:])),
            "curve": [[line["hits"], round(line["map_at_r"], 4)] for line in epochs],
        }
    if not rows:
        return
    ranked = sorted(rows, key=lambda row: -rows[row]["map_at_r"])
    lines = [f"| frozen | {frozen['map_at_r']:.1%} | {_share(frozen)} | 0 | |"]
    lines += [
        f"| {row} | {rows[row]['map_at_r']:.1%} | {_share(rows[row])} | {rows[row]['epoch']} | "
        f"{rows[row]['seconds']} |"
        for row in ranked
    ]
    run = provenance()
    hardware = ", ".join(f"{key} {value}" for key, value in run["hardware"].items())
    text = [
        f"# Losses on {name}: held-out training classes",
        "",
        "Recall@1 of every validation photo among the others, 95 % Wilson interval; the last four",
        "layers of mobilenet_v2 trained for four epochs, settings of the papers. For choosing, not",
        "for reporting: the best of twenty rows is partly the luckiest. So few classes leave",
        "Recall@1 little room, so epochs are chosen and rows are ordered by MAP@R.",
        "",
        "| loss | MAP@R | Recall@1 | best epoch | seconds |",
        "|---|---|---|---|---|",
        *lines,
        "",
        f"`python benchmarks/accuracy/losses.py --data DATA --set {name}`; everything but the",
        f"loss: recipe two_cores with {' '.join(BUDGET)}.",
        "",
        f"![MAP@R by epoch](losses_{name}.svg)",
        "",
        f"Measured {run['date']} at commit {run['commit']}: {hardware}.",
        "",
    ]
    RESULTS.mkdir(exist_ok=True)
    unfinished = RESULTS / f".losses_{name}.{os.getpid()}"
    unfinished.write_text("\n".join(text))
    unfinished.replace(RESULTS / f"losses_{name}.md")
    (RESULTS / f"losses_{name}.json").write_text(
        json.dumps({"rows": rows, "run": run}, indent=1) + "\n"
    )
    _plot(rows, name)
    print("\n".join(text))


def _plot(rows: dict[str, dict[str, Any]], name: str) -> None:
    """MAP@R by epoch, the names in the order in which the lines end."""
    figure, axes = plt.subplots(figsize=(9, 6), layout="constrained")
    ranked = sorted(rows, key=lambda row: -rows[row]["curve"][-1][1])
    for place, row in enumerate(ranked):
        values = [100 * map_at_r for _, map_at_r in rows[row]["curve"]]
        style = ("-", "--", ":")[place // 7 % 3]
        axes.plot(values, style, color=f"C{place % 7}", label=f"{values[-1]:.1f}  {row}")
    axes.set_title(f"{name}: MAP@R of held-out training classes, percent")
    axes.set_xlabel("epoch")
    axes.set_xticks(range(len(rows[ranked[0]]["curve"])))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right center", frameon=False)
    figure.savefig(RESULTS / f"losses_{name}.svg", metadata={"Date": None})


def _share(found: dict[str, Any]) -> str:
    hits, queries = found["hits"], found["queries"]
    low, high = wilson(hits, queries)
    return f"{hits / queries:.1%} ({hits}/{queries}) [{low:.1%}, {high:.1%}]"


def _folder(row: str) -> str:
    return row.replace(", ", "-").replace(" ", "-").lower()


if __name__ == "__main__":
    main()
