"""Maps that are kept: what the frozen layers make, the same for every run that shares them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from retrieval.data import Benchmark
from retrieval.encoder import build_encoder
from retrieval.errors import BadInputError, DamagedDataError, StorageError
from tests.train.test_trainer import Stop, numbers, same
from train.cached import CachedMaps
from train.config import TrainConfig, from_settings, override
from train.network import Network
from train.pictures import Batches, Pictures
from train.ranks import Ranks
from train.trainer import resume, train

RECIPE = {
    "benchmark": {"name": "folder"},
    "loss": {"name": "proxy_anchor"},
    "encoder": {"backbone": "small", "size": 24, "dim": 16},
    "sampler": {"classes": 4, "images": 3},
    "optimizer": {"frozen_layers": 3},
    "schedule": {"epochs": 2, "warmup": 0.5},
    "validation_share": 0.3,
    "run": {"device": "cpu", "cached_views": 2},
}


def recipe(*settings: str) -> TrainConfig:
    return from_settings(override(RECIPE, settings))


class Made:
    """Maps of the training part, and how many batches it took to compute them."""

    def __init__(self, figures: Benchmark, *settings: str, ranks: Ranks = Ranks()) -> None:  # noqa: B008
        config = recipe(*settings)
        self.encoder = build_encoder("small", size=24, dim=16)
        bf16 = config.run.precision == "bf16"
        self.network = Network(self.encoder, 3, fold=False, bf16=bf16)
        self.pictures = Pictures(figures.train.paths, self.encoder.transform, 64, threads=1)
        self.computed = 0
        self.cached = CachedMaps(self.pictures, self.network, config, ranks, self.count)

    def count(self, done: int, of: int) -> None:
        self.computed = done
        assert done <= of


def test_maps_are_what_the_frozen_layers_make(figures: Benchmark) -> None:
    made = Made(figures)
    config, transform = recipe(), made.encoder.transform
    batches = Batches(made.pictures, transform, config.augment, 0, threads=1)
    chunks = [np.arange(start, min(start + 64, 72)) for start in (0, 64)]
    assert made.cached.maps.shape[:2] == (72, 2)
    for view in range(2):
        for batch in batches.epoch(view, chunks):
            images = transform.normalise(torch.as_tensor(batch.inputs))
            want = made.network.features(images)
            assert torch.equal(made.cached.maps[batch.positions, view], want)
    assert not torch.equal(made.cached.maps[:, 0], made.cached.maps[:, 1])


def test_batches_draw_views_by_seed_epoch_and_step(figures: Benchmark) -> None:
    made = Made(figures)
    chosen = [np.array([3, 4, 5, 6, 7, 8, 9, 10]), np.array([11, 12])]

    def inputs(cached: CachedMaps, epoch: int, start: int = 0) -> list[torch.Tensor]:
        return [torch.as_tensor(batch.inputs) for batch in cached.epoch(epoch, chosen, start)]

    first, again = inputs(made.cached, 0), inputs(Made(figures).cached, 0)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert torch.equal(inputs(made.cached, 0, start=1)[0], first[1])
    assert not torch.equal(inputs(made.cached, 1)[0], first[0])
    for row, position in zip(first[0], chosen[0], strict=True):
        assert any(torch.equal(row, view) for view in made.cached.maps[position])
    halves = [inputs(Made(figures, ranks=Ranks(number, 2)).cached, 0)[0] for number in range(2)]
    assert torch.equal(torch.cat(halves), first[0])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_file_is_read_again_by_a_run_with_the_same_pictures(
    figures: Benchmark, tmp_path: Path, precision: str
) -> None:
    settings = f"run.maps_folder={tmp_path}", f"run.precision={precision}"
    first, again = Made(figures, *settings), Made(figures, *settings, "seed=5")
    in_memory = Made(figures, f"run.precision={precision}")
    assert first.computed == in_memory.computed == 4
    assert again.computed == 0
    assert torch.equal(first.cached.maps, again.cached.maps)
    assert torch.equal(first.cached.maps, in_memory.cached.maps)
    assert first.cached.maps.dtype == getattr(torch, {"fp32": "float32"}.get(precision, "bfloat16"))
    other = Made(figures, *settings, "run.views_seed=1")
    assert other.computed == 4
    assert not torch.equal(other.cached.maps, first.cached.maps)
    assert {file.suffix for file in tmp_path.iterdir()} == {".npy"}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_was_cut_is_a_sentence(figures: Benchmark, tmp_path: Path) -> None:
    Made(figures, f"run.maps_folder={tmp_path}")
    [file] = tmp_path.iterdir()
    with file.open("r+b") as opened:
        opened.truncate(1000)
    with pytest.raises(
        DamagedDataError, match=r"must hold the maps that were kept; got: .* Delete"
    ):
        Made(figures, f"run.maps_folder={tmp_path}")


def test_other_frozen_weights_are_other_maps(figures: Benchmark, tmp_path: Path) -> None:
    first = Made(figures, f"run.maps_folder={tmp_path}")
    with torch.no_grad():
        next(first.encoder.backbone.parameters()).add_(1)
    changed = Network(first.encoder, 3, fold=False, bf16=False)
    config = recipe(f"run.maps_folder={tmp_path}")
    again = CachedMaps(first.pictures, changed, config, Ranks(), lambda done, of: None)
    assert not torch.equal(again.maps, first.cached.maps)


def test_maps_that_do_not_fit(figures: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"cache_mib = 1; got 400 views of 72 .* set run.maps"):
        Made(figures, "run.cache_mib=1", "run.cached_views=400")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="must have room"):
        Made(figures, f"run.maps_folder={tmp_path / 'file'}")
    with pytest.raises(BadInputError, match="cached_views needs frozen layers"):
        recipe("optimizer.frozen_layers=0")


@pytest.mark.parametrize("frozen_norms", ["true", "false"])
def test_a_stopped_run_goes_on_bit_by_bit(
    figures: Benchmark, tmp_path: Path, frozen_norms: str
) -> None:
    config = recipe(
        f"run.maps_folder={tmp_path / 'maps'}",
        f"run.freeze_batch_norm={frozen_norms}",
        "run.average_weights=0.9",
    )
    whole = train(config, tmp_path / "whole", benchmark=figures)
    train(config, tmp_path / "stopped", benchmark=figures, should_stop=Stop(7))
    assert same(resume(tmp_path / "stopped", benchmark=figures), whole)
    assert whole.reports[-1].hits > 0


def test_frozen_layers_do_not_move(figures: Benchmark, tmp_path: Path) -> None:
    result = train(recipe(), tmp_path / "run", benchmark=figures)
    start = build_encoder("small", size=24, dim=16).backbone.state_dict()
    moved = {
        name
        for name, tensor in numbers(result).items()
        if name.startswith("encoder/backbone.")
        and not torch.equal(tensor, start[name.removeprefix("encoder/backbone.")])
    }
    assert moved
    assert all("first.2" in name or "final" in name for name in moved)
