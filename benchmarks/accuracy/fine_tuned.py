"""Fine-tuned mobilenet_v2 on unseen classes, beside the frozen one and the library's trainer.

    python benchmarks/accuracy/fine_tuned.py --data DATA --set birds --losses proxy_anchor dgcrl

Rows of ours are the recipe two_cores with another loss and seed, on kept maps. Rows of the library
are ``MetricLossOnly`` of pytorch-metric-learning with its own loss: same backbone, same frozen
layers, same variations of the same pictures, as many epochs and pictures a batch, AdamW with the
same weight decay; its learning rate is chosen among three on held-out training classes. All classes
of the training part are learned and the last epoch is kept, so nothing is chosen on the test part.
A row whose report is kept is not measured again; one that was stopped goes on. Several processes
may share the rows out: --part 1/2.
"""

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_metric_learning import losses as library_losses
from pytorch_metric_learning import miners, samplers, trainers
from torch import Tensor, nn
from torch.utils.data import Dataset

from retrieval.checkpoints import load_encoder, save_encoder
from retrieval.comparison import compare
from retrieval.encoder import Encoder, build_encoder
from retrieval.evaluation import EvaluationReport, evaluate, table
from train.cached import CachedMaps
from train.config import TrainConfig, read_recipe
from train.data import prepare, read_benchmark
from train.network import Network, learned_part
from train.ranks import Ranks
from train.trainer import resume, train

RESULTS = Path(__file__).resolve().parents[1] / "results"
GALLERY = {"birds": {}, "grocery": {"query_split": "test", "gallery_split": "train"}}
UNTOUCHED = ("untrained", "frozen")
LIBRARY = "library "
LIBRARY_RATES = (3e-5, 1e-4, 3e-4)


def main() -> None:
    """Train and measure the rows that are missing, then write the table of all that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with birds/ and grocery/")
    parser.add_argument("--set", choices=GALLERY, required=True)
    parser.add_argument("--losses", nargs="+", required=True)
    parser.add_argument("--library", nargs="*", default=[], help="proxy_anchor, multi_similarity")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--runs", type=Path, default=Path("runs/fine_tuned"))
    parser.add_argument("--part", default="1/1", help="2/3: every third row from the second on")
    parser.add_argument("--change", nargs="*", default=[], help="settings, for rows of ours")
    chosen = parser.parse_args()
    number, count = (int(word) for word in chosen.part.split("/"))
    names = [*chosen.losses, *(LIBRARY + name for name in chosen.library)]
    rows = [(name, seed) for name in names for seed in chosen.seeds]
    runs = chosen.runs / chosen.set
    shared = [
        f"benchmark.root={chosen.data / chosen.set}",
        f"encoder.weights={chosen.data / 'weights' / 'mobilenet_v2_imagenet.safetensors'}",
        "run.cached_views=6",
        f"run.maps_folder={runs / 'maps'}",
        "run.threads=1",
        "validation_share=0",
    ]
    if number == 1:
        _untouched(chosen.set, runs, read_recipe("two_cores", shared))
    for name, seed in rows[number - 1 :: count]:
        out = runs / f"{name.replace(' ', '-')}-{seed}"
        if not (out / "report" / "report.json").exists():
            print(f"== {name}, seed {seed}", flush=True)
            settings = [*shared, f"seed={seed}", f"loss.name={name.removeprefix(LIBRARY)}"]
            if name.startswith(LIBRARY):
                _library(settings, out)
            else:
                _ours([*settings, *chosen.change], out)
            _measure(chosen.set, load_encoder(out / "best"), out, read_recipe("two_cores", shared))
    _write(chosen.set, runs)


def _ours(settings: list[str], out: Path) -> None:
    if (out / "result.json").exists():
        return
    if (out / "config.json").exists():
        resume(out, on_epoch=_say)
    else:
        train(read_recipe("two_cores", settings), out, on_epoch=_say)


class _Maps(Dataset[tuple[Tensor, int]]):
    """A variation of a picture, drawn at each use, and its class."""

    def __init__(
        self, maps: Tensor, targets: np.ndarray[Any, np.dtype[np.int64]], seed: int
    ) -> None:
        self._maps, self._targets = maps, targets
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self._maps)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        view = int(self._rng.integers(self._maps.shape[1]))
        return self._maps[position, view].float(), int(self._targets[position])


class _Trunk(nn.Module):
    """What the library trains: the layers that are not frozen, and the pooling."""

    def __init__(self, encoder: Encoder, frozen_layers: int) -> None:
        super().__init__()
        self.learned, self._encoder = learned_part(encoder, frozen_layers), [encoder]

    def forward(self, maps: Tensor) -> Tensor:
        early, last = self.learned(maps.contiguous(memory_format=torch.channels_last))
        return self._encoder[0].of_maps(last, early)


def _library(settings: list[str], out: Path) -> None:
    """The library's trainer as its documentation shows it."""
    if (out / "best" / "encoder.json").exists():
        return
    short = [*settings, "validation_share=0.2", "optimizer.frozen_layers=15", "run.cached_views=2"]
    chosen_file = out.parent / f"{out.name.rpartition('-')[0]}-rate.json"
    if not chosen_file.exists():
        hits = {
            rate: _train_with_library(
                read_recipe("two_cores", [*short, "schedule.epochs=4"]), rate
            )[1]
            for rate in LIBRARY_RATES
        }
        print(f"validation hits of learning rates: {hits}", flush=True)
        chosen_file.parent.mkdir(parents=True, exist_ok=True)
        chosen_file.write_text(json.dumps({"hits": hits, "rate": max(hits, key=lambda r: hits[r])}))
    rate = json.loads(chosen_file.read_text())["rate"]
    encoder, _ = _train_with_library(read_recipe("two_cores", settings), rate)
    save_encoder(encoder, out / "best")


