"""How S3N divides its peaks, and its losses, by their definition."""

import numpy as np
import pytest
import torch
from torch import Tensor

from retrieval.errors import BadInputError
from retrieval.heads.s3n import S3n as Head
from tests.retrieval.test_every_head import CHANNELS, CLASSES, pictures
from tests.retrieval.test_every_head import seen as maps
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.s3n import S3n


def scheme() -> S3n:
    torch.manual_seed(0)
    return S3n(CrossEntropy(), CHANNELS[1], CLASSES).double()


def test_all_peaks_at_first() -> None:
    scores = torch.tensor([[1.0, 0.5, 0.0]])
    for one in scheme().divided(scores, 0.3):
        assert one.tolist() == [[1, 1, 0]]


def test_peaks_are_drawn_with_their_value() -> None:
    scores = torch.tensor([1.0, 0.75, 0.25, 0.0]).expand(4000, 4)
    telling, others = scheme().divided(scores, 0.34)
    assert torch.equal(telling + others, (scores > 0).float())
    error = 4 * (0.25 * 0.75 / 4000) ** 0.5
    np.testing.assert_allclose(telling.mean(dim=0), [1, 0.75, 0.25, 0], atol=error)


def cross_entropy(logits: Tensor, targets: list[int], right: float) -> float:
    total = 0.0
    for row, target in zip(logits.detach().numpy(), targets, strict=True):
        logs = row - np.log(np.exp(row).sum())
        for k in range(len(row)):
            share = right if k == target else (1 - right) / (len(row) - 1)
            total -= share * float(logs[k]) / len(targets)
    return total


def test_the_whole_loss_by_its_definition() -> None:
    one, head = scheme(), Head(CHANNELS[1], CLASSES).double().eval()
    images, targets = pictures(size=(20, 20)), [0, 3, 1]
    batch = Seen(images, torch.tensor(targets), torch.arange(3), maps, epoch=0, progress=0.0)
    with torch.no_grad():
        found = float(one(head, batch, 0))
        last = maps(images)[0]
        scores, places = head.peaks(last)
        every = (scores > 0).double()
        views = head.views(images, maps, scores, places, every, every)
        want = cross_entropy(head.of_views(last, views), targets, 1.0)
        want += cross_entropy(one.of_views[0](views[0]), targets, 1.0)
        want += cross_entropy(head(last), targets, 0.85)
        want += cross_entropy(one.of_views[1](views[1]), targets, 0.85)
    assert found == pytest.approx(want)


def test_what_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"right of s3n must be in .*; got 0.1 of 4 classes"):
        S3n(CrossEntropy(), 5, 4, right=0.1)
