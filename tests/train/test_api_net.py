"""Attentive pairwise interaction, by its definition."""

import numpy as np
import pytest
import torch
from torch import Tensor

from retrieval.errors import BadInputError
from retrieval.heads.softmax import Softmax
from tests.train.loops import Numbers, linear
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.api_net import ApiNet, pairs

CHANNELS, CLASSES = 5, 4
TARGETS = torch.tensor([0, 3, 0, 1, 3, 0])


def described(batch: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(batch, CHANNELS, generator=generator, dtype=torch.float64)


def scheme(drop: float = 0.0) -> ApiNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ApiNet(CrossEntropy(), CHANNELS, 7, drop, margin=0.1, rank_weight=0.6).double()


def sigmoid(x: Numbers) -> Numbers:
    made: Numbers = 1 / (1 + np.exp(-x))
    return made


def loop_pairs(x: Numbers, y: list[int]) -> list[tuple[int, int]]:
    found = []
    for same in (True, False):
        for i in range(len(y)):
            fitting = [j for j in range(len(y)) if j != i and (y[i] == y[j]) == same]
            if fitting:
                found.append((i, min(fitting, key=lambda j: float(np.linalg.norm(x[i] - x[j])))))
    return found


@pytest.mark.parametrize("targets", [TARGETS, torch.zeros(6).long(), torch.arange(6)])
def test_pairs_are_the_nearest_of_a_kind(targets: Tensor) -> None:
    """One class alone has no pairs between classes, and a lone picture none within."""
    x = described()
    one, other = pairs(x, targets)
    assert list(zip(one.tolist(), other.tolist(), strict=True)) == loop_pairs(
        x.numpy(), targets.tolist()
    )


def test_the_loss_by_its_definition() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        head = Softmax(CHANNELS, 3, CLASSES).double()
    made, x = scheme(), described()
    last = x[:, :, None, None].repeat(1, 1, 2, 2)
    batch = Seen(last, TARGETS, torch.arange(6), lambda inputs: (inputs, None), 0, 0.0)
    found = made(head, batch, 0).item()

    losses, disorder = [], []
    for i, j in loop_pairs(x.numpy(), TARGETS.tolist()):
        a, c = x[i].numpy(), x[j].numpy()
        mutual = linear(linear(np.concatenate([a, c]), made.mutual[0]), made.mutual[2])
        for own, foreign, target in ((a, c, TARGETS[i]), (c, a, TARGETS[j])):
            shares = []
            for gate in (sigmoid(mutual * own), sigmoid(mutual * foreign)):
                logits = np.exp(linear(own * (1 + gate), head.classifier))
                shares.append(logits[target] / logits.sum())
                losses.append(-np.log(shares[-1]))
            disorder.append(max(0, shares[1] - shares[0] + 0.1))
    assert found == pytest.approx(np.mean(losses) + 0.6 * np.mean(disorder))


def test_gradients_are_right() -> None:
    made = scheme()
    first, second = described()[:3].requires_grad_(), described()[3:].requires_grad_()
    assert torch.autograd.gradcheck(made.attended, (first, second))


def test_the_order_of_a_batch_does_not_matter() -> None:
    head, made = Softmax(CHANNELS, 3, CLASSES).double(), scheme()
    last, order = described()[:, :, None, None], torch.tensor([4, 1, 5, 0, 3, 2])
    losses = [
        made(head, Seen(last[at], TARGETS[at], at, lambda inputs: (inputs, None), 0, 0.0), 0)
        for at in (torch.arange(6), order)
    ]
    torch.testing.assert_close(losses[0], losses[1])


def test_numbers_are_dropped_in_training_only() -> None:
    made = scheme(drop=0.5)
    x = described()
    torch.manual_seed(0)
    one, other = (made.train().attended(x[:3], x[3:])[0] for _ in range(2))
    assert not torch.equal(one, other)
    one, other = (made.eval().attended(x[:3], x[3:])[0] for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"width": 0}, "width of api_net must be 1 or more; got 0"),
        ({"drop": 1.0}, r"drop of api_net must be in \[0, 1\); got 1"),
        ({"margin": -0.1}, "margin of api_net must be 0 or more; got -0.1"),
    ],
)
def test_what_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        ApiNet(CrossEntropy(), 4, **options)  # type: ignore[arg-type]
