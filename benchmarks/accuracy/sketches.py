"""Trained sketch encoders on QMUL-Shoe and QMUL-Chair, beside the floors and the published rows.

    python benchmarks/accuracy/sketches.py --data DATA [--sets qmul_shoe qmul_chair] [--part 1/2]

Rows are the recipe ``sketches`` and what each changes. All training pairs are learned and the last
epoch is kept; every setting was chosen on training pairs held out. One row joins two encoders, of
pictures as they are and of pictures stretched to the object's box. One starts from an encoder that
learned contours of ShoeV2's photos, without the near twins of test photos. The floors are those of
sketches_frozen.py, which runs first. A row whose report is kept is not measured again; one that was
stopped goes on. Several processes may share the rows out: --part 1/2.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from retrieval import benchmarks
from retrieval.comparison import compare
from retrieval.contour_pairs import write_contour_pairs
from retrieval.data import Benchmark
from retrieval.encoder_folders import open_encoder, save_pair
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.evaluation import EvaluationReport, evaluate, table
from retrieval.human_triplets import agreement, read_triplets
from retrieval.joined import join_pairs
from retrieval.leaks import near_duplicates
from train.config import read_recipe
from train.data import read_benchmark
from train.trainer import resume, train

RESULTS = Path(__file__).resolve().parents[1] / "results"
SETS = {"qmul_shoe": "qmul-shoe", "qmul_chair": "qmul-chair"}
LIKENESS = 0.95
"""Of photos that contours are not drawn of, see :func:`retrieval.leaks.near_duplicates`."""

INFO_NCE = 'loss={name="info_nce", temperature=0.1}'
BEST, STRETCHED = "triplet", "info_nce, stretched"
ROWS: dict[str, list[str]] = {
    BEST: [],
    "info_nce": [INFO_NCE],
    STRETCHED: [INFO_NCE, "encoder.fit=stretch"],
    "info_nce, not whitened": [INFO_NCE, "pairs.whitening=0"],
    "triplet, two branches": ["pairs.sharing=nothing"],
    "triplet, norms apart": [
        "pairs.sharing=all but norms",
        "run.freeze_batch_norm=false",
        "run.precision=fp32",
    ],
    "triplet, photos as edges": ["pairs.edges=0.5"],
    "triplet, attention": ["encoder.pooling={name='attention_style', gain=100.0}"],
    "learned energy": ['loss={name="holef_style"}', "encoder.dim=256", "pairs.whitening=0"],
    "triplet, pretrained on contours": [],
}
JOINED = ("info_nce", STRETCHED)
JOIN = "info_nce and stretched, joined"
SHARE = 0.5
SEEDS = dict.fromkeys((BEST, *JOINED), (0, 1, 2))

PUBLISHED = {
    "qmul_shoe": {"Triplet-SN": "39.1 / 87.8", "DSSA": "61.7 / 94.8"},
    "qmul_chair": {"Triplet-SN": "69.1 / 97.9", "DSSA": "81.4 / 95.9"},
}
"""acc@1 / acc@10: Yu et al., CVPR 2016; Song et al., ICCV 2017."""


def main() -> None:
    """Train and measure the rows that are missing, then write the table of all that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with qmul-shoe/ ...")
    parser.add_argument("--runs", type=Path, default=Path("runs/sketches"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--part", default="1/1", help="2/3: every third row from the second on")
    chosen = parser.parse_args()
    number, count = (int(word) for word in chosen.part.split("/"))
    weights = chosen.data / "weights" / "mobilenet_v2_imagenet.safetensors"
    rows = [
        (name, row, seed)
        for row in chosen.rows
        for seed in SEEDS.get(row, (0,))
        for name in chosen.sets
    ]
    for name, row, seed in rows[number - 1 :: count]:
        out = _folder(chosen.runs, name, row, seed)
        if (out / "report" / "report.json").exists():
            continue
        print(f"== {name}: {row}, seed {seed}", flush=True)
        settings = [
            f"encoder.weights={weights}",
            f"benchmark.name={name}",
            f"benchmark.root={chosen.data / SETS[name]}",
            "validation_share=0",
            f"seed={seed}",
            *ROWS[row],
        ]
        if "pretrained" in row:
            settings.append(f"encoder.start={_pretrained(chosen.data, chosen.runs, weights)}")
        _run(settings, out)
        _measure(out, row, seed, read_benchmark(read_recipe("sketches", settings)))
    for name in chosen.sets:
        for seed in SEEDS[BEST]:
            _join(chosen.data, chosen.runs, name, seed)
            _look_closer(chosen.data, chosen.runs, name, seed)
    _write(chosen.runs)


def _folder(runs: Path, name: str, row: str, seed: int) -> Path:
    return runs / name / f"{row.replace(', ', '-').replace(' ', '_')}-{seed}"


def _measure(out: Path, row: str, seed: int, tested: Benchmark, report: str = "report") -> None:
    found = evaluate(open_encoder(out / "best"), tested).named(f"{row}, seed {seed}")
    found.save(out / report)
    print(found, flush=True)


def _agreement(folder: Path, data: Path, name: str) -> str:
    """Triplets that people judged, ranked as they did."""
    tested = benchmarks.read(name, data / SETS[name], {})
    pair = open_encoder(folder / "best")
    judged = read_triplets(data / SETS[name] / "triplets.json").of(tested.query, tested.gallery)
    vectors = [
        encode_files(pair, split.paths, modality=split.modality).vectors
        for split in (tested.query, tested.gallery)
    ]
    score = agreement(judged, *vectors)
    low, high = score.clustered or (0.0, 0.0)
    return (
        f"{100 * score.value:.1f} % ({score.hits}/{score.count}; {100 * low:.1f}-{100 * high:.1f} "
        "over sketches)"
    )


def _join(data: Path, runs: Path, name: str, seed: int) -> None:
    """The two ways of fitting a picture, each with the network that learned it, half and half."""
    out = _folder(runs, name, JOIN, seed)
    parts = [_folder(runs, name, row, seed) for row in JOINED]
    if (out / "report" / "report.json").exists() or not all(
        (part / "report" / "report.json").exists() for part in parts
    ):
        return
    first, second = (open_encoder(part / "best") for part in parts)
    if isinstance(first, EncoderPair) and isinstance(second, EncoderPair):
        save_pair(join_pairs(first, second, SHARE), out / "best", overwrite=True)
    _measure(out, JOIN, seed, benchmarks.read(name, data / SETS[name], {}))


def _look_closer(data: Path, runs: Path, name: str, seed: int) -> None:
    """What else is asked of the best row: people's judgements, and a larger gallery of shoes."""
    out = _folder(runs, name, BEST, seed)
    if not (out / "report" / "report.json").exists() or (out / "people.txt").exists():
        return
    if name == "qmul_shoe":
        options = {"distractors": str(data / "shoev2-photos")}
        crowded = benchmarks.read("pairs", data / SETS[name], options)
        _measure(out, BEST, seed, crowded, "distractors")
    (out / "people.txt").write_text(_agreement(out, data, name) + "\n", encoding="utf-8")


def _run(settings: list[str], out: Path) -> None:
    if (out / "result.json").exists():
        return
    if (out / "config.json").exists():
        resume(out, on_epoch=_say)
    else:
        train(read_recipe("sketches", settings), out, on_epoch=_say)


def _pretrained(data: Path, runs: Path, weights: Path) -> Path:
    """The encoder that learned contours; made once."""
    drawn, out = runs / "contours", runs / "pretrained"
    if not drawn.exists():
        photos = sorted((data / "shoev2-photos").glob("*.jpg"))
        tested = [path for name in SETS.values() for path in (data / name / "photos").iterdir()]
        twins = {twin.image for twin in near_duplicates(photos, sorted(tested), likeness=LIKENESS)}
        write_contour_pairs([photo for photo in photos if photo not in twins], drawn)
    settings = [
        f"encoder.weights={weights}",
        f"benchmark.root={drawn}",
        "benchmark.holdout=0.05",
        "validation_share=0.05",
        "pairs.whitening=0",
        "pairs.removed=0.35",
        "pairs.bent=0.03",
        "schedule.epochs=1",
    ]
    _run(settings, out)
    return out / "best"


def _write(runs: Path) -> None:
    text = ["# Sketch encoders on QMUL-Shoe and QMUL-Chair", ""]
    kept: dict[str, object] = {}
    floors = json.loads((RESULTS / "sketches_frozen.json").read_text(encoding="utf-8"))
    for name in SETS:
        found = sorted((runs / name).glob("*/report"))
        reports = sorted(
            (EvaluationReport.load(folder) for folder in found), key=lambda one: one.scores[0].value
        )
        if reports:
            text += _part(name, runs / name, reports, floors[name])
            kept[name] = {str(report.encoder["name"]): _facts(report) for report in reports}
    text += [
        "Published rows: acc@1 / acc@10 of the papers, on the same test pairs; their networks were",
        "trained by them, not here.",
        "",
        "`python benchmarks/accuracy/sketches_frozen.py --data DATA`,",
        "then `python benchmarks/accuracy/sketches.py --data DATA`",
        "",
    ]
    (RESULTS / "sketches.md").write_text("\n".join(text), encoding="utf-8")
    (RESULTS / "sketches.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print("\n".join(text))


def _part(
    name: str, runs: Path, reports: list[EvaluationReport], floors: dict[str, dict[str, object]]
) -> list[str]:
    size = len(reports[0].gallery)
    lines = [f"## {name}", ""]
    lines += [f"Chance: acc@1/5/10 {100 / size:.1f}/{500 / size:.1f}/{1000 / size:.1f} %.", ""]
    lines += ["| floor | acc@1 | acc@5 | acc@10 |", "|---|---|---|---|"]
    for floor, facts in floors.items():
        scores = facts["scores"][:3]  # type: ignore[index]
        cells = " | ".join(
            f"{100 * one['value']:.1f} {one['hits']}/{one['count']}" for one in scores
        )
        lines.append(f"| {floor} | {cells} |")
    lines += [f"| {paper} (published) | {figures} |" for paper, figures in _published(name)]
    lines += ["", table(reports)]
    for row in (*SEEDS, JOIN):
        repeated = _seeds(row, reports)
        if len(repeated) > 1:
            values = [100 * np.array([one.scores[k].value for one in repeated]) for k in range(3)]
            shown = ", ".join(
                f"acc@{k} {each.mean():.1f} +- {each.std(ddof=1):.1f}"
                for k, each in zip((1, 5, 10), values, strict=True)
            )
            lines.append(f"- {row}, {len(repeated)} seeds: {shown} (mean, standard deviation)")
    lines.append("")
    by_name = {str(report.encoder["name"]): report for report in reports}
    for one in _seeds(BEST, reports):
        seed = str(one.encoder["name"]).rpartition(", ")[2]
        if f"info_nce, {seed}" in by_name:
            lines += ["```", str(compare(by_name[f"info_nce, {seed}"], one)), "```", ""]
    run = reports[-1].run
    hardware = ", ".join(f"{fact} {value}" for fact, value in run["hardware"].items())
    people = sorted(runs.glob("*/people.txt"))
    lines += (
        []
        if not people
        else [
            f"Triplets of a sketch and two photos ranked as people did, {BEST}: "
            + "; ".join(f"seed {n}: {file.read_text().strip()}" for n, file in enumerate(people))
            + ".",
            "",
        ]
    )
    crowded = [EvaluationReport.load(folder) for folder in sorted(runs.glob("*/distractors"))]
    if crowded:
        lines += ["With the 2,000 photos of ShoeV2 in the gallery:", "", table(crowded)]
    return [*lines, f"Measured {run['date']} at commit {run['commit']}: {hardware}.", ""]


def _seeds(row: str, reports: list[EvaluationReport]) -> list[EvaluationReport]:
    return [one for one in reports if str(one.encoder["name"]).startswith(f"{row}, seed")]


def _published(name: str) -> list[tuple[str, str]]:
    return [(paper, figures.replace(" / ", " | | ")) for paper, figures in PUBLISHED[name].items()]


def _facts(report: EvaluationReport) -> dict[str, object]:
    return {
        "scores": [asdict(score) for score in report.scores],
        "found_first": np.packbits(report.outcomes.found(1)).tobytes().hex(),
        "run": dict(report.run),
    }


def _say(report: object) -> None:
    print(report, flush=True)


if __name__ == "__main__":
    main()
