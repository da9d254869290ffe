"""The diversification block by its definition."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads.softmax import Softmax
from train.schemes import Seen
from train.schemes.diversification import Diversification, class_activations

CHANNELS, CLASSES = 5, 4


def head(pooling: str = "average") -> Softmax:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Softmax(CHANNELS, 3, CLASSES, pooling).double()


def last(batch: int = 3, height: int = 5, width: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, CHANNELS, height, width, generator=generator, dtype=torch.float64)


def seen(maps: Tensor) -> Seen:
    targets = torch.arange(len(maps)) % CLASSES
    return Seen(maps, targets, torch.arange(len(maps)), lambda x: (x, None), 0, 0.0)


def test_with_nothing_suppressed_it_is_the_head_itself() -> None:
    maps, softmax = last(), head()
    torch.testing.assert_close(class_activations(softmax, maps).mean(dim=(2, 3)), softmax(maps))
    scheme = Diversification(nn.CrossEntropyLoss(), peak=0.0, patch=0.0)
    batch = seen(maps)
    want = F.cross_entropy(softmax(maps), batch.targets)
    torch.testing.assert_close(scheme(softmax, batch, 0), want)


def test_what_is_suppressed_by_its_definition() -> None:
    """The peak by one draw of each class, every other place with the square in which it lies."""
    scheme = Diversification(nn.CrossEntropyLoss(), peak=0.4, patch=0.6, side=2, factor=0.25)
    maps, softmax = last(), head()
    activations = class_activations(softmax, maps).detach().numpy()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        peaks = torch.rand(3, CLASSES, 1, 1).numpy()
        patches = torch.rand(3, CLASSES, 3, 4).numpy()
        torch.manual_seed(5)
        loss = scheme(softmax, seen(maps), 0)
    want = 0.0
    for b in range(3):
        logits = []
        for k in range(CLASSES):
            places = activations[b, k]
            peak = np.unravel_index(places.argmax(), places.shape)
            total = 0.0
            for i in range(5):
                for j in range(7):
                    if (i, j) == peak:
                        hidden = peaks[b, k, 0, 0] < 0.4
                    else:
                        hidden = patches[b, k, i // 2, j // 2] < 0.6
                    total += places[i, j] * (0.25 if hidden else 1.0)
            logits.append(total / 35)
        want -= float(torch.tensor(logits).log_softmax(0)[b % CLASSES]) / 3
    assert float(loss.detach()) == pytest.approx(want)


@pytest.mark.parametrize(("peak", "patch"), [(1.0, 0.0), (0.0, 1.0)])
def test_the_peak_and_the_squares_are_drawn_apart(peak: float, patch: float) -> None:
    scheme = Diversification(nn.CrossEntropyLoss(), peak=peak, patch=patch)
    activations = class_activations(head(), last())
    largest = activations == activations.amax(dim=(2, 3), keepdim=True)
    hidden = scheme.suppressed(activations)
    assert torch.equal(hidden, largest if peak else ~largest)


def test_how_often_is_what_was_asked_for() -> None:
    scheme = Diversification(nn.CrossEntropyLoss(), peak=0.3, patch=0.7)
    activations = torch.rand(60, 100, 6, 6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        hidden = scheme.suppressed(activations)
    largest = activations == activations.amax(dim=(2, 3), keepdim=True)
    assert hidden[largest].float().mean() == pytest.approx(0.3, abs=0.03)
    assert hidden[~largest].float().mean() == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 2), (8, 8)])
def test_the_gradient_is_the_slope(shape: tuple[int, int]) -> None:
    scheme, softmax = Diversification(nn.CrossEntropyLoss()), head()
    maps = last(2, *shape).requires_grad_()

    def value(given: Tensor) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            loss: Tensor = scheme(softmax, seen(given), 0)
            return loss

    assert torch.autograd.gradcheck(value, (maps,))


def test_what_is_refused() -> None:
    loss = nn.CrossEntropyLoss()
    for options, sentence in (
        ({"peak": 1.5}, r"diversification.peak must be in \[0, 1\]; got 1.5"),
        ({"patch": -0.1}, r"diversification.patch must be in \[0, 1\]; got -0.1"),
        ({"side": 0}, "diversification.side must be 1 or more; got 0"),
    ):
        with pytest.raises(BadInputError, match=sentence):
            Diversification(loss, **options)
    with pytest.raises(
        BadInputError, match=r"must train the head softmax .*; got softmax with gem"
    ):
        Diversification(loss)(head("gem"), seen(last()), 0)
