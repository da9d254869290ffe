"""Every recipe of the house can be built: its data set, its loss and its encoder."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import train.losses
from retrieval import benchmarks, plugins
from train.config import RECIPES, read_recipe
from train.tasks.classes import made_encoder

NAMES = sorted(
    path.stem for path in RECIPES.glob("*.toml") if read_recipe(path.stem).task != "recognition"
)
TRAINING_CLASSES = {"cub200": 100, "cars196": 98, "pairs": 200}  # objects, of QMUL-Chair
DIMS = {"crl_wsl": 1024, "dgcrl": 4096, "pce_style": 4096, "proxy_anchor": 512}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_can_be_built(name: str) -> None:
    config = read_recipe(name)
    assert config.benchmark["name"] in plugins.names(benchmarks)
    classes = TRAINING_CLASSES.get(config.benchmark["name"], 20)
    assert config.sampler.classes <= classes
    with torch.device("meta"):  # shapes without numbers
        encoder = made_encoder(replace(config, encoder=replace(config.encoder, pretrained=False)))
        loss = plugins.build(train.losses, config.loss, num_classes=classes, dim=encoder.dim)
    assert all(parameter.is_meta for parameter in encoder.parameters())
    assert isinstance(loss, nn.Module)
    own = config.encoder.dim or encoder.pooling.out_dim(encoder.backbone.channels)
    assert encoder.dim == DIMS.get(name.partition("_")[2], own)


@pytest.mark.parametrize("method", DIMS)
def test_birds_and_cars_are_trained_alike(method: str) -> None:
    """But for what the authors chose for each."""
    birds, cars = read_recipe(f"cub_{method}"), read_recipe(f"cars_{method}")
    if method == "proxy_anchor":
        assert (birds.schedule.decay_epochs, cars.schedule.decay_epochs) == (5, 10)
    same = replace(cars.schedule, decay_epochs=birds.schedule.decay_epochs)
    assert replace(cars, benchmark=birds.benchmark, schedule=same) == birds


def test_a_recipe_for_each_supervised_row_of_the_table() -> None:
    assert {f"{data}_{method}" for data in ("cub", "cars") for method in DIMS} <= set(NAMES)
