"""Channel interaction networks, by their definition."""

import numpy as np
import pytest
import torch
from torch import Tensor

from retrieval.errors import BadInputError
from retrieval.heads.cin import Cin
from retrieval.poolings.cin import complements
from tests.train.loops import Numbers, convolved, linear, numbers, surprise
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.cin import Cin as Scheme
from train.schemes.cin import contrastive, pairs

CHANNELS, CLASSES = 3, 4
TARGETS = torch.tensor([0, 0, 0, 1, 1, 1, 3, 3])


def maps(height: int = 2, width: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(8, CHANNELS, height, width, generator=generator, dtype=torch.float64)


def parts() -> tuple[Cin, Scheme]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = Cin(CHANNELS, CLASSES).double()
        return head, Scheme(CrossEntropy(), CHANNELS, alpha=0.7, beta=0.9, width=2).double()


def weights_of(x: Numbers) -> Numbers:
    made = np.zeros((CHANNELS, CHANNELS))
    for i in range(CHANNELS):
        unlike = [np.exp(-(x[i] * x[j]).sum()) for j in range(CHANNELS)]
        made[i] = np.array(unlike) / sum(unlike)
    return made


def completed(x: Numbers, weights: Numbers, head: Cin) -> Numbers:
    """Z averaged over places."""
    layer = head.pooling.convolution
    y = np.einsum("ij,jab->iab", weights, x)
    z = x + numbers(layer, "bias")[:, None, None] + convolved(y, numbers(layer))
    made: Numbers = z.mean(axis=(1, 2))
    return made


@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_the_whole_loss_by_its_definition(size: tuple[int, int]) -> None:
    """Each pair by its own labels, and what is pushed apart by its own distance."""
    head, scheme = parts()
    last = maps(*size)
    torch.manual_seed(5)
    batch = Seen(last, TARGETS, torch.arange(8), lambda inputs: (inputs, None), 0, 0.0)
    found = scheme(head, batch, 0).item()
    torch.manual_seed(5)
    one, other = pairs(TARGETS)

    x = last.numpy()
    w = [weights_of(image) for image in x]
    want = 0.0
    for image, weight, target in zip(x, w, TARGETS, strict=True):
        logits = linear(completed(image, weight, head), head.classifier)
        want += surprise(logits, int(target)) / 8
    psi, h = scheme.contrast_weight, scheme.projection
    terms = []
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        apart = []
        for i, j in ((a, b), (b, a)):
            y_i, y_j = (np.einsum("ij,jab->i", w[k], x[k]) / np.prod(size) for k in (i, j))
            eta = linear(np.concatenate([y_i, y_j]), psi)
            apart.append(linear(completed(x[i], np.abs(w[i] - eta * w[j]), head), h))
        d = float(np.linalg.norm(apart[0] - apart[1]))
        terms.append(d**2 if TARGETS[a] == TARGETS[b] else max(0, 0.9 - d) ** 2)
    assert found == pytest.approx(want + 0.7 * np.mean(terms))


def test_classes_are_drawn_together_and_pushed_apart() -> None:
    """The second term is not the square of the first: it shrinks with distance."""
    near, far = torch.zeros(1, 2), torch.tensor([[0.3, 0.4]])
    same, different = torch.tensor([True]), torch.tensor([False])
    assert contrastive(near, far, same, 0.7).item() == pytest.approx(0.25)
    assert contrastive(near, far, different, 0.7).item() == pytest.approx(0.04)
    assert contrastive(near, 2 * far, different, 0.7).item() == 0
    together = contrastive(near.repeat(2, 1), far.repeat(2, 1), torch.tensor([True, False]), 0.7)
    assert together.item() == pytest.approx((0.25 + 0.04) / 2)
    alike = torch.zeros(1, 2, requires_grad=True)
    contrastive(alike, near, different, 0.7).backward()  # type: ignore[no-untyped-call]
    assert alike.grad is not None
    assert alike.grad.isfinite().all()


@pytest.mark.parametrize("count", [2, 3, 7, 8])
def test_pairs_are_of_different_pictures_and_half_of_one_class(count: int) -> None:
    for _ in range(50):
        one, other = pairs(TARGETS[:count])
        assert len(one) == count // 2
        assert (one != other).all()
        assert len(set(one.tolist())) == len(one)
        same = TARGETS[one] == TARGETS[other]
        alone = torch.tensor([(TARGETS[:count] == TARGETS[i]).sum() == 1 for i in one.tolist()])
        assert (same | alone)[: len(one) // 2].all()
        if count == 8:
            assert not same[len(one) // 2 :].any()
    assert len(pairs(TARGETS[:1])[0]) == 0


def test_a_channel_is_completed_by_those_unlike_it() -> None:
    last = torch.tensor([[[[2.0, 0.0]], [[2.0, 0.0]], [[0.0, 2.0]]]])
    weights = complements(last)[0]
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))
    assert weights[0].argmax() == 2
    torch.testing.assert_close(weights[2, 0], weights[2, 1])
    assert complements(1e4 * last).isfinite().all()


def test_gradients_are_right() -> None:
    first = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    second = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    same = torch.tensor([True, False, True])
    assert torch.autograd.gradcheck(lambda a, b: contrastive(a, b, same, 9.0), (first, second))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"alpha": -1.0}, "alpha of cin must be 0 or more; got -1"),
        ({"beta": float("inf")}, "beta of cin must be 0 or more; got inf"),
        ({"width": 0}, "width of cin must be 1 or more; got 0"),
    ],
)
def test_what_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        Scheme(CrossEntropy(), 4, **options)  # type: ignore[arg-type]
