"""Frozen-backbone rows: what an ImageNet network finds without any training.

Each row is one ``fgir evaluate`` command, printed and kept in the table. A row whose run folder is
there already is not measured again, so the script can be interrupted.

    python benchmarks/accuracy/frozen.py --data DATA --runs runs/frozen
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from retrieval.evaluation import EvaluationReport, table

RESULTS = Path(__file__).resolve().parents[1] / "results"
SETS = {"birds": [], "grocery": ["-o", "query_split=test", "-o", "gallery_split=train"]}
ROWS = {
    "untrained": ["--untrained"],
    "average": ["--pooling", "average"],
    "maximum": ["--pooling", "maximum"],
    "average_maximum": ["--pooling", "average_maximum"],
    "gem": ["--pooling", "gem"],
    "scda": ["--pooling", "scda"],
    "scda_plus": ["--pooling", "scda:plus=true"],
    "scda_plus_flip": ["--pooling", "scda:plus=true", "--flip"],
    "scda_native": ["--pooling", "scda", "--fit", "native", "--size", "700"],
    "average_pca_256": ["--pooling", "average", "--whiten", "pca:256"],
    "gem_pca_256": ["--pooling", "gem", "--whiten", "pca:256"],
    "scda_svd_512": ["--pooling", "scda", "--whiten", "svd:512"],
}


def main() -> None:
    """Measure what is missing and write one table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with birds/ and grocery/")
    parser.add_argument("--runs", type=Path, default=Path("runs/frozen"))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    chosen = parser.parse_args()
    weights = chosen.data / "weights" / "mobilenet_v2_imagenet.safetensors"
    for name in chosen.sets:
        options = SETS[name]
        commands, reports = [], []
        for row in chosen.rows:
            settings = ROWS[row]
            run = chosen.runs / name / row
            trained = [] if row == "untrained" else ["--weights", str(weights)]
            words = ["evaluate", "table", str(chosen.data / name), *options]
            words += ["--backbone", "mobilenet_v2", *trained, *settings]
            words += ["--out", str(run)] + ([] if row == "untrained" else ["--no-leaks"])
            commands.append(shlex.join(["fgir", *words]).replace(str(chosen.data), "DATA"))
            if not (run / "report.json").exists():
                print(commands[-1], flush=True)
                subprocess.run([sys.executable, "-m", "ui", *words], check=True)
            report = EvaluationReport.load(run)
            reports.append(report.named(row))
        text = "\n".join(
            [
                f"# Frozen mobilenet_v2 on {name}",
                "",
                table(reports),
                "",
                _facts(reports),
                "",
                "```",
                *commands,
                "```",
                "",
            ]
        )
        (RESULTS / f"frozen_{name}.md").write_text(text)
        print(text)


def _facts(reports: list[EvaluationReport]) -> str:
    run = reports[-1].run
    hardware = ", ".join(f"{name} {value}" for name, value in run["hardware"].items())
    notes = "\n".join(f"- {note}" for note in reports[0].notes)
    return f"{notes}\n\nMeasured {run['date']} at commit {run['commit']}: {hardware}."


if __name__ == "__main__":
    main()
