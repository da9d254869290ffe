"""How soon a drawing finds its chair: learned from whole drawings, and from unfinished ones too.

    python benchmarks/accuracy/unfinished.py --data DATA

The data are the training part of ChairV2: a fifth of its photos, with all their sketches, is held
out and searched; the rest is learned from. A row whose report is kept is not measured again; one
that was stopped goes on. Several processes may share the rows out: --part 1/2.
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt

from retrieval.encoder_folders import open_encoder
from retrieval.on_the_fly import on_the_fly
from retrieval.on_the_fly_report import OnTheFlyReport
from train.config import read_recipe
from train.data import read_benchmark
from train.trainer import resume, train

RESULTS = Path(__file__).resolve().parents[1] / "results"
ROWS = {
    "whole drawings": ["pairs.least_share=1"],
    "unfinished drawings too": ["pairs.least_share=0.2"],
}


def main() -> None:
    """Train and measure the rows that are missing, then write table and plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with chairv2-train/")
    parser.add_argument("--runs", type=Path, default=Path("runs/unfinished"))
    parser.add_argument("--part", default="1/1", help="2/2: the second row only")
    chosen = parser.parse_args()
    number, count = (int(word) for word in chosen.part.split("/"))
    shared = [
        f"encoder.weights={chosen.data / 'weights' / 'mobilenet_v2_imagenet.safetensors'}",
        "benchmark.name=pairs",
        f"benchmark.root={chosen.data / 'chairv2-train'}",
        "benchmark.holdout=0.2",
        "validation_share=0",
        "schedule.epochs=8",
    ]
    for row in list(ROWS)[number - 1 :: count]:
        out = chosen.runs / row.replace(" ", "_")
        if (out / "on_the_fly.json").exists():
            continue
        print(f"== {row}", flush=True)
        config = read_recipe("sketches", [*shared, *ROWS[row]])
        if not (out / "result.json").exists():
            if (out / "config.json").exists():
                resume(out, on_epoch=_say)
            else:
                train(config, out, on_epoch=_say)
        report = on_the_fly(open_encoder(out / "best"), read_benchmark(config))
        report.save(out / "on_the_fly.json")
        print(report, flush=True)
    _write(chosen.runs)


def _write(runs: Path) -> None:
    reports = {
        row: OnTheFlyReport.load(file)
        for row in ROWS
        if (file := runs / row.replace(" ", "_") / "on_the_fly.json").exists()
    }
    names = [score.name for score in next(iter(reports.values())).scores]
    lines = ["| learned from | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for row, report in reports.items():
        cells = []
        for score in report.scores:
            low, high = score.clustered or score.interval or (0.0, 0.0)
            cells.append(f"**{100 * score.value:.1f}** [{100 * low:.1f}-{100 * high:.1f}]")
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    sentences = [f"- {row}: {report.strokes_sentence()}" for row, report in reports.items()]
    run = next(iter(reports.values())).run
    hardware = ", ".join(f"{fact} {value}" for fact, value in run["hardware"].items())
    text = [
        "# Unfinished drawings of chairs",
        "",
        "Photos of ChairV2's training part that were held out, searched by their drawings at 20",
        "shares of the pen's way. Percent; [95 % bootstrap interval over photos].",
        "",
        *lines,
        "",
        *sentences,
        "",
        "![rank against share drawn](unfinished_chairs.svg)",
        "",
        "`python benchmarks/accuracy/unfinished.py --data DATA`",
        "",
        f"Measured {run['date']} at commit {run['commit']}: {hardware}.",
        "",
    ]
    (RESULTS / "unfinished_chairs.md").write_text("\n".join(text), encoding="utf-8")
    plain = {row: report.as_dict() for row, report in reports.items()}
    for about in plain.values():
        del about["drawings"]  # their paths are those of one machine
    (RESULTS / "unfinished_chairs.json").write_text(json.dumps(plain, indent=1) + "\n")
    _plot(reports)
    print("\n".join(text))


def _plot(reports: dict[str, OnTheFlyReport]) -> None:
    shown = next(iter(reports.values())).curves
    figure, axes = plt.subplots(1, len(shown), figsize=(4 * len(shown), 3.4), sharey=True)
    for row, report in reports.items():
        for axis, curve in zip(axes, report.curves, strict=True):
            (line,) = axis.plot(curve.ks, 100 * curve.values, marker=".", label=row)
            axis.fill_between(
                curve.ks, 100 * curve.low, 100 * curve.high, alpha=0.2, color=line.get_color()
            )
            axis.set(title=curve.name, xlabel="share of the drawing, %")
    axes[0].set_ylabel("%")
    axes[-1].legend()
    figure.tight_layout()
    figure.savefig(RESULTS / "unfinished_chairs.svg", metadata={"Date": None})
    plt.close(figure)


def _say(report: object) -> None:
    print(report, flush=True)


if __name__ == "__main__":
    main()
