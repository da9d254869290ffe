"""Recognition heads and schemes beside the plain softmax head, at one budget, over several seeds.

    fgir catalogue CATALOGUE --models 60 --photos 24
    python benchmarks/accuracy/recognition.py --set models --root CATALOGUE
    python benchmarks/accuracy/recognition.py --set families --root CATALOGUE
    python benchmarks/accuracy/recognition.py --set grocery --root DATA/grocery --weights WEIGHTS

The budget is pictures passed through the backbone in training: a method that passes each picture
three times gets a third of the epochs. Options of heads, schemes and losses are their papers', but
for sizes that a small network needs; all else is one recipe for all rows. The epoch is chosen on
the validation part, the test part is looked at once a row. A row whose result is kept is not
measured again, one that was stopped goes on; several processes may share the rows out: --part 1/2.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrieval.classifier_folders import load_classifier, save_classifier
from retrieval.classifying import classify_files
from retrieval.files import write_atomically
from retrieval.provenance import provenance
from retrieval.recognition import place_of_right
from retrieval.statistics import cluster_bootstrap, wilson
from train.config import TrainConfig, read_recipe
from train.data import read_benchmark
from train.ranks import Ranks
from train.schemes import Scheme, Seen
from train.tasks.recognition import Recognition, made_classifier
from train.trainer import resume, train

RESULTS = Path(__file__).resolve().parents[1] / "results"
BASELINE = "softmax"


@dataclass(frozen=True)
class Row:
    """A method.

    Attributes:
        settings: Of the recipe.
        small: Of the recipe, for the small network, whose maps have few channels.
    """

    settings: tuple[str, ...]
    small: tuple[str, ...] = ()


def _head(name: str, *small: str, reduced: int | None = None) -> Row:
    given = () if reduced is None else (f"head.reduced={reduced}",)
    return Row((f"head.name={name}", *given), small)


def _scheme(name: str) -> Row:
    return Row(("head.name=softmax", f"scheme.name={name}"))


def _loss(name: str) -> Row:
    return Row(("head.name=softmax", f"loss.name={name}"))


ROWS: dict[str, Row] = {
    "softmax": _head("softmax"),
    "softmax, mixup": Row(("head.name=softmax", "recognition.mixup=0.2")),
    "softmax, hard labels": Row(("head.name=softmax", "loss.label_smoothing=0.0")),
    "bilinear": _head("bilinear", "head.reduced=32", reduced=128),
    "compact_bilinear": _head("compact_bilinear", "head.dim=2048"),
    "random_maclaurin": _head("random_maclaurin", "head.dim=2048"),
    "low_rank_bilinear": _head("low_rank_bilinear", "head.width=32"),
    "factorised_bilinear": _head("factorised_bilinear"),
    "hierarchical_bilinear": _head("hierarchical_bilinear", "head.dim=1024"),
    "grouped_bilinear": _head("grouped_bilinear"),
    "kernel_pooling": _head("kernel_pooling"),
    "improved_bilinear": _head("improved_bilinear", "head.reduced=32", reduced=128),
    "g2denet": _head("g2denet", "head.reduced=32", reduced=128),
    "isqrt_cov": _head("isqrt_cov", "head.reduced=64"),
    "ws_dan": _head("ws_dan"),
    "cal": _head("cal"),
    "pmg": _head("pmg"),
    "mc_loss": _head("mc_loss"),
    "api_net": _scheme("api_net"),
    "pairwise_confusion": _loss("pairwise_confusion"),
    "maximum_entropy": _loss("maximum_entropy"),
    "gradient_boosting": _loss("gradient_boosting"),
    "diversification": _scheme("diversification"),
    "center": _scheme("center"),
    "triplet_softmax": _scheme("triplet_softmax"),
    "cin": _head("cin", "head.reduced=64", reduced=256),
    "mamc": Row(("head.name=mamc", "head.side=1")),
    "cross_x": _head("cross_x"),
    "dcl": _scheme("dcl"),
    "sps": _head("sps"),
    "dfl_cnn": _head("dfl_cnn"),
    "ma_cnn": _head("ma_cnn"),
    "ra_cnn": _head("ra_cnn"),
    "stn": _head("stn"),
    "nts_net": _head("nts_net"),
    "tasn": _head("tasn"),
    "s3n": _head("s3n"),
    "acnet": _head("acnet"),
    "mge_cnn": _head("mge_cnn"),
}


@dataclass(frozen=True)
class Protocol:
    """What the rows of a table share."""

    recipe: str
    passes: int
    seeds: int
    settings: tuple[str, ...]
    small: bool


PROTOCOLS = {
    "families": Protocol("recognition_small", 20, 3, (), small=True),
    "models": Protocol(
        "recognition_small",
        20,
        3,
        (
            "benchmark.classes=models",
            "benchmark.learned_share=0.67",
            "sampler.classes=16",
            "sampler.images=3",
            "validation_share=0.25",
        ),
        small=True,
    ),
    "grocery": Protocol(
        "recognition_two_cores",
        20,
        1,
        (
            "benchmark.name=table",
            "benchmark.train_split=train",
            "benchmark.validation_split=val",
        ),
        small=False,
    ),
}


def main() -> None:
    """Train and measure the rows that are missing, then write the table of all that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=PROTOCOLS, required=True)
    parser.add_argument("--root", type=Path, required=True, help="a catalogue, or DATA/grocery")
    parser.add_argument("--weights", type=Path, help="mobilenet_v2_imagenet.safetensors")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    parser.add_argument("--runs", type=Path, default=Path("runs/recognition"))
    parser.add_argument("--part", default="1/1", help="2/3: every third row from the second on")
    chosen = parser.parse_args()
    number, count = (int(word) for word in chosen.part.split("/"))
    protocol, runs = PROTOCOLS[chosen.set], chosen.runs / chosen.set
    runs.mkdir(parents=True, exist_ok=True)
    wanted = [(seed, row) for seed in range(protocol.seeds) for row in ["untrained", *chosen.rows]]
    for seed, row in wanted[number - 1 :: count]:
        out = runs / f"{_folder(row)}-{seed}"
        if not (out / "places.json").exists():
            print(f"== {row}, seed {seed}", flush=True)
            _measure(_config(protocol, row, seed, chosen.root, chosen.weights, runs), row, out)
    _write(chosen.set, protocol, runs)


