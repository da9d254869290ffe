"""Stochastic partial swap, by its definition."""

import numpy as np
import pytest
import torch

from retrieval.errors import BadInputError
from retrieval.heads.sps import Sps
from tests.train.loops import linear, numbers, surprise
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.sps import Sps as Scheme

TARGETS = torch.tensor([0, 2, 1, 1])


def maps() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    last = torch.randn(4, 5, 2, 2, generator=generator, dtype=torch.float64)
    return last, torch.randn(4, 3, 4, 4, generator=generator, dtype=torch.float64)


def head() -> Sps:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Sps(5, 3, 4).double()


def batch(early: torch.Tensor, progress: float) -> Seen:
    last, _ = maps()
    return Seen(last, TARGETS, torch.arange(4), lambda inputs: (inputs, early), 0, progress)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_share_of_features_is_a_partners(share: float) -> None:
    """The same features of all pictures, and each picture's from one other."""
    scheme = Scheme(CrossEntropy(), least=share, most=share)
    features = torch.arange(6 * 500.0).reshape(6, 500)
    torch.manual_seed(0)
    made = scheme.swapped(features)
    assert torch.equal(features, torch.arange(6 * 500.0).reshape(6, 500))
    owner = (made // 500).long()
    torch.testing.assert_close(made % 500, features % 500)
    partners = [(set(row.tolist()) - {b}) for b, row in enumerate(owner)]
    assert all(len(others) <= 1 for others in partners)
    swapped = owner != torch.arange(6)[:, None]
    exchanged = [row for row in swapped if row.any()]
    assert all(torch.equal(row, exchanged[0]) for row in exchanged)
    if share in (0.0, 1.0):
        assert all(row.all() for row in exchanged)
        assert bool(exchanged) == bool(share)
    else:
        assert exchanged[0].double().mean().item() == pytest.approx(share, abs=0.1)


def test_the_share_is_anywhere_between_its_ends() -> None:
    scheme = Scheme(CrossEntropy(), least=0.2, most=0.6)
    features = torch.arange(2 * 2000.0).reshape(2, 2000)
    shares = [(scheme.swapped(features) != features)[0].double().mean().item() for _ in range(200)]
    drawn = [share for share in shares if share]  # half the time the partner is itself
    assert 0.15 < min(drawn) < 0.3
    assert 0.5 < max(drawn) < 0.65


def test_the_loss_by_its_definition() -> None:
    chosen, (last, early) = head(), maps()
    scheme = Scheme(CrossEntropy(), swaps=2, weight=0.3)
    torch.manual_seed(5)
    found = scheme(chosen, batch(early, 0.9), 0).item()
    layer = chosen.pooling.convolution
    w, b = numbers(layer), numbers(layer, "bias")
    middle = np.zeros((4, 3))
    for i in range(4):
        for c in range(3):
            seen = np.einsum("d,dhw->hw", w[c, :, 0, 0], early[i].numpy()) + b[c]
            middle[i, c] = max(0, seen.max())
    torch.manual_seed(5)
    swapped = [scheme.swapped(torch.from_numpy(middle)).numpy() for _ in range(2)]
    want = 0.0
    inputs = [(1.0, chosen.classifier, last.mean(dim=(2, 3)).numpy())]
    inputs += [(0.3, chosen.early_classifier, one) for one in swapped]
    for weight, classifier, rows in inputs:
        for row, target in zip(rows, TARGETS, strict=True):
            want += weight * surprise(linear(row, classifier), int(target)) / 4
    assert found == pytest.approx(want)
    whole = sum(
        layer(torch.from_numpy(rows))
        for layer, rows in ((chosen.classifier, inputs[0][2]), (chosen.early_classifier, middle))
    )
    torch.testing.assert_close(chosen(last, early), whole)


@pytest.mark.parametrize(("progress", "moves"), [(0.0, False), (0.37, False), (0.38, True)])
def test_the_backbone_is_left_alone_at_first(progress: float, moves: bool) -> None:
    chosen, (_, early) = head(), maps()
    early.requires_grad_()
    Scheme(CrossEntropy())(chosen, batch(early, progress), 0).backward()
    assert (early.grad is not None) == moves
    assert chosen.early_classifier.weight.grad is not None
    assert chosen.pooling.convolution.weight.grad is not None


def test_gradients_are_right() -> None:
    features = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    scheme = Scheme(CrossEntropy())

    def swapped(rows: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return scheme.swapped(rows)

    assert torch.autograd.gradcheck(swapped, (features,))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"swaps": 0}, "swaps of sps must be 1 or more; got 0"),
        ({"least": 0.6}, r"least and most of sps must be in 0..1, in this order; got 0.6 and 0.5"),
        ({"weight": -1.0}, "weight of sps must be 0 or more; got -1"),
        ({"detached": 1.5}, r"detached of sps must be in 0..1; got 1.5"),
    ],
)
def test_what_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        Scheme(CrossEntropy(), **options)  # type: ignore[arg-type]
