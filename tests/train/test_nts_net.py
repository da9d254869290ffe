"""The losses of NTS-Net, by their definition."""

import pytest
import torch
from torch.nn import functional as F

from retrieval.heads.nts_net import NtsNet as Head
from tests.retrieval.test_every_head import CHANNELS, CLASSES, pictures
from tests.retrieval.test_every_head import seen as maps
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.nts_net import NtsNet, disorder


def batch() -> Seen:
    targets = torch.tensor([0, 3, 1])
    return Seen(pictures(), targets, torch.arange(3), maps, epoch=0, progress=0.0)


def test_the_order_of_parts_by_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    losses = torch.rand(2, 5, generator=generator, dtype=torch.float64)
    want = 0.0
    for b in range(2):
        for i in range(5):
            for j in range(5):
                if losses[b, i] < losses[b, j]:
                    want += max(0.0, 1 - float(scores[b, i] - scores[b, j])) / 2
    assert float(disorder(scores, losses, 1.0)) == pytest.approx(want)
    scores.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: disorder(s, losses, 1.0), (scores,))


def test_the_part_that_is_known_better_must_score_higher() -> None:
    """The sign: nothing is left to learn in this order, everything in the other."""
    losses = torch.tensor([[0.1, 0.5, 2.0]])
    assert disorder(torch.tensor([[9.0, 5.0, 1.0]]), losses, 1.0) == 0
    assert disorder(torch.tensor([[1.0, 5.0, 9.0]]), losses, 1.0) == 5 + 5 + 9
    assert disorder(torch.tensor([[1.0, 5.0, 9.0]]), torch.ones(1, 3), 1.0) == 0


def test_the_whole_loss_by_its_definition() -> None:
    torch.manual_seed(0)
    head = Head(CHANNELS[1], CLASSES, width=3).double()
    scheme = NtsNet(CrossEntropy(), CHANNELS[1], CLASSES).double()
    one = batch()
    with torch.no_grad():
        found = float(scheme(head, one, 0))
        last = maps(one.inputs)[0]
        boxes, scores = head.navigated(last, 6)
        parts = head.of_boxes(one.inputs, boxes, maps)
        want = float(F.cross_entropy(head(last), one.targets))
        want += float(F.cross_entropy(head.of_images(one.inputs, maps), one.targets))
        losses = torch.empty(3, 6, dtype=torch.float64)
        for row in range(3):
            for part in range(6):
                logits = scheme.teacher(parts[row, part])
                losses[row, part] = F.cross_entropy(logits, one.targets[row])
        want += float(losses.mean()) + float(disorder(scores, losses, 1.0))
    assert found == pytest.approx(want)


def test_what_moves_the_navigator() -> None:
    """Only the order of the parts: not the classifiers, whatever they say."""
    torch.manual_seed(0)
    head = Head(CHANNELS[1], CLASSES, width=3).double()
    scheme = NtsNet(CrossEntropy(), CHANNELS[1], CLASSES, margin=-100.0).double()
    scheme(head, batch(), 0).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None
        at_rest = bool((parameter.grad == 0).all())
        assert at_rest == name.startswith(("down", "scores")), name
