"""What every file in train/losses must do. A new loss is tested here without editing anything."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import train.losses
from retrieval import plugins

NAMES = plugins.names(train.losses)
CLASSES, DIM = 4, 16
TARGETS = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])


def make(name: str) -> nn.Module:
    """The loss after a few batches, so that what remembers has something to remember."""
    torch.manual_seed(0)
    options = {"name": name, **({"start": 1} if name == "xbm" else {})}
    loss: nn.Module = plugins.build(train.losses, options, num_classes=CLASSES, dim=DIM)
    loss = loss.double()
    for _ in range(3):
        loss(vectors(8), TARGETS)
    return loss


def vectors(count: int) -> Tensor:
    return F.normalize(torch.randn(count, DIM, dtype=torch.float64))


def value_of(loss: nn.Module) -> Callable[..., Tensor]:
    """The loss as a function: what it remembers is the same at every call."""

    def value(*batch: Tensor) -> Tensor:
        result: Tensor = copy.deepcopy(loss)(*batch)
        return result

    return value


@pytest.fixture(params=NAMES)
def loss(request: pytest.FixtureRequest) -> nn.Module:
    return make(request.param)


def test_it_is_a_finite_number_of_0_or_more_with_a_gradient(loss: nn.Module) -> None:
    embeddings = vectors(8).requires_grad_()
    value = loss(embeddings, TARGETS)
    assert value.shape == ()
    assert value.isfinite()
    assert value >= 0
    value.backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert embeddings.grad.abs().max() > 0
    for name, parameter in loss.named_parameters():
        assert parameter.grad is not None, f"{name} does not learn"
        assert parameter.grad.isfinite().all(), name


def test_the_order_of_the_batch_does_not_matter(loss: nn.Module) -> None:
    embeddings, order = vectors(8), torch.randperm(8)
    value = value_of(loss)
    torch.testing.assert_close(value(embeddings[order], TARGETS[order]), value(embeddings, TARGETS))


def test_the_gradient_is_the_slope(loss: nn.Module) -> None:
    if not getattr(loss, "exact_gradient", True):
        pytest.skip("its definition gives another gradient; see its own test")
    embeddings = vectors(8).requires_grad_()
    value = value_of(loss)
    assert torch.autograd.gradcheck(lambda x: value(x, TARGETS), (embeddings,))


def test_a_step_down_the_gradient_makes_it_smaller(loss: nn.Module) -> None:
    embeddings = vectors(8).requires_grad_()
    value = value_of(loss)
    before = value(embeddings, TARGETS)
    (gradient,) = torch.autograd.grad(before, embeddings)
    after = value((embeddings - 1e-5 * gradient / gradient.norm()).detach(), TARGETS)
    assert after < before


def test_references_can_be_given(loss: nn.Module) -> None:
    embeddings = vectors(12).requires_grad_()
    targets = torch.tensor([0, 1, 2, 3, 0, 0, 1, 1, 2, 2, 3, 3])
    value = loss(embeddings[:4], targets[:4], embeddings[4:], targets[4:])
    assert value.isfinite()
    assert value >= 0
    value.backward()
    assert embeddings.grad is not None
    assert (embeddings.grad.abs().sum(dim=1) > 0).sum() >= 4


@pytest.mark.parametrize("targets", [[0, 0, 0, 0], [0, 1, 2, 3]], ids=["one class", "all differ"])
def test_batches_without_negatives_or_positives_are_survived(
    loss: nn.Module, targets: list[int]
) -> None:
    embeddings = vectors(4).requires_grad_()
    value = loss(embeddings, torch.tensor(targets))
    assert value.isfinite()
    value.backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


def test_equal_images_are_survived(loss: nn.Module) -> None:
    embeddings = vectors(1).repeat(8, 1).requires_grad_()
    loss(embeddings, TARGETS).backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images_at_their_centres_are_survived(loss: nn.Module, dtype: torch.dtype) -> None:
    loss = loss.to(dtype)
    for parameter in loss.parameters():
        wide = parameter.shape[0] == DIM
        centers = F.normalize(parameter.detach().T if wide else parameter.detach())
        embeddings = centers[:CLASSES].repeat(2, 1).clone().requires_grad_()
        loss(embeddings, torch.arange(8) % CLASSES).backward()
        assert embeddings.grad is not None
        assert embeddings.grad.isfinite().all()


def test_what_it_remembers_is_in_its_state(loss: nn.Module) -> None:
    torch.manual_seed(1)
    name = type(loss).__module__.rsplit(".", 1)[-1]
    other = make(name)
    for _ in range(2):
        other(vectors(8), TARGETS)
    loss(vectors(8), TARGETS)
    other.load_state_dict(loss.state_dict())
    embeddings = vectors(8)
    for _ in range(2):
        torch.testing.assert_close(other(embeddings, TARGETS), loss(embeddings, TARGETS))
