"""Channel grouping: parts that are compact and apart, and what they are for."""

import math
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads.ma_cnn import MaCnn as MaCnnHead
from retrieval.poolings.channel_grouping import ChannelGrouping
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.ma_cnn import CLASSIFYING, GROUPING, MaCnn, distance, overlap, peaks

B, C, H, W, N, K = 3, 6, 4, 5, 3, 4
TARGETS = torch.tensor([2, 0, 3])


def last_maps() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(B, C, H, W, generator=generator, dtype=torch.float64)


def attentions() -> Tensor:
    made = torch.rand(B, N, H, W, generator=torch.Generator().manual_seed(1)).double() ** 2
    return made / made.sum(dim=(2, 3), keepdim=True)


def head() -> MaCnnHead:
    torch.manual_seed(0)
    return MaCnnHead(C, K, N).double()


def seen(progress: float) -> Seen:
    maps = last_maps().requires_grad_()
    return Seen(maps, TARGETS, torch.arange(B), lambda x: (1 * x, None), 0, progress)


def test_parts_by_their_definition() -> None:
    torch.manual_seed(0)
    pooling = ChannelGrouping(C, N).double()
    with torch.no_grad():
        found = pooling(last_maps()).numpy()
    for row, image in zip(found, last_maps().numpy(), strict=True):
        for i, layers in enumerate(pooling.grouping):
            first, _, second, _ = cast(list[nn.Linear], layers)
            u, b = second.weight.detach().numpy(), second.bias.detach().numpy()
            v, a = first.weight.detach().numpy(), first.bias.detach().numpy()
            hidden = np.tanh(v @ image.mean(axis=(1, 2)) + a)
            groups = [1 / (1 + math.exp(-float(u[c] @ hidden + b[c]))) for c in range(C)]
            sums = np.array(
                [
                    [sum(groups[c] * image[c, y, x] for c in range(C)) for x in range(W)]
                    for y in range(H)
                ]
            )
            scaled = (sums - sums.mean()) / math.sqrt(sums.var() + 1e-5)
            attention = 1 / (1 + np.exp(-scaled))
            attention = attention / attention.sum()
            for c in range(C):
                want = sum(attention[y, x] * image[c, y, x] for y in range(H) for x in range(W))
                assert row[i * C + c] == pytest.approx(want)


def test_distance_by_its_definition() -> None:
    want = 0.0
    for image in attentions().numpy():
        for part in image:
            top = np.unravel_index(part.argmax(), part.shape)
            for y in range(H):
                for x in range(W):
                    want += part[y, x] * (((y - top[0]) / H) ** 2 + ((x - top[1]) / W) ** 2) / B
    assert float(distance(attentions())) == pytest.approx(want)


def test_overlap_by_its_definition() -> None:
    want = 0.0
    for image in attentions().numpy():
        for i in range(N):
            for y in range(H):
                for x in range(W):
                    others = max(image[k, y, x] for k in range(N) if k != i)
                    want += image[i, y, x] * (others - 0.02) / B
    assert float(overlap(attentions(), 0.02)) == pytest.approx(want)


def test_equal_attentions_overlap_as_they_are() -> None:
    """Where two parts share the greatest value each has the other's beside it."""
    same = attentions()[:, :1].expand(-1, 2, -1, -1)
    want = 2 * same[:, 0].square().sum() / B
    assert float(overlap(same, 0.0)) == pytest.approx(float(want))
    one = torch.zeros(1, 2, 1, 2)
    one[0, 0, 0, 0] = one[0, 1, 0, 1] = 1
    assert float(distance(one)) == float(overlap(one, 0.0)) == 0


def test_gradients_are_right() -> None:
    free = attentions().requires_grad_()
    assert torch.autograd.gradcheck(distance, free)
    assert torch.autograd.gradcheck(lambda m: overlap(m, 0.02), free)


def test_grouping_moves_by_its_own_losses_alone() -> None:
    model, scheme = head(), MaCnn(CrossEntropy(), C)
    batch = seen(0.5)
    loss = scheme(model, batch, GROUPING)
    pooling = model.pooling
    found = pooling.attentions(last_maps(), pooling.groups(last_maps()))
    torch.testing.assert_close(loss, distance(found) + 2 * overlap(found, 0.02))
    loss.backward()
    assert batch.inputs.grad is None, "the backbone is left alone, and not computed backwards"
    chosen = scheme.learned(model, GROUPING)
    assert chosen is not None
    assert {id(p) for p in chosen} == {id(p) for p in model.parameters() if p.grad is not None}


def test_classifying_moves_all_but_the_grouping() -> None:
    model, scheme = head(), MaCnn(CrossEntropy(), C)
    batch = seen(0.5)
    loss = scheme(model, batch, CLASSIFYING)
    found = model.pooling(last_maps()).unflatten(1, (N, C))
    answers = [model.classifiers[i](found[:, i]) for i in range(N)]
    torch.testing.assert_close(loss, sum(F.cross_entropy(one, TARGETS) for one in answers))
    torch.testing.assert_close(model(last_maps()), sum(answers) / N)
    loss.backward()
    assert batch.inputs.grad is not None
    assert all(p.grad is None for p in model.pooling.grouping.parameters())
    assert all(p.grad is not None for p in model.classifiers.parameters())


def test_groups_start_as_channels_that_peak_together() -> None:
    """Channels 0 and 3, 1 and 4, 2 and 5 have their peaks at three corners."""
    model, scheme = head(), MaCnn(CrossEntropy(), C)
    last = last_maps() / 10
    for channel in range(C):
        last[:, channel, 0 if channel % 3 < 2 else H - 1, 0 if channel % 3 else W - 1] += 1
    batch = Seen(last, TARGETS, torch.arange(B), lambda x: (x, None), 0, 0.0)
    loss = scheme(model, batch, GROUPING)
    groups = scheme.group_of.tolist()
    assert groups[:3] == groups[3:]
    assert len(set(groups)) == N
    wanted = torch.tensor([[float(groups[c] == i) for c in range(C)] for i in range(N)]).double()
    told = model.pooling.groups(last)
    want = -(wanted * told.log() + (1 - wanted) * (1 - told).log()).mean()
    torch.testing.assert_close(loss, want)
    scheme(model, seen(0.0), GROUPING)
    assert scheme.group_of.tolist() == groups, "kept from the first batch"


def test_peaks() -> None:
    maps = torch.zeros(1, 1, 2, 4)
    maps[0, 0, 1, 2] = 1
    assert peaks(maps).tolist() == [[[0.75, 0.625]]]


def test_what_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"start of ma_cnn must be in 0..1; got 2"):
        MaCnn(CrossEntropy(), C, start=2)
    with pytest.raises(BadInputError, match="parts of channel_grouping must be at most the chan"):
        MaCnnHead(2, K, parts=3)
    with pytest.raises(BadInputError, match="parts of ma_cnn must be 2 or more; got 1"):
        MaCnnHead(C, K, parts=1)
