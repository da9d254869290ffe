"""Multi-attention multi-class constraint, by its definition."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads.mamc import Mamc
from retrieval.poolings.osme import Osme
from tests.train.loops import Numbers, linear
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.mamc import Mamc as Scheme
from train.schemes.mamc import constraint

TARGETS = torch.tensor([0, 0, 2, 1, 2])


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def loop_constraint(parts: Numbers, targets: list[int]) -> float:
    marked = [(f, p, targets[b]) for b in range(len(parts)) for p, f in enumerate(parts[b])]
    total = 0.0
    for i, (f, attention, target) in enumerate(marked):
        sets: dict[tuple[bool, bool], list[float]] = {}
        for j, (g, other_attention, other_target) in enumerate(marked):
            if i != j:
                key = attention == other_attention, target == other_target
                sets.setdefault(key, []).append(float(f @ g))
        kinds = ((True, True), (True, False), (False, True), (False, False))
        sasc, sadc, dasc, dadc = (sets.get(kind, []) for kind in kinds)
        for near, rest in ((sasc, sadc + dasc + dadc), (sadc, dadc), (dasc, dadc)):
            total += sum(math.log(1 + sum(math.exp(k - j) for k in rest)) for j in near)
    return total / len(marked)


@pytest.mark.parametrize("kinds", [1, 2, 3])
@pytest.mark.parametrize("targets", [TARGETS, torch.zeros(5).long(), torch.arange(5)])
def test_the_constraint_by_its_definition(kinds: int, targets: torch.Tensor) -> None:
    """Also where one of the sets is empty."""
    parts = F.normalize(random(5, kinds, 4), dim=2).requires_grad_()
    found = constraint(parts, targets)
    assert found.item() == pytest.approx(loop_constraint(parts.detach().numpy(), targets.tolist()))
    assert torch.autograd.gradcheck(lambda x: constraint(x, targets), (parts,))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 4)])
def test_parts_by_their_definition(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    pooling = Osme(5, parts=2, dim=3, ratio=2, side=2).double()
    last = random(2, 5, *size)
    found = pooling.of_parts(last).detach().numpy()
    for b in range(2):
        x = last[b].numpy()
        for p in range(2):
            first, _, second, _ = pooling.gates[p].children()
            hidden = np.maximum(0, linear(x.mean(axis=(1, 2)), first))
            gate = 1 / (1 + np.exp(-linear(hidden, second)))
            read = []
            for c, i, j in np.ndindex(5, 2, 2):
                rows = slice(i * size[0] // 2, -(-(i + 1) * size[0] // 2))
                columns = slice(j * size[1] // 2, -(-(j + 1) * size[1] // 2))
                read.append(gate[c] * x[c, rows, columns].mean())
            want = linear(np.array(read), pooling.readers[p])
            np.testing.assert_allclose(found[b, p], want, atol=1e-12)
    torch.testing.assert_close(pooling(last), pooling.of_parts(last).sum(dim=1))


def test_the_whole_loss() -> None:
    torch.manual_seed(0)
    head = Mamc(4, 3, dim=6, ratio=2, side=1).double()
    last = random(5, 4, 2, 2)
    batch = Seen(last, TARGETS, torch.arange(5), lambda inputs: (inputs, None), 0, 0.0)
    found = Scheme(CrossEntropy(), weight=0.3)(head, batch, 0).item()
    parts = head.pooling.of_parts(last).detach().numpy()
    parts /= np.linalg.norm(parts, axis=2, keepdims=True)
    logs = head(last).detach().log_softmax(dim=1).numpy()
    want = -logs[np.arange(5), TARGETS.numpy()].mean()
    assert found == pytest.approx(want + 0.3 * loop_constraint(parts, TARGETS.tolist()))


def test_what_is_refused() -> None:
    with pytest.raises(BadInputError, match="weight of mamc must be 0 or more; got -1"):
        Scheme(CrossEntropy(), weight=-1)
    with pytest.raises(BadInputError, match=r"parts of osme must be in 1.."):
        Osme(4, parts=0)
