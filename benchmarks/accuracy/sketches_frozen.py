"""Floors of sketch retrieval: what is found without training a network.

Each row is one ``fgir evaluate`` command, printed and kept in the table. A row whose run folder is
there already is not measured again, so the script can be interrupted. Settings were chosen on two
halves of the training pairs, each row was run once on the test pairs.

    python benchmarks/accuracy/sketches_frozen.py --data DATA --runs runs/sketches_frozen
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

from retrieval.evaluation import EvaluationReport, table

RESULTS = Path(__file__).resolve().parents[1] / "results"
SETS = {"qmul_shoe": "qmul-shoe", "qmul_chair": "qmul-chair"}
KS = (1, 5, 10)
MOBILENET = ["--backbone", "mobilenet_v2"]
MIDDLE = [*MOBILENET, "--keep-layers", "14", "--pooling", "grid:cells=7", "--size", "160"]
HOG = ["--backbone", "hog", "--pooling", "grid:cells=16", "--fit", "object"]
ROWS = {
    "untrained": [*MOBILENET, "--untrained"],
    "mobilenet_v2": MOBILENET,
    "mobilenet_v2_14_centred": [*MIDDLE, "--centred"],
    "mobilenet_v2_14_paired": [*MIDDLE, "--whiten", "paired:256"],
    "hog": HOG,
    "hog_paired": [*HOG, "--whiten", "paired:256"],
}


def main() -> None:
    """Measure what is missing and write one table for all data sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with qmul-shoe/ ...")
    parser.add_argument("--runs", type=Path, default=Path("runs/sketches_frozen"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    chosen = parser.parse_args()
    parts, found = [], {}
    for name in chosen.sets:
        commands = {row: _words(name, row, chosen.data, chosen.runs) for row in ROWS}
        reports = [_report(commands[row], chosen.runs / name / row).named(row) for row in ROWS]
        shown = [_shown(words, chosen.data, chosen.runs) for words in commands.values()]
        parts.append(_part(name, reports, shown))
        found[name] = {str(report.encoder["name"]): _facts(report) for report in reports}
    text = "# Floors of sketch retrieval\n\n" + "\n".join(parts)
    (RESULTS / "sketches_frozen.md").write_text(text, encoding="utf-8")
    plain = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    (RESULTS / "sketches_frozen.json").write_text(plain, encoding="utf-8")
    print(text)


def _words(name: str, row: str, data: Path, runs: Path) -> list[str]:
    pretrained = MOBILENET[1] in ROWS[row] and "--untrained" not in ROWS[row]
    file = data / "weights" / "mobilenet_v2_imagenet.safetensors"
    weights = ["--weights", str(file)] if pretrained else []
    words = ["evaluate", name, str(data / SETS[name]), *ROWS[row], *weights, "--runtime", "eager"]
    return [
        *words,
        "--out",
        str(runs / name / row),
        *([] if row == "untrained" else ["--no-leaks"]),
    ]


def _report(words: list[str], run: Path) -> EvaluationReport:
    if not (run / "report.json").exists():
        print(shlex.join(["fgir", *words]), flush=True)
        subprocess.run([sys.executable, "-m", "ui", *words], check=True)
    return EvaluationReport.load(run)


def _shown(words: list[str], data: Path, runs: Path) -> str:
    return shlex.join(["fgir", *words]).replace(str(data), "DATA").replace(str(runs), "RUNS")


def _part(name: str, reports: list[EvaluationReport], commands: list[str]) -> str:
    size = len(reports[0].gallery)
    chance = "/".join(f"{100 * k / size:.1f}" for k in KS)
    ks = "/".join(map(str, KS))
    notes = list(dict.fromkeys(note for report in reports for note in report.notes))
    run = reports[-1].run
    hardware = ", ".join(f"{fact} {value}" for fact, value in run["hardware"].items())
    return "\n".join(
        [
            f"## {name}",
            "",
            f"Chance: acc@{ks} {chance} % of {size} photos.",
            "",
            table(reports),
            "",
            *(f"- {note}" for note in notes),
            "",
            f"Measured {run['date']} at commit {run['commit']}: {hardware}.",
            "",
            "```",
            *commands,
            "```",
            "",
        ]
    )


def _facts(report: EvaluationReport) -> dict[str, object]:
    plain = report.as_dict()
    facts = {name: plain[name] for name in ("benchmark", "counts", "scores", "notes")}
    facts["run"] = {name: report.run[name] for name in ("date", "versions", "hardware", "commit")}
    facts["encoder"] = {name: report.encoder[name] for name in ("dim", "fingerprint", "settings")}
    return facts


if __name__ == "__main__":
    main()
