"""Losses on pairs and triplets against their equations, written as plain loops in float64."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from retrieval.errors import BadInputError
from train.losses.circle import Circle
from train.losses.contrastive import Contrastive
from train.losses.multi_similarity import MultiSimilarity
from train.losses.triplet import CHOICES, Triplet
from train.losses.xbm import XBM

Batch = tuple[Tensor, Tensor]


def pairs(x: Tensor, y: Tensor) -> Iterator[tuple[int, int, bool]]:
    for i in range(len(x)):
        for j in range(len(x)):
            if i != j:
                yield i, j, bool(y[i] == y[j])


def mean_above_0(values: list[float]) -> float:
    above = [value for value in values if value > 0]
    return sum(above) / len(above) if above else 0.0


def distance(a: Tensor, b: Tensor) -> float:
    return math.sqrt(sum((float(u) - float(v)) ** 2 for u, v in zip(a, b, strict=True)))


def cosine(a: Tensor, b: Tensor) -> float:
    return sum(float(u) * float(v) for u, v in zip(a, b, strict=True))


def test_contrastive(batch: Batch) -> None:
    x, y = batch
    near = [distance(x[i], x[j]) - 0.2 for i, j, same in pairs(x, y) if same]
    far = [1.1 - distance(x[i], x[j]) for i, j, same in pairs(x, y) if not same]
    want = mean_above_0(near) + mean_above_0(far)
    assert Contrastive(0.2, 1.1)(x, y).item() == pytest.approx(want, rel=1e-9)


def multi_similarity_by_loops(x: Tensor, y: Tensor, epsilon: float) -> float:
    alpha, beta, base, total = 2.0, 50.0, 0.5, 0.0
    for i in range(len(x)):
        positive = [cosine(x[i], x[j]) for a, j, same in pairs(x, y) if a == i and same]
        negative = [cosine(x[i], x[j]) for a, j, same in pairs(x, y) if a == i and not same]
        kept_positive = [s for s in positive if s - epsilon < max(negative)]
        kept_negative = [s for s in negative if s + epsilon > min(positive)]
        total += math.log(1 + sum(math.exp(-alpha * (s - base)) for s in kept_positive)) / alpha
        total += math.log(1 + sum(math.exp(beta * (s - base)) for s in kept_negative)) / beta
    return total / len(x)


@pytest.mark.parametrize("epsilon", [0.1, 0.5])
def test_multi_similarity(batch: Batch, epsilon: float) -> None:
    want = multi_similarity_by_loops(*batch, epsilon)
    assert MultiSimilarity(epsilon=epsilon)(*batch).item() == pytest.approx(want, rel=1e-9)


def test_multi_similarity_of_all_pairs(batch: Batch) -> None:
    want = multi_similarity_by_loops(*batch, epsilon=99.0)
    assert MultiSimilarity(epsilon=-1.0)(*batch).item() == pytest.approx(want, rel=1e-9)


def circle_by_loops(x: Tensor, y: Tensor, fixed: Tensor, m: float, gamma: float) -> Tensor:
    """``fixed`` is x without gradients, for the weights."""
    total = x.new_zeros(())
    for i in range(len(x)):
        negative, positive = x.new_zeros(()), x.new_zeros(())
        for a, j, same in pairs(x, y):
            score, weight = x[a] @ x[j], float(fixed[a] @ fixed[j])
            if a == i and same:
                positive = positive + (-gamma * max(0.0, 1 + m - weight) * (score - 1 + m)).exp()
            elif a == i:
                negative = negative + (gamma * max(0.0, weight + m) * (score - m)).exp()
        total = total + (1 + positive * negative).log()
    return total / len(x)


def test_circle_and_its_gradient(batch: Batch) -> None:
    x, y = batch
    x.requires_grad_()
    got = Circle(margin=0.3, scale=8.0)(x, y)
    want = circle_by_loops(x, y, x.detach(), 0.3, 8.0)
    torch.testing.assert_close(got, want)
    (got_gradient,) = torch.autograd.grad(got, x)
    (want_gradient,) = torch.autograd.grad(want, x)
    # the library divides each vector by its norm, which takes away the radial part
    radial = (want_gradient * x).sum(dim=1, keepdim=True) * x
    torch.testing.assert_close(got_gradient, (want_gradient - radial).detach())


def all_triplets(x: Tensor, y: Tensor) -> Iterator[tuple[float, float]]:
    for i, j, same in pairs(x, y):
        for a, k, alike in pairs(x, y):
            if same and a == i and not alike:
                yield distance(x[i], x[j]), distance(x[i], x[k])


def hard_triplets(x: Tensor, y: Tensor) -> Iterator[tuple[float, float]]:
    for i in range(len(x)):
        yield (
            max(distance(x[i], x[j]) for a, j, same in pairs(x, y) if a == i and same),
            min(distance(x[i], x[j]) for a, j, same in pairs(x, y) if a == i and not same),
        )


def semi_hard_triplets(x: Tensor, y: Tensor) -> Iterator[tuple[float, float]]:
    return ((p, n) for p, n in all_triplets(x, y) if p < n < p + 0.3)


def easy_positive_triplets(x: Tensor, y: Tensor) -> Iterator[tuple[float, float]]:
    for i in range(len(x)):
        nearest = min(distance(x[i], x[j]) for a, j, same in pairs(x, y) if a == i and same)
        farther = [distance(x[i], x[j]) for a, j, same in pairs(x, y) if a == i and not same]
        farther = [value for value in farther if value > nearest]
        if farther:
            yield nearest, min(farther)


TRIPLETS: dict[str, Callable[[Tensor, Tensor], Iterator[tuple[float, float]]]] = {
    "all": all_triplets,
    "batch_hard": hard_triplets,
    "semi_hard": semi_hard_triplets,
    "easy_positive": easy_positive_triplets,
}


@pytest.mark.parametrize("choice", CHOICES)
def test_triplet(batch: Batch, choice: str) -> None:
    want = mean_above_0([0.3 + p - n for p, n in TRIPLETS[choice](*batch)])
    assert want > 0
    assert Triplet(0.3, choice)(*batch).item() == pytest.approx(want, rel=1e-9)


def test_a_choice_of_triplets_that_does_not_exist() -> None:
    with pytest.raises(
        BadInputError, match=r"no choice of triplets called 'batch_hrad'; .*hard'\?"
    ):
        Triplet(triplets="batch_hrad")


def xbm_by_loops(x: Tensor, y: Tensor, memory: list[tuple[Tensor, int]], m: float) -> float:
    def mean(scores: list[tuple[float, bool]]) -> float:
        near = mean_above_0([1 - score for score, same in scores if same])
        return near + mean_above_0([score - m for score, same in scores if not same])

    within = [(cosine(x[i], x[j]), same) for i, j, same in pairs(x, y)]
    past = [
        (cosine(x[i], vector), int(y[i]) == target)
        for i in range(len(x))
        for vector, target in memory
    ]
    return mean(within) + 0.5 * mean(past)


def test_xbm(batch: Batch) -> None:
    x, y = batch
    loss = XBM(dim=x.shape[1], size=7, start=2, margin=0.1, weight=0.5).double()
    memory: list[tuple[Tensor, int]] = []
    for step in range(6):
        vectors, targets = x.roll(step, dims=1)[:4], y.roll(step)[:4]
        want = xbm_by_loops(vectors, targets, memory if step >= 2 else [], 0.1)
        assert loss(vectors, targets).item() == pytest.approx(want, rel=1e-9), step
        memory = [*memory, *zip(vectors, targets.tolist(), strict=True)][-7:]


def test_xbm_remembers_nothing_outside_training(batch: Batch) -> None:
    loss = XBM(dim=6, start=0).double().eval()
    loss(*batch)
    assert loss.written == 0


def test_xbm_remembers_what_fits_of_a_batch_that_does_not(batch: Batch) -> None:
    x, y = batch
    loss = XBM(dim=6, size=4, start=0).double()
    loss(x, y)
    assert sorted(loss.memory_targets.tolist()) == sorted(y[-4:].tolist())
