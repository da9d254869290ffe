"""Triplets under a learned energy against their definition: float64, plain loops."""

import pytest
import torch
from torch import Tensor

from retrieval.energy import energies
from retrieval.errors import BadInputError
from tests.retrieval.test_energy import energy_by_loops
from train.losses.holef_style import HolefStyle

Batch = tuple[Tensor, Tensor]


def loss_of(weight: Tensor, margin: float = 0.3, pull: float = 0.0005) -> HolefStyle:
    loss = HolefStyle(len(weight), margin, pull).double()
    loss.weight.data.copy_(weight)
    return loss


def weight(dim: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    return torch.eye(dim, dtype=torch.float64) + 0.3 * noise


def by_loops(loss: HolefStyle, x: Tensor, y: Tensor, refs: Tensor, of: Tensor, own: bool) -> float:
    terms = []
    for i in range(len(x)):
        for p in range(len(refs)):
            for n in range(len(refs)):
                if of[p] != y[i] or of[n] == y[i] or (own and p == i):
                    continue
                near = energy_by_loops(x[i], refs[p], loss.weight)
                far = energy_by_loops(x[i], refs[n], loss.weight)
                if loss.margin + near - far > 0:
                    terms.append(loss.margin + near - far)
    weight = loss.weight.detach()
    away = [
        float(weight[i, j]) - (1.0 if i == j else 0.0)
        for i in range(len(weight))
        for j in range(len(weight))
    ]
    pulled: float = sum(abs(a) for a in away) + sum(a * a for a in away) ** 0.5
    total: float = sum(terms) / max(1, len(terms)) + loss.pull * pulled
    return total


@pytest.mark.parametrize("pull", [0.0, 0.2])
def test_of_references(batch: Batch, pull: float) -> None:
    x, y = batch
    loss = loss_of(weight(x.shape[1]), pull=pull)
    want = by_loops(loss, x[:4], y[:4], x[4:], y[4:], own=False)
    assert loss(x[:4], y[:4], x[4:], y[4:]).item() == pytest.approx(want, rel=1e-9)


def test_of_one_batch(batch: Batch) -> None:
    loss = loss_of(weight(batch[0].shape[1]))
    want = by_loops(loss, *batch, *batch, own=True)
    assert loss(*batch).item() == pytest.approx(want, rel=1e-9)


def test_sketches_and_photos_are_not_exchanged(batch: Batch) -> None:
    x, y = batch
    loss = loss_of(weight(x.shape[1]))
    turned = loss_of(weight(x.shape[1]).T)
    assert loss(x[:4], y[:4], x[4:], y[4:]) != turned(x[:4], y[:4], x[4:], y[4:])


def test_it_starts_as_triplets_of_squared_distances(batch: Batch) -> None:
    x, y = batch
    distances = torch.cdist(x[:4], x[4:]).square()
    terms = [
        float(distances[i, p] - distances[i, n]) + 0.3
        for i in range(4)
        for p in range(5)
        for n in range(5)
        if y[4 + p] == y[i] and y[4 + n] != y[i]
    ]
    violating = [term for term in terms if term > 0]
    loss = HolefStyle(x.shape[1]).double()
    want = sum(violating) / len(violating)
    assert loss(x[:4], y[:4], x[4:], y[4:]).item() == pytest.approx(want, rel=1e-9)


def test_the_gradient_of_the_weight(batch: Batch) -> None:
    x, y = batch
    loss = HolefStyle(x.shape[1], pull=0.1).double()

    def call(value: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(loss, {"weight": value}, (x, y))
        return result

    assert torch.autograd.gradcheck(call, weight(x.shape[1]).requires_grad_())


def test_numbers_beside_the_diagonal_learn_from_the_start_and_are_pulled_back(batch: Batch) -> None:
    loss = HolefStyle(batch[0].shape[1], pull=0).double()
    loss(*batch).backward()
    assert loss.weight.grad is not None
    assert loss.weight.grad.fill_diagonal_(0).abs().max() > 0.01
    alone = loss_of(weight(6), pull=0.1)
    one = torch.zeros(1, dtype=torch.int64)
    alone(batch[0][:1], one).backward()  # no triplet
    assert alone.weight.grad is not None
    away = weight(6) - torch.eye(6)
    torch.testing.assert_close(alone.weight.grad.sign(), away.sign())


def test_it_learns_that_numbers_of_photos_are_somewhere_else() -> None:
    """Photos are their sketches with the numbers in another order, which no cosine can know."""
    generator = torch.Generator().manual_seed(0)
    sketches = torch.nn.functional.normalize(torch.randn(40, 5, generator=generator))
    photos, targets = sketches[:, [1, 2, 3, 4, 0]], torch.arange(40)
    loss = HolefStyle(5)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)

    def found() -> float:
        nearest = energies(sketches, photos, loss.energy_weight()).argmin(dim=1)
        return float((nearest == targets).float().mean())

    assert found() < 0.2
    for _ in range(60):
        loss(sketches, targets, photos, targets).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert found() > 0.9


def test_options_that_cannot_be() -> None:
    with pytest.raises(BadInputError, match=r"holef_style\.margin must be 0 or more; got -1"):
        HolefStyle(4, margin=-1)
    with pytest.raises(BadInputError, match=r"holef_style\.pull must be 0 or more; got nan"):
        HolefStyle(4, pull=float("nan"))
