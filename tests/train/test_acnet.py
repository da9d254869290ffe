"""The losses of ACNet, by their definition."""

import pytest
import torch

from retrieval.heads.acnet import Acnet as Head
from tests.retrieval.test_every_head import CHANNELS, CLASSES, pictures, seen
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.acnet import Acnet


def test_the_whole_loss_by_its_definition() -> None:
    torch.manual_seed(0)
    head, images = Head(CHANNELS[1], CLASSES, width=4).double().eval(), pictures()
    targets = [0, 3, 1]
    batch = Seen(images, torch.tensor(targets), torch.arange(3), seen, epoch=0, progress=0.0)
    with torch.no_grad():
        found = float(Acnet(CrossEntropy())(head, batch, 0))
        _, leaves = head.votes(seen(images)[0])
        tree = head(seen(images)[0]).exp()
    want = 0.0
    for row, target in enumerate(targets):
        want -= float(tree[row, target].log()) / 3
        for leaf in range(4):
            want -= float(leaves[row, leaf].softmax(dim=0)[target].log()) / 3
    assert found == pytest.approx(want)
