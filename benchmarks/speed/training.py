"""Training against pytorch-metric-learning's own trainer: images a second, side by side.

    python benchmarks/speed/training.py --rounds 3

Both train mobilenet_v2 (random weights; speed does not depend on them) on the same generated photos
with batches of 16 x 4 and the Multi-Similarity loss, in alternation: the library before and after
each of our blocks, and a block's ratio is to the mean of its neighbours. The library is used as its
documentation shows it: ``MetricLossOnly``, float32, a data loader with two workers, torchvision's
transforms. Ours are recipes: everything learned, with norms learned or frozen, and the frozen
layers of recipe two_cores with pictures varied at every step, then from kept maps, where the time
to make them is shared out over the recipe's epochs. Nothing else should run on the machine.
"""

import argparse
import json
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from pytorch_metric_learning import losses, miners, samplers, trainers
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision import models, transforms

from retrieval.data import Benchmark, Split
from retrieval.provenance import provenance
from train.config import from_settings, override
from train.trainer import train

RESULTS = Path(__file__).resolve().parents[1] / "results"
CLASSES, IMAGES = 32, 20

RECIPE: dict[str, Any] = {
    "benchmark": {"name": "folder"},
    "loss": {"name": "multi_similarity"},
    "encoder": {"backbone": "mobilenet_v2"},
    "sampler": {"classes": 16, "images": 4},
    "augment": {"crop_share": 0.25},
    "run": {"precision": "bf16"},
    "schedule": {"epochs": 2, "warmup": 0},
    "validation_share": 0.0,
}
OURS = {
    "everything learned": [],
    "norms frozen": ["run.freeze_batch_norm=true"],
    "first 7 of 19 layers frozen": ["run.freeze_batch_norm=true", "optimizer.frozen_layers=7"],
    "the same, from kept maps": [
        "run.freeze_batch_norm=true",
        "optimizer.frozen_layers=7",
        "run.cached_views=1",
    ],
}


class Photos(Dataset[tuple[Tensor, int]]):
    """Files and their classes, varied as torchvision does it."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self._vary = transforms.Compose(
            [
                transforms.RandomResizedCrop(224, (0.25, 1)),
                transforms.RandomHorizontalFlip(),
                transforms.ColorJitter(0.2, 0.2, 0.2),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        with Image.open(self._split.paths[position]) as image:
            varied: Tensor = self._vary(image.convert("RGB"))
        return varied, int(self._split.targets[position])


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=OURS, default=list(OURS))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        split = _photos(Path(folder) / "photos")
        rows: dict[str, dict[str, Any]] = {
            row: {"ours": [], "library": [], "ratios": []} for row in chosen.rows
        }
        before = _library(split)
        for number in range(chosen.rounds):
            for row in chosen.rows:
                ours = _ours(split, OURS[row], Path(folder) / f"run-{number}-{len(row)}")
                after = _library(split)
                library = (before + after) / 2
                rows[row]["ours"].append(ours)
                rows[row]["library"].append(library)
                rows[row]["ratios"].append(ours / library)
                print(f"{row}: {ours:.1f} images/s, library {library:.1f}", flush=True)
                before = after
    run = provenance()
    (RESULTS / "training.json").write_text(json.dumps({"rows": rows, "run": run}, indent=1) + "\n")
    text = _text(rows, run, chosen.rounds)
    (RESULTS / "training.md").write_text(text)
    print(text)


def _photos(folder: Path) -> Split:
    """Noise, smoothed so that files have the size of photos; what they show costs no time."""
    random = torch.Generator().manual_seed(0)
    paths, targets = [], []
    for number in range(CLASSES * IMAGES):
        rough = torch.rand(1, 3, 40, 30, generator=random)
        smooth = nn.functional.interpolate(rough, (500, 375), mode="bicubic").clamp(0, 1)
        pixels = (smooth[0].permute(1, 2, 0) * 255).byte().numpy()
        folder.mkdir(exist_ok=True)
        paths.append(folder / f"{number}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=90)
        targets.append(number // IMAGES)
    return Split(tuple(paths), torch.tensor(targets).numpy())


def _library(split: Split) -> float:
    """Images a second of its trainer, after one step that is not counted."""
    network = models.mobilenet_v2(weights=None)
    network.classifier = nn.Identity()
    ticks: list[float] = []
    trainer = trainers.MetricLossOnly(
        {"trunk": network},
        {"trunk_optimizer": torch.optim.AdamW(network.parameters(), 1e-4)},
        64,
        {"metric_loss": losses.MultiSimilarityLoss()},
        Photos(split),
        mining_funcs={"tuple_miner": miners.MultiSimilarityMiner()},
        sampler=samplers.MPerClassSampler(split.targets, 4, 64, len(split)),
        dataloader_num_workers=2,
        iterations_per_epoch=5,
        end_of_iteration_hook=lambda trainer: ticks.append(time.perf_counter()),
    )
    trainer.train(num_epochs=1)
    return 64 / statistics.mean(second - first for first, second in pairwise(ticks))


def _ours(split: Split, settings: list[str], out: Path) -> float:
    """Images a second of the second epoch, or of all that a run with kept maps does."""
    config = from_settings(override(RECIPE, settings))
    test = Split(tuple(path.with_suffix(".png") for path in split.paths[:2]), split.targets[:2])
    result = train(config, out, benchmark=Benchmark("noise", test, test, train=split))
    speed = result.reports[-1].images_per_second
    if not config.run.cached_views:
        return speed
    epochs = 8  # of recipe two_cores, which makes 6 variations for them
    made = result.seconds - sum(report.seconds for report in result.reports)
    return epochs / (epochs / speed + 6 * made / len(split))


def _text(rows: dict[str, dict[str, Any]], run: dict[str, Any], rounds: int) -> str:
    lines = [
        f"| {row} | {statistics.median(found['library']):.1f} | "
        f"{statistics.median(found['ours']):.1f} | {statistics.median(found['ratios']):.1f} | "
        f"{min(found['ratios']):.1f} to {max(found['ratios']):.1f} |"
        for row, found in rows.items()
    ]
    hardware = ", ".join(f"{key} {value}" for key, value in run["hardware"].items())
    return "\n".join(
        [
            "# Training throughput beside pytorch-metric-learning's trainer",
            "",
            "mobilenet_v2 at 224 px, batches of 64, Multi-Similarity; images a second.",
            "",
            "| ours | library | ours | ratio | of all rounds |",
            "|---|---|---|---|---|",
            *lines,
            "",
            "The last row counts the making of the maps: six variations for eight epochs.",
            "",
            f"`python benchmarks/speed/training.py --rounds {rounds}`, measured {run['date']} at",
            f"commit {run['commit']}: {hardware}.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