def _train_with_library(config: TrainConfig, rate: float) -> tuple[Encoder, int]:
    """The trained encoder and its hits on held-out training classes, if any are."""
    torch.manual_seed(config.seed)
    encoder = build_encoder(
        config.encoder.backbone, "average", weights=Path(config.encoder.weights)
    )
    encoder.to(memory_format=torch.channels_last)
    data = prepare(config, read_benchmark(config), encoder)
    frozen = config.optimizer.frozen_layers
    network = Network(encoder, frozen, fold=False, bf16=True)
    if data.validation is not None:
        data.validation.keep(network)
    maps = CachedMaps(data.pictures, network, config, Ranks(), lambda done, count: None).maps
    trunk = _Trunk(encoder, frozen)
    miner: dict[str, Any] = {}
    if config.loss["name"] == "proxy_anchor":
        loss: Any = library_losses.ProxyAnchorLoss(data.num_classes, encoder.dim)
    else:
        loss = library_losses.MultiSimilarityLoss()
        miner = {"tuple_miner": miners.MultiSimilarityMiner()}
    decay = config.optimizer.weight_decay
    optimizers = {
        "trunk_optimizer": torch.optim.AdamW(trunk.parameters(), rate, weight_decay=decay)
    }
    if list(loss.parameters()):
        optimizers["metric_loss_optimizer"] = torch.optim.AdamW(loss.parameters(), 100 * rate)
    sampled, batch = config.sampler, config.sampler.classes * config.sampler.images
    trainer = trainers.MetricLossOnly(
        {"trunk": trunk},
        optimizers,
        batch,
        {"metric_loss": loss},
        _Maps(maps, data.targets, config.seed),
        mining_funcs=miner,
        sampler=samplers.MPerClassSampler(data.targets, sampled.images, batch, len(data.targets)),
        dataloader_num_workers=0,
        end_of_epoch_hook=lambda trainer: print(f"library epoch {trainer.epoch}", flush=True),
    )
    trainer.train(num_epochs=config.schedule.epochs)
    hits = 0 if data.validation is None else data.validation.score(encoder, network).hits
    return encoder.eval(), hits


def _untouched(name: str, runs: Path, config: TrainConfig) -> None:
    """The floor, random weights, and the frozen backbone."""
    for row, weights in (("untrained", None), ("frozen", Path(config.encoder.weights))):
        if not (runs / row / "report" / "report.json").exists():
            encoder = build_encoder(config.encoder.backbone, "average", weights=weights)
            _measure(name, encoder, runs / row, config)


def _measure(name: str, encoder: Encoder, out: Path, config: TrainConfig) -> None:
    benchmark = read_benchmark(_with_options(config, GALLERY[name]))
    report = evaluate(encoder, benchmark, notes=["Not looked for photos that occur in two parts."])
    report.save(out / "report")
    print(report, flush=True)


def _with_options(config: TrainConfig, options: dict[str, str]) -> TrainConfig:
    return TrainConfig(**{**vars(config), "benchmark": {**config.benchmark, **options}})


def _write(name: str, runs: Path) -> None:
    found = sorted(runs.glob("*/report/report.json"), key=lambda file: file.stat().st_mtime)
    reports = {file.parts[-3]: EvaluationReport.load(file.parent) for file in found}
    if "frozen" not in reports:
        return
    ordered = sorted(reports, key=lambda row: reports[row].scores[0].value)
    lines = []
    for row in ordered:
        others = [] if row in UNTOUCHED else ["frozen", *_rivals(row, reports)]
        for other in others:
            compared = compare(reports[other], reports[row])
            gain = 100 * (reports[row].scores[0].value - reports[other].scores[0].value)
            won, lost = len(compared.won_rows), len(compared.lost_rows)
            lines.append(
                f"| {row} | {other} | {gain:+.1f} | {won} / {lost} | {compared.p_value:.2g} |"
            )
    run = reports[ordered[-1]].run
    hardware = ", ".join(f"{key} {value}" for key, value in run["hardware"].items())
    text = [
        f"# Fine-tuned mobilenet_v2 on {name}",
        "",
        table([reports[row].named(row) for row in ordered]),
        "Recall@1 in points, queries won and lost, exact McNemar test:",
        "",
        "| row | against | points | won / lost | p |",
        "|---|---|---|---|---|",
        *lines,
        "",
        f"`python benchmarks/accuracy/fine_tuned.py --data DATA --set {name} --losses ...`",
        "",
        f"Measured {run['date']} at commit {run['commit']}: {hardware}.",
        "",
    ]
    kept = {
        row: {
            "scores": [asdict(score) for score in reports[row].scores],
            "hits": np.packbits(reports[row].outcomes.found(1)).tobytes().hex(),
            "run": dict(reports[row].run),
        }
        for row in ordered
    }
    unfinished = RESULTS / f".fine_tuned_{name}.{os.getpid()}"
    unfinished.write_text("\n".join(text))
    unfinished.replace(RESULTS / f"fine_tuned_{name}.md")
    (RESULTS / f"fine_tuned_{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    print("\n".join(text))


def _rivals(row: str, reports: dict[str, EvaluationReport]) -> list[str]:
    """Rows of the library with the same seed."""
    if row.startswith("library"):
        return []
    seed = row.rpartition("-")[2]
    return [other for other in reports if other.startswith("library") and other.endswith(seed)]


def _say(report: object) -> None:
    print(report, flush=True)


if __name__ == "__main__":
    main()
