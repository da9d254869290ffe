"""Which weights are pulled to zero, how fast each part moves, and when."""

import itertools

import pytest
import torch
from torch import nn

from retrieval.encoder import build_encoder
from train.config import OptimizerConfig, ScheduleConfig
from train.losses.proxy_anchor import ProxyAnchor
from train.optimization import (
    keep_norms,
    learning_rate_share,
    make_optimizer,
    rest_backbone,
    set_learning_rates,
)

CONFIG = OptimizerConfig(
    backbone_learning_rate=1.0, head_learning_rate=2.0, loss_learning_rate=3.0, weight_decay=0.1
)


def test_every_weight_is_in_one_group_and_norms_biases_and_proxies_do_not_decay() -> None:
    encoder, loss = build_encoder("small", "gem", size=32, dim=8), ProxyAnchor(4, 8)
    optimizer = make_optimizer(encoder, loss, CONFIG)
    grouped = [p for group in optimizer.param_groups for p in group["params"]]
    everything = [*encoder.parameters(), *loss.parameters()]
    assert len(grouped) == len(everything)
    assert {id(p) for p in grouped} == {id(p) for p in everything}
    decays = {id(p) for g in optimizer.param_groups if g["weight_decay"] for p in g["params"]}
    for name, parameter in encoder.named_parameters():
        assert (id(parameter) in decays) == (parameter.ndim > 1), name
    assert not decays & {id(p) for p in loss.parameters()}
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert {rates[id(p)] for p in encoder.backbone.parameters()} == {1.0}
    assert encoder.projection is not None
    assert {rates[id(p)] for p in encoder.projection.parameters()} == {2.0}
    assert {rates[id(p)] for p in encoder.pooling.parameters()} == {2.0}
    assert {rates[id(p)] for p in loss.parameters()} == {3.0}


def test_a_rate_of_nothing_freezes() -> None:
    encoder = build_encoder("small", size=32, dim=8)
    frozen = OptimizerConfig(backbone_learning_rate=0.0)
    optimizer = make_optimizer(encoder, nn.Identity(), frozen)
    assert {group["name"] for group in optimizer.param_groups} == {"projection"}
    assert not any(p.requires_grad for p in encoder.backbone.parameters())


def test_sgd_has_momentum() -> None:
    encoder = build_encoder("small", size=32, dim=8)
    optimizer = make_optimizer(encoder, nn.Identity(), OptimizerConfig(name="sgd"))
    assert isinstance(optimizer, torch.optim.SGD)
    assert {group["momentum"] for group in optimizer.param_groups} == {0.9}


def test_rates_rise_and_fall() -> None:
    config = ScheduleConfig(epochs=5, warmup=1.5, final_share=0.1)
    shares = [learning_rate_share(step, 4, config) for step in range(20)]
    assert shares[:6] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert shares[6] == 1
    assert all(a > b for a, b in itertools.pairwise(shares[6:]))
    assert shares[6 + 7] == pytest.approx(0.1 + 0.9 / 2)
    assert learning_rate_share(20, 4, config) == pytest.approx(0.1)


def test_rates_fall_in_steps() -> None:
    config = ScheduleConfig(epochs=6, warmup=0.5, decay_epochs=2, decay=0.1)
    shares = [learning_rate_share(step, 4, config) for step in range(24)]
    assert shares[:2] == pytest.approx([0.5, 1.0])
    assert shares[2:8] == [1] * 6
    assert shares[8:16] == pytest.approx([0.1] * 8)
    assert shares[16:] == pytest.approx([0.01] * 8)


def test_a_backbone_that_rests_does_not_learn_and_kept_norms_never_do() -> None:
    encoder = build_encoder("small", size=32, dim=8).train()
    keep_norms(encoder)
    optimizer = make_optimizer(encoder, nn.Identity(), CONFIG)
    learning = {name for name, p in encoder.named_parameters() if p.requires_grad}
    rest_backbone(optimizer, rest=True)
    resting = {name for name, p in encoder.named_parameters() if p.requires_grad}
    assert resting == {"projection.weight", "projection.bias"}
    rest_backbone(optimizer, rest=False)
    assert {name for name, p in encoder.named_parameters() if p.requires_grad} == learning


def test_setting_rates_twice_is_setting_them_once() -> None:
    encoder = build_encoder("small", size=32, dim=8)
    optimizer = make_optimizer(encoder, nn.Identity(), CONFIG)
    set_learning_rates(optimizer, 0.5)
    set_learning_rates(optimizer, 0.25)
    assert {group["lr"] for group in optimizer.param_groups} == {0.25, 0.5}


def test_kept_norms_neither_learn_nor_count() -> None:
    layer, norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
    module = nn.Sequential(layer, norm).train()
    keep_norms(module)
    module(torch.randn(8, 3, 5, 5)).sum().backward()
    assert norm.num_batches_tracked == 0
    assert norm.weight.grad is None
    assert layer.weight.grad is not None