def _config(
    protocol: Protocol, row: str, seed: int, root: Path, weights: Path | None, runs: Path
) -> TrainConfig:
    method = ROWS[BASELINE if row == "untrained" else row]
    given = [] if weights is None else [f"encoder.weights={weights}"]
    settings = [
        *protocol.settings,
        f"benchmark.root={root}",
        *given,
        *method.settings,
        *(method.small if protocol.small else ()),
        "run.threads=1",
        f"seed={seed}",
    ]
    passes = _passes(read_recipe(protocol.recipe, settings), runs / f"{_folder(row)}-passes.json")
    epochs = max(2, round(protocol.passes / passes))
    return read_recipe(protocol.recipe, [*settings, f"schedule.epochs={epochs}"])


def _passes(config: TrainConfig, kept: Path) -> float:
    """How often a training picture passes through the backbone in a step, by its area."""
    if kept.exists():
        return float(json.loads(kept.read_text()))
    task = Recognition(config, read_benchmark(config), torch.device("cpu"), Ranks())
    scheme, passes = task.loss(), 1.0
    if isinstance(scheme, Scheme):
        areas = []

        def maps(pictures: Tensor) -> tuple[Tensor, Tensor | None]:
            areas.append(pictures.numel())
            return task.network.maps(pictures)

        task.encoder.train()
        chosen = task.sampler().batches(0)[:1]
        batch = next(task.batches(lambda *_: None).epoch(0, chosen))
        positions = torch.from_numpy(batch.positions)
        inputs = task.network.prepared(torch.as_tensor(batch.inputs))
        targets = torch.from_numpy(task.data.targets)[positions]
        for phase in range(scheme.phases):
            scheme(task.encoder.head, Seen(inputs, targets, positions, maps, 0, 0.0), phase)
        passes = sum(areas) / inputs.numel()
    write_atomically(kept, json.dumps(passes).encode())
    return passes


def _measure(config: TrainConfig, row: str, out: Path) -> None:
    """Train, then note for each test picture at which place its class was answered."""
    benchmark = read_benchmark(config)
    seconds = 0.0
    if row == "untrained":
        names = [benchmark.train.names[n] for n in np.unique(benchmark.train.targets).tolist()]
        save_classifier(made_classifier(config, names), out / "best", overwrite=True)
    elif (out / "config.json").exists():
        seconds = resume(out, on_epoch=_say).seconds
    else:
        seconds = train(config, out, on_epoch=_say).seconds
    classifier = load_classifier(out / "best")
    numbers = {name: number for number, name in enumerate(classifier.classes)}
    split = benchmark.query
    found = classify_files(classifier, list(split.paths))
    targets = np.array([numbers[split.name(i)] for i in found.kept.tolist()], np.int64)
    places = place_of_right(found.logits, targets)
    metrics = out / "metrics.jsonl"
    epochs = metrics.read_text().splitlines()[1:] if metrics.exists() else []
    kept = {
        "places": places.tolist(),
        "targets": targets.tolist(),
        "epochs": config.schedule.epochs,
        "passes": _passes(config, out.parent / f"{_folder(row)}-passes.json"),
        "seconds": round(sum(json.loads(line)["seconds"] for line in epochs) or seconds),
        "validation": max((json.loads(line)["hits"] for line in epochs), default=0),
        "weights": sum(one.numel() for one in classifier.head.parameters()),
        "run": provenance(),
    }
    write_atomically(out / "places.json", json.dumps(kept).encode())
    print(f"top-1 {(places <= 1).mean():.1%} of {len(places)}", flush=True)


