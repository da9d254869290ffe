"""What two ranks do together, for ``test_ranks.py``: each function runs once in each of them.

``python -m tests.train.two_ranks RANK FOLDER PICTURES`` runs all of them, the last of which ends
rank 1 as a crash would.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch import distributed as dist
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from retrieval import plugins
from retrieval.data import Benchmark, Split
from retrieval.errors import FgirError
from train import losses
from train.config import OptimizerConfig, RunConfig, TrainConfig, from_settings, override
from train.pictures import Batch, Batches
from train.ranks import Ranks
from train.reports import TrainResult
from train.step import TrainStep
from train.trainer import resume
from train.trainer import train as train_encoder

# ---- steps in float64 ---------------------------------------------------------------------------

LOSSES: dict[str, dict[str, Any]] = {
    "pairs": {"name": "multi_similarity"},
    "proxies": {"name": "proxy_anchor"},
    "centres": {"name": "center"},
    "decorrelated": {"name": "dgcrl", "scale": 8.0},
    "ranking": {"name": "crl"},
    "memory": {"name": "xbm", "size": 16, "start": 1},
}
TARGETS = torch.arange(21) % 3
STEPS = 4
ROWS = 7


class Network(nn.Module):
    """Small enough to follow, in float64; what a step asks of an encoder."""

    transform = SimpleNamespace(normalise=lambda pixels: pixels.double().flatten(1))

    def __init__(self, *, norm: bool, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(12, 8).double()
        self.norm = nn.BatchNorm1d(8).double() if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(8, 5).double()

    def forward(self, images: Tensor) -> Tensor:
        hidden = torch.tanh(self.norm(self.first(images)))
        return nn.functional.normalize(self.last(self.dropout(hidden)))


def steps(
    ranks: Ranks,
    loss: str,
    *,
    pieces: int = 1,
    norm: bool = False,
    dropout: float = 0.0,
    size: int = ROWS,
) -> dict[str, Tensor]:
    """Everything after some steps of two batches each, with clipping and averaged weights."""
    torch.manual_seed(0)
    network = Network(norm=norm, dropout=dropout)
    criterion = plugins.build(losses, LOSSES[loss], num_classes=3, dim=5).double()
    parameters = [*network.parameters(), *criterion.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
    average = get_ema_multi_avg_fn(0.5)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(network, multi_avg_fn=average)
    normalised = network.transform.normalise
    computed = SimpleNamespace(encoder=network, prepared=normalised, embed=network)
    step = TrainStep(
        computed,  # type: ignore[arg-type]
        criterion,
        optimizer,
        averaged,
        RunConfig(pieces=pieces, accumulate=2),
        OptimizerConfig(clip_norm=0.5),
        ranks,
    )
    rng = np.random.default_rng(0)
    lost = []
    for number in range(STEPS):
        batches = []
        for _ in range(2):
            positions = rng.permutation(len(TARGETS))[:size]
            pixels = rng.normal(size=(size, 2, 2, 3)).astype(np.float32)
            own = ranks.rows(size)
            batches.append(Batch(positions, pixels[own.start : own.stop]))
        lost.append(step(batches, TARGETS, None, 1, number + 1, 0.0))  # type: ignore[arg-type]
    return {
        **network.state_dict(),
        **{f"loss.{name}": tensor for name, tensor in criterion.state_dict().items()},
        **{f"average.{name}": tensor for name, tensor in averaged.state_dict().items()},
        "lost": torch.tensor(lost, dtype=torch.float64),
    }


# ---- runs ---------------------------------------------------------------------------------------

RECIPE = {
    "benchmark": {"name": "folder"},
    "loss": {"name": "proxy_anchor"},
    "encoder": {"backbone": "small", "size": 24, "dim": 16},
    "sampler": {"classes": 4, "images": 3, "steps": 3},
    "optimizer": {"name": "sgd", "head_learning_rate": 1e-2},
    "schedule": {"epochs": 2, "warmup": 0.5},
    "validation_share": 0.3,
    "run": {"device": "cpu", "freeze_batch_norm": True, "threads": 1},
}


def recipe(*settings: str) -> TrainConfig:
    return from_settings(override(RECIPE, settings))


def benchmark(folder: Path) -> Benchmark:
    """Pictures in one folder for each class."""
    paths = sorted(folder.glob("*/*.png"))
    names = sorted({path.parent.name for path in paths})
    targets = np.array([names.index(path.parent.name) for path in paths], np.int64)
    split = Split(tuple(paths), targets)
    test = Split(split.paths[:0], targets[:0])
    return Benchmark("figures", test, test, train=split)


def whole(out: Path, pictures: Path) -> TrainResult:
    return train_encoder(recipe(), out, benchmark=benchmark(pictures))


def with_norms(out: Path, pictures: Path) -> TrainResult:
    return train_encoder(recipe("run.freeze_batch_norm=false"), out, benchmark=benchmark(pictures))


REMEMBERING = ("loss.name=xbm", "loss.start=1", "run.average_weights=0.9")


def remembering(out: Path, pictures: Path) -> TrainResult:
    return train_encoder(recipe(*REMEMBERING), out, benchmark=benchmark(pictures))


def stopped(out: Path, pictures: Path) -> TrainResult:
    """Only the last rank asks, in the second epoch."""
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return dist.get_rank() == 1 and asked == 5

    data = benchmark(pictures)
    result = train_encoder(recipe(*REMEMBERING), out, benchmark=data, should_stop=should_stop)
    if result.finished:
        raise RuntimeError("nobody stopped")
    return resume(out, benchmark=data)


class KilledError(Exception):
    """As if the machine had gone."""


def killed(out: Path, pictures: Path) -> TrainResult:
    """Both ranks end in the fifth step, the last state is of the fourth."""
    step, done, data = TrainStep.__call__, 0, benchmark(pictures)

    def dying(self: TrainStep, *args: Any) -> float:
        nonlocal done
        done += 1
        if done == 5:
            raise KilledError
        return step(self, *args)

    with patch.object(TrainStep, "__call__", dying), suppress(KilledError):
        train_encoder(recipe(*REMEMBERING, "run.checkpoint_steps=1"), out, benchmark=data)
    return resume(out, benchmark=data)


def poisoned(out: Path, pictures: Path) -> TrainResult:
    """One picture of rank 1 is no number."""
    make = Batches._make

    def spoiled(self: Any, *args: Any) -> Batch:
        batch = make(self, *args)
        if dist.get_rank() == 1:
            batch.inputs[0, 0, 0, 0] = np.nan
        return batch

    with patch.object(Batches, "_make", spoiled):
        return train_encoder(recipe(), out, benchmark=benchmark(pictures))


def dead(out: Path, pictures: Path) -> TrainResult:
    """Rank 1 ends without a word in its second step."""
    step, done = TrainStep.__call__, 0

    def dying(self: TrainStep, *args: Any) -> float:
        nonlocal done
        done += 1
        if done == 2 and dist.get_rank() == 1:
            os._exit(9)
        return step(self, *args)

    with patch.object(TrainStep, "__call__", dying):
        return train_encoder(recipe(), out, benchmark=benchmark(pictures))


RUNS: tuple[Callable[[Path, Path], TrainResult], ...] = (
    whole, with_norms, remembering, stopped, killed, poisoned, dead,
)  # fmt: skip


def main(rank: int, folder: Path, pictures: Path) -> None:
    store = (folder / "store").as_uri()
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    ranks = Ranks(rank, 2)
    for loss in LOSSES:
        save_file(steps(ranks, loss), folder / f"{loss}-{rank}.safetensors")
        save_file(steps(ranks, loss, pieces=2), folder / f"{loss}-pieces-{rank}.safetensors")
    save_file(steps(ranks, "pairs", norm=True, size=8), folder / f"norm-{rank}.safetensors")
    save_file(steps(ranks, "pairs", dropout=0.5), folder / f"dropout-{rank}.safetensors")
    for run in RUNS:
        try:
            said = str(run(folder / run.__name__, pictures).finished)
        except FgirError as error:
            said = f"{error.identifier}: {error}"
        (folder / f"{run.__name__}-{rank}.txt").write_text(said)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
