"""Mutual-channel loss, by its definition."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from retrieval.errors import BadInputError
from retrieval.heads.mc_loss import McLoss
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.mc_loss import McLoss as Scheme
from train.schemes.mc_loss import evidence, random_mask, sameness

CLASSES = 4


def maps(channels: int = 5, *size: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, channels, *(size or (2, 3)), generator=generator, dtype=torch.float64)


def head(channels: int = 5, per_class: int = 3) -> McLoss:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return McLoss(channels, CLASSES, per_class).double().eval()


@pytest.mark.parametrize("per_class", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_both_losses_by_their_definition(per_class: int, size: tuple[int, int]) -> None:
    groups = maps(CLASSES * per_class, *size).reshape(3, CLASSES, per_class, *size)
    mask = random_mask(CLASSES, per_class)
    diversity, found = 0.0, evidence(groups, mask)
    for b in range(3):
        for c in range(CLASSES):
            strongest, peaks = [], []
            sums = [math.fsum(groups[b, c, j].exp().flatten().tolist()) for j in range(per_class)]
            for y in range(size[0]):
                for x in range(size[1]):
                    values = [float(groups[b, c, j, y, x]) for j in range(per_class)]
                    masked = [v * bool(m) for v, m in zip(values, mask[c], strict=True)]
                    strongest.append(max(masked))
                    peaks.append(max(math.exp(v) / s for v, s in zip(values, sums, strict=True)))
            assert float(found[b, c]) == pytest.approx(np.mean(strongest))
            diversity += sum(peaks) / per_class / CLASSES / 3
    assert float(sameness(groups)) == pytest.approx(1 - diversity)


def test_the_whole_loss() -> None:
    chosen, last, targets = head(), maps(), torch.tensor([0, 3, 1])
    batch = Seen(last, targets, torch.arange(3), lambda inputs: (inputs, None), 0, 0.0)
    torch.manual_seed(0)
    found = Scheme(CrossEntropy(), alpha=0.3, beta=0.7)(chosen, batch, 0)
    torch.manual_seed(0)
    groups = chosen.groups(last)
    answers = evidence(groups, random_mask(CLASSES, 3)).log_softmax(dim=1)
    logs = chosen(last).log_softmax(dim=1)
    want = 0.7 * sameness(groups)
    for row, target in enumerate(targets):
        want = want - logs[row, target] / 3 - 0.3 * answers[row, target] / 3
    torch.testing.assert_close(found, want)


def test_gradients_are_right() -> None:
    groups = maps(CLASSES * 3).reshape(3, CLASSES, 3, 2, 3).requires_grad_()
    mask = random_mask(CLASSES, 3)
    assert torch.autograd.gradcheck(lambda x: evidence(x, mask), (groups,))
    assert torch.autograd.gradcheck(sameness, (groups,))


@pytest.mark.parametrize("per_class", [1, 2, 3, 4, 5])
def test_half_of_the_channels_of_every_class_are_left_out(per_class: int) -> None:
    drawn = torch.stack([random_mask(50, per_class) for _ in range(20)])
    assert (drawn.sum(dim=2) == per_class - per_class // 2).all()
    if per_class > 1:
        assert (drawn.double().mean(dim=(0, 1)) < 1).all()


def test_channels_that_look_elsewhere_are_wished_for() -> None:
    """The bounds of the paper: 0 for different places, 1 - 1 / xi for one."""
    apart, alike = torch.zeros(1, 1, 3, 1, 3), torch.zeros(1, 1, 3, 1, 3)
    for j in range(3):
        apart[0, 0, j, 0, j] = 100
        alike[0, 0, j, 0, 1] = 100
    assert float(sameness(apart)) == pytest.approx(0, abs=1e-6)
    assert float(sameness(alike)) == pytest.approx(2 / 3)


def test_a_map_that_has_the_channels_is_taken_as_it_is() -> None:
    fitting = head(CLASSES * 2, per_class=2)
    last = maps(CLASSES * 2)
    torch.testing.assert_close(fitting.groups(last).flatten(1, 2), last, rtol=0, atol=0)
    want = last.mean(dim=(2, 3)) @ fitting.classifier.weight.T + fitting.classifier.bias
    torch.testing.assert_close(fitting(last), want)
    assert head(5).groups(maps(5)).shape == (3, CLASSES, 3, 2, 3)


def test_what_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"per_class of mc_loss must be in 1..64; got 0"):
        head(per_class=0)
    with pytest.raises(BadInputError, match="beta of mc_loss must be 0 or more; got -1"):
        Scheme(CrossEntropy(), beta=-1)
