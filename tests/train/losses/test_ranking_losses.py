"""Smooth-AP and FastAP against their equations, as plain loops in float64."""

import math

import pytest
import torch
from torch import Tensor

from train.losses.fast_ap import FastAP
from train.losses.smooth_ap import SmoothAP

Batch = tuple[Tensor, Tensor]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0


def smooth_ap_by_loops(scores: Tensor, positive: Tensor, ranked: Tensor, tau: float) -> float:
    losses = []
    for i in range(len(scores)):
        others = [k for k in range(scores.shape[1]) if ranked[i, k]]
        mine = [k for k in others if positive[i, k]]
        precision = 0.0
        for j in mine:
            before = {
                k: sigmoid(float(scores[i, k] - scores[i, j]) / tau) for k in others if k != j
            }
            in_class = 1 + sum(value for k, value in before.items() if k in mine)
            precision += in_class / (1 + sum(before.values())) / len(mine)
        if mine:
            losses.append(1 - precision)
    return sum(losses) / len(losses)


@pytest.mark.parametrize("tau", [0.01, 0.2])
def test_smooth_ap(batch: Batch, tau: float) -> None:
    x, y = batch
    ranked = ~torch.eye(len(x), dtype=torch.bool)
    want = smooth_ap_by_loops(x @ x.T, y[:, None] == y, ranked, tau)
    assert SmoothAP(tau)(x, y).item() == pytest.approx(want, rel=1e-9)


def test_smooth_ap_of_references(batch: Batch) -> None:
    x, y = batch
    scores, positive = x[:4] @ x[4:].T, y[:4, None] == y[4:]
    want = smooth_ap_by_loops(scores, positive, torch.ones_like(positive), 0.1)
    assert SmoothAP(0.1)(x[:4], y[:4], x[4:], y[4:]).item() == pytest.approx(want, rel=1e-9)


def test_smooth_ap_nears_average_precision(batch: Batch) -> None:
    x, y = batch
    scores = (x @ x.T).fill_diagonal_(-9)
    total = 0.0
    for i in range(len(x)):
        order = scores[i].argsort(descending=True)[:-1]
        hits = (y[order] == y[i]).double()
        precision = hits.cumsum(0) / torch.arange(1, len(x))
        total += float((precision * hits).sum() / hits.sum())
    assert SmoothAP(1e-6)(x, y).item() == pytest.approx(1 - total / len(x), abs=1e-6)


def test_smooth_ap_is_the_librarys_with_the_anchor_as_its_own_positive() -> None:
    from pytorch_metric_learning.losses import SmoothAPLoss

    generator = torch.Generator().manual_seed(0)
    x = torch.nn.functional.normalize(torch.randn(9, 5, generator=generator))
    y = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])  # elsewhere it takes P for K
    want = smooth_ap_by_loops(x @ x.T, y[:, None] == y, torch.ones(9, 9, dtype=torch.bool), 0.1)
    assert SmoothAPLoss(0.1)(x, y).item() == pytest.approx(want, rel=1e-4)


def test_fast_ap(batch: Batch) -> None:
    x, y = batch
    bins, width = 5, 4 / 5
    total = 0.0
    for i in range(len(x)):
        positive, everybody = [0.0] * (bins + 1), [0.0] * (bins + 1)
        for j in range(len(x)):
            if j == i:
                continue
            z = float((x[i] - x[j]).square().sum())
            for b in range(bins + 1):
                share = max(0.0, 1 - abs(z - b * width) / width)
                everybody[b] += share
                positive[b] += share * bool(y[i] == y[j])
        precision, sum_positive, sum_all = 0.0, 0.0, 0.0
        for b in range(bins + 1):
            sum_positive, sum_all = sum_positive + positive[b], sum_all + everybody[b]
            if positive[b] and sum_all:
                precision += positive[b] * sum_positive / sum_all
        total += 1 - precision / int((y == y[i]).sum() - 1)
    assert FastAP(bins)(x, y).item() == pytest.approx(total / len(x), rel=1e-9)