def _right(one: Mapping[str, Any]) -> NDArray[np.float64]:
    return (np.array(one["places"]) <= 1).astype(np.float64)


def _write(name: str, protocol: Protocol, runs: Path) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in ["untrained", *ROWS]:
        files = [runs / f"{_folder(row)}-{seed}" / "places.json" for seed in range(protocol.seeds)]
        if made := [json.loads(file.read_text()) for file in files if file.exists()]:
            found[row] = made
    if BASELINE not in found:
        return
    lines = [
        "| method | top-1, each seed | mean | top-5 | points above softmax | passes | epochs | "
        "seconds | weights of the head |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_line(row, found[row], found[BASELINE]) for row in found),
    ]
    run = found[BASELINE][0]["run"]
    hardware = ", ".join(f"{key} {value}" for key, value in run["hardware"].items())
    text = [
        f"# Recognition on {name}",
        "",
        f"{len(found[BASELINE][0]['places'])} test pictures of "
        f"{len(set(found[BASELINE][0]['targets']))} classes. Top-1: hits/n and the 95 % Wilson "
        "interval of each seed. Points above softmax: mean over seeds, 95 % bootstrap interval "
        "over classes of the paired difference; **bold** where all of it is above 0, *slanted* "
        "where all is below. Seeds change the weights, the order and what is held out.",
        "",
        *lines,
        "",
        f"Recipe {protocol.recipe} with {' '.join(protocol.settings) or 'nothing else'}; epochs "
        f"are {protocol.passes} divided by the passes. What a row adds: `ROWS` of the command.",
        "",
        *([] if name == "grocery" else ["    fgir catalogue CATALOGUE --models 60 --photos 24"]),
        f"    python benchmarks/accuracy/recognition.py --set {name} --root "
        + ("DATA/grocery --weights WEIGHTS" if name == "grocery" else "CATALOGUE"),
        "",
        f"Measured {run['date']} at commit {run['commit']}: {hardware}; one thread a run.",
        "",
    ]
    RESULTS.mkdir(exist_ok=True)
    write_atomically(RESULTS / f"recognition_{name}.md", "\n".join(text).encode())
    write_atomically(RESULTS / f"recognition_{name}.json", (json.dumps(found) + "\n").encode())
    print("\n".join(text))


def _line(row: str, seeds: list[dict[str, Any]], plain: list[dict[str, Any]]) -> str:
    each = []
    for one in seeds:
        hits, count = int(_right(one).sum()), len(one["places"])
        low, high = wilson(hits, count)
        each.append(f"{hits}/{count} ({100 * low:.1f}-{100 * high:.1f})")
    mean = np.mean([_right(one).mean() for one in seeds])
    five = np.mean([(np.array(one["places"]) <= 5).mean() for one in seeds])
    trained = row != "untrained"
    seconds = np.mean([one["seconds"] for one in seeds])
    cells = [
        row,
        ", ".join(each),
        f"{mean:.1%}",
        f"{five:.1%}",
        "" if row in ("untrained", BASELINE) else _gain(seeds, plain),
        f"{seeds[0]['passes']:.2g}" if trained else "",
        str(seeds[0]["epochs"]) if trained else "",
        f"{seconds:.0f}" if trained else "",
        f"{seeds[0]['weights']:,}",
    ]
    return "| " + " | ".join(cells) + " |"


def _gain(seeds: list[dict[str, Any]], plain: list[dict[str, Any]]) -> str:
    """Of seeds that both rows have, picture by picture."""
    pairs = [_right(one) - _right(other) for one, other in zip(seeds, plain, strict=False)]
    gained = np.mean(pairs, axis=0)
    low, high = cluster_bootstrap(gained[:, None], np.array(plain[0]["targets"]))[0]
    text = f"{100 * gained.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    return f"**{text}**" if low > 0 else f"*{text}*" if high < 0 else text


def _folder(row: str) -> str:
    return row.replace(", ", "-").replace(" ", "-")


def _say(report: object) -> None:
    print(report, flush=True)


if __name__ == "__main__":
    main()
