"""Attention in the style of DSSA against its definition: float64, plain loops."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from retrieval.checkpoints import load_encoder, save_encoder
from retrieval.encoder import Encoder, build_encoder
from retrieval.errors import BadInputError
from retrieval.poolings.attention_style import AttentionStyle
from retrieval.poolings.grid import Grid
from tests.retrieval.test_grid import steps
from train.config import OptimizerConfig
from train.optimization import make_optimizer

Rows = list[list[float]]


def learned(channels: int = 3, **options: float) -> AttentionStyle:
    """Attention that is not uniform, in float64."""
    torch.manual_seed(1)
    pooling = AttentionStyle(channels, **{"cells": 2, "hidden": 4, **options})  # type: ignore[arg-type]
    torch.nn.init.normal_(pooling.scores.weight)
    return pooling.double()


def maps(height: int = 3, width: int = 4, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, 3, height, width, dtype=torch.float64, generator=generator)


def unit(values: list[float]) -> list[float]:
    norm = math.sqrt(sum(value**2 for value in values))
    return [value / norm for value in values]


def attention_by_loops(pooling: AttentionStyle, image: torch.Tensor) -> Rows:
    assert pooling.features.bias is not None
    weight, bias = pooling.features.weight.detach()[:, :, 0, 0], pooling.features.bias.detach()
    last = pooling.scores.weight.detach()[0, :, 0, 0]
    scores: Rows = []
    for y in range(image.shape[1]):
        scores.append([])
        for x in range(image.shape[2]):
            score = 0.0
            for row in range(pooling.hidden):
                inner = float(bias[row])
                for channel in range(len(image)):
                    inner += float(weight[row, channel] * image[channel, y, x])
                score += float(last[row]) * max(0.0, inner)
            scores[-1].append(math.exp(score))
    total = sum(sum(row) for row in scores)
    return [[value / total for value in row] for row in scores]


def descriptor_by_loops(pooling: AttentionStyle, image: torch.Tensor) -> list[float]:
    where, (channels, height, width) = attention_by_loops(pooling, image), image.shape
    fine, coarse = [], []
    for channel in range(channels):
        for i in range(pooling.cells):
            for j in range(pooling.cells):
                inside = [
                    float(image[channel, y, x]) * (1 + pooling.gain * where[y][x])
                    for y in steps(i, pooling.cells, height)
                    for x in steps(j, pooling.cells, width)
                ]
                fine.append(sum(inside) / len(inside))
        coarse.append(float(image[channel].sum()) / (height * width))
    return [*unit(fine), *unit(coarse)]


@pytest.mark.parametrize(("cells", "gain"), [(1, 1.0), (2, 1.0), (3, 12.0)])
def test_the_definition(cells: int, gain: float) -> None:
    pooling = learned(cells=cells, gain=gain)
    found = pooling(maps()).detach().numpy()
    want = np.array([descriptor_by_loops(pooling, image) for image in maps()])
    np.testing.assert_allclose(found, want, rtol=1e-10)
    assert found.shape[1] == pooling.out_dim((99, 3))


def test_attention_is_a_share_of_every_position() -> None:
    pooling = learned()
    where = pooling.attention(maps())
    want = np.array([attention_by_loops(pooling, image) for image in maps()])
    np.testing.assert_allclose(where.detach().numpy(), want, rtol=1e-10)
    torch.testing.assert_close(where.sum(dim=(1, 2)), torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("gain", [0.0, 1.0, 30.0])
def test_before_training_it_finds_what_a_grid_does(gain: float) -> None:
    pooling = AttentionStyle(3, cells=2, gain=gain)
    image = maps().float()
    fine, coarse = pooling(image).split([12, 3], dim=1)
    torch.testing.assert_close(fine, F.normalize(Grid(2)(image)))
    torch.testing.assert_close(coarse, F.normalize(image.mean(dim=(2, 3))))


def test_gradients_of_attention_that_is_not_uniform() -> None:
    pooling, image = learned(gain=5.0), maps().requires_grad_()
    assert torch.autograd.gradcheck(pooling, (image,))
    for name, parameter in pooling.named_parameters():

        def call(value: torch.Tensor, name: str = name) -> torch.Tensor:
            result: torch.Tensor = torch.func.functional_call(pooling, {name: value}, (maps(),))
            return result

        assert torch.autograd.gradcheck(call, parameter.detach().clone().requires_grad_())


def test_it_learns_to_look_where_it_matters() -> None:
    """One position, marked by channel 0, tells two classes apart; all others are noise."""
    torch.manual_seed(0)
    pooling = AttentionStyle(3, cells=1, hidden=8, gain=16.0)
    optimizer = torch.optim.Adam(pooling.parameters(), lr=0.03)

    def batch(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        images, targets = torch.rand(count, 3, 4, 4), torch.randint(0, 2, (count,))
        images[:, 0] = 0
        places, rows = torch.randint(0, 16, (count,)), torch.arange(count)
        flat = images.view(count, 3, 16)
        flat[rows, 0, places] = 1.0
        flat[rows, 1, places] = targets.float()
        flat[rows, 2, places] = 1 - targets.float()
        return images, targets, places

    def right(count: int) -> float:
        images, targets, _ = batch(count)
        with torch.no_grad():
            rows = pooling(images)
        return float(((rows[:, 1] > rows[:, 2]).long() == targets).float().mean())

    images, _, places = batch(200)
    before = pooling.attention(images).flatten(1)[torch.arange(200), places].mean()
    blind = right(1000)
    for _ in range(150):
        images, targets, _ = batch(64)
        rows = pooling(images)
        F.cross_entropy(10 * rows[:, [2, 1]], targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
    images, _, places = batch(200)
    after = pooling.attention(images).flatten(1)[torch.arange(200), places].mean()
    torch.testing.assert_close(before, torch.tensor(1 / 16))
    assert after > 0.5
    assert right(1000) > max(0.95, blind + 0.05)


def test_the_encoder_says_how_many_channels_there_are(tmp_path: Path) -> None:
    encoder = build_encoder("small", {"name": "attention_style", "cells": 2}, size=32)
    assert isinstance(encoder.pooling, AttentionStyle)
    assert encoder.pooling.channels == encoder.backbone.channels[1]
    torch.nn.init.normal_(encoder.pooling.scores.weight)
    save_encoder(encoder, tmp_path)
    again = load_encoder(tmp_path)
    assert again.fingerprint() == encoder.fingerprint()
    assert Encoder.from_settings(encoder.settings()).settings() == encoder.settings()
    images = torch.rand(2, 3, 32, 32)
    np.testing.assert_array_equal(again.vectors(images), encoder.vectors(images))
    settings = encoder.pooling.settings()
    assert build_encoder("small", settings, size=32).pooling.settings() == settings


def test_its_weights_learn_as_fast_as_the_head() -> None:
    encoder = build_encoder("small", "attention_style", size=32)
    config = OptimizerConfig(head_learning_rate=2.0)
    optimizer = make_optimizer(encoder, torch.nn.Identity(), config)
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert [rates[id(p)] for p in encoder.pooling.parameters()] == [2.0] * 3


def test_options_that_cannot_be() -> None:
    wrong = {"name": "attention_style", "channels": 7}
    with pytest.raises(BadInputError, match=r"must be those of the last map, \d+; got 7\. Leave"):
        build_encoder("small", wrong, size=32)
    for options in ({"cells": 0}, {"hidden": 0}, {"channels": 0}):
        with pytest.raises(BadInputError, match=r"of attention_style must be in 1\.\.\d+; got 0"):
            AttentionStyle(**{"channels": 3, **options})
    with pytest.raises(BadInputError, match=r"gain of attention_style must be 0 or more; got -1"):
        AttentionStyle(3, gain=-1)
