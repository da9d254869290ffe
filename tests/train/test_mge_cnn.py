"""The losses of MGE-CNN, by their definition."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads.mge_cnn import MgeCnn as Head
from tests.retrieval.test_every_head import CHANNELS, CLASSES, pictures
from tests.retrieval.test_every_head import seen as maps
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.mge_cnn import MgeCnn, alike


def batch() -> Seen:
    targets = torch.tensor([0, 3, 1])
    return Seen(pictures(), targets, torch.arange(3), maps, epoch=0, progress=0.0)


def test_how_alike_experts_are_by_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    after, before = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    targets = [0, 3, 1]
    want = 0.0
    for row, target in enumerate(targets):
        p = np.exp(before[row].numpy()) / np.exp(before[row].numpy()).sum()
        q = np.exp(after[row].numpy()) / np.exp(after[row].numpy()).sum()
        for k in range(4):
            want += float(np.exp(-p[k] * np.log(p[k] / q[k]))) / 12 if k != target else 1 / 12
    assert float(alike(after, before, torch.tensor(targets))) == pytest.approx(want)
    after.requires_grad_()
    wrong = torch.tensor(targets)
    assert torch.autograd.gradcheck(lambda one: alike(one, before, wrong), (after,))


def test_experts_that_differ_cost_less() -> None:
    before, targets = torch.tensor([[0.0, 4.0, 0.0, 0.0]]), torch.tensor([0])
    same, other = before.clone(), torch.tensor([[0.0, 0.0, 4.0, 0.0]])
    assert alike(same, before, targets) == 1
    assert alike(other, before, targets) < 0.9


def test_the_whole_loss_by_its_definition() -> None:
    torch.manual_seed(0)
    head = Head(CHANNELS[1], CHANNELS[0], CLASSES).double()
    scheme, one = MgeCnn(CrossEntropy(), CLASSES).double(), batch()
    with torch.no_grad():
        found = float(scheme(head, one, 0))
        opinions, mixed = head.asked(one.inputs, maps, one.targets)
        want = float(F.cross_entropy(mixed, one.targets))
        for number, opinion in enumerate(opinions):
            parts = scheme.of_parts[number](opinion.detectors)
            for logits in (opinion.whole, parts, opinion.both):
                want += float(F.cross_entropy(logits, one.targets))
            if number:
                want += float(alike(opinion.both, opinions[number - 1].both, one.targets))
    assert found == pytest.approx(want)


def test_head_and_scheme_must_agree() -> None:
    head = Head(CHANNELS[1], CHANNELS[0], CLASSES, experts=2).double()
    with pytest.raises(BadInputError, match=r"scheme.experts must be head.experts, 2; got 3"):
        MgeCnn(CrossEntropy(), CLASSES).double()(head, batch(), 0)
