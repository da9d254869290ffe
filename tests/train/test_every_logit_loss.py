"""What every file in train/logit_losses must do, found without a list; then each by its loops."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval import plugins
from retrieval.errors import BadInputError
from train import logit_losses
from train.logit_losses.gradient_boosting import GradientBoosting
from train.logit_losses.maximum_entropy import MaximumEntropy
from train.logit_losses.pairwise_confusion import PairwiseConfusion

NAMES = plugins.names(logit_losses)
CLASSES = 6
TARGETS = torch.tensor([0, 3, 3, 5, 1, 0, 2])


def logits_of(batch: int = len(TARGETS)) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.randn(batch, CLASSES, dtype=torch.float64, generator=generator)


def value_of(loss: nn.Module, targets: Tensor) -> Callable[[Tensor], Tensor]:
    """The loss as a function: chance is the same at every call."""

    def value(logits: Tensor) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(4)
            result: Tensor = loss(logits, targets)
        return result

    return value


def blended() -> Tensor:
    one, other = F.one_hot(TARGETS, CLASSES), F.one_hot(TARGETS.flip(0), CLASSES)
    return 0.7 * one.double() + 0.3 * other


@pytest.fixture(params=NAMES)
def loss(request: pytest.FixtureRequest) -> nn.Module:
    made: nn.Module = plugins.build(logit_losses, {"name": request.param}, num_classes=CLASSES)
    return made.double().train()


@pytest.mark.parametrize("targets", [TARGETS, blended()], ids=["labels", "shares"])
def test_the_gradient_is_the_slope(loss: nn.Module, targets: Tensor) -> None:
    logits = logits_of().requires_grad_()
    value = value_of(loss, targets)
    assert value(logits).shape == ()
    assert torch.autograd.gradcheck(value, (logits,))


def test_labels_are_shares_of_one_class(loss: nn.Module) -> None:
    logits, shares = logits_of(), F.one_hot(TARGETS, CLASSES).double()
    torch.testing.assert_close(value_of(loss, TARGETS)(logits), value_of(loss, shares)(logits))


def test_what_is_added_to_all_logits_changes_nothing(loss: nn.Module) -> None:
    logits, value = logits_of(), value_of(loss, TARGETS)
    torch.testing.assert_close(value(logits + 7.0), value(logits))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sure_answers_right_or_wrong_are_survived(loss: nn.Module, dtype: torch.dtype) -> None:
    for stated in (TARGETS, (TARGETS + 1) % CLASSES):
        logits = (200 * F.one_hot(stated, CLASSES)).to(dtype).requires_grad_()
        value_of(loss.to(dtype), TARGETS)(logits).backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


@pytest.mark.parametrize("size", [1, 2])
def test_small_batches_of_two_classes_are_survived(loss: nn.Module, size: int) -> None:
    logits = torch.randn(size, 2, dtype=torch.float64, requires_grad=True)
    value_of(loss, torch.arange(size))(logits).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad.abs().max() > 0


def test_a_step_down_the_gradient_makes_it_smaller(loss: nn.Module) -> None:
    logits, value = logits_of().requires_grad_(), value_of(loss, TARGETS)
    before = value(logits)
    (gradient,) = torch.autograd.grad(before, logits)
    assert value((logits - 1e-5 * gradient / gradient.norm()).detach()) < before


def softmax(row: list[float]) -> list[float]:
    total = sum(math.exp(one) for one in row)
    return [math.exp(one) / total for one in row]


def surprise(row: list[float], target: int) -> float:
    return -math.log(softmax(row)[target])


def test_pairwise_confusion_by_its_definition() -> None:
    """Squared distances, of pairs of different classes alone; every other picture counts too."""
    rows, targets = logits_of().tolist(), TARGETS.tolist()
    found = float(value_of(PairwiseConfusion(3.0), TARGETS)(logits_of()))
    with torch.random.fork_rng():
        torch.manual_seed(4)
        order = torch.randperm(len(rows)).tolist()
    half = len(rows) // 2
    want = sum(surprise(row, target) for row, target in zip(rows, targets, strict=True))
    pairs = list(zip(order[:half], order[half : 2 * half], strict=True))
    for i, j in pairs:
        if targets[i] != targets[j]:
            p, q = softmax(rows[i]), softmax(rows[j])
            want += 3.0 * sum((a - b) ** 2 for a, b in zip(p, q, strict=True))
    assert found == pytest.approx(want / len(rows))


def test_pictures_of_one_class_are_not_confused() -> None:
    targets = torch.full((8,), 2)
    logits = logits_of(8)
    torch.testing.assert_close(
        PairwiseConfusion(10.0)(logits, targets), F.cross_entropy(logits, targets)
    )


def test_pairs_change_from_step_to_step_and_come_back_with_the_generator() -> None:
    loss, logits = PairwiseConfusion(), logits_of()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = [float(loss(logits, TARGETS)) for _ in range(5)]
        torch.manual_seed(0)
        assert [float(loss(logits, TARGETS)) for _ in range(5)] == first
    assert len(set(first)) > 1


def test_blended_pictures_are_as_different_as_labels_drawn_from_them() -> None:
    shares = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], dtype=torch.float64)
    logits = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]], dtype=torch.float64)
    differ = sum(
        a * b
        for i, a in enumerate([0.5, 0.5, 0.0])
        for j, b in enumerate([0.2, 0.3, 0.5])
        if i != j
    )
    p, q = (softmax(row) for row in logits.tolist())
    want = differ * sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) / 2
    found = PairwiseConfusion(1.0)(logits, shares) - F.cross_entropy(logits, shares)
    assert float(found) == pytest.approx(want)


def test_maximum_entropy_by_its_definition() -> None:
    rows, targets = logits_of().tolist(), TARGETS.tolist()
    want = 0.0
    for row, target in zip(rows, targets, strict=True):
        entropy = -sum(p * math.log(p) for p in softmax(row))
        want += surprise(row, target) - 0.4 * entropy
    found = MaximumEntropy(0.4)(logits_of(), TARGETS)
    assert float(found) == pytest.approx(want / len(rows))


@pytest.mark.parametrize("rivals", [1, 2, 5, 15])
def test_gradient_boosting_by_its_definition(rivals: int) -> None:
    rows, targets = logits_of().tolist(), TARGETS.tolist()
    want = 0.0
    for row, target in zip(rows, targets, strict=True):
        others = sorted((z for k, z in enumerate(row) if k != target), reverse=True)[:rivals]
        want += surprise([row[target], *others], 0)
    found = GradientBoosting(rivals)(logits_of(), TARGETS)
    assert float(found) == pytest.approx(want / len(rows))


def test_gradient_boosting_leaves_easy_classes_alone_and_pushes_the_others_harder() -> None:
    logits = logits_of().requires_grad_()
    (boosted,) = torch.autograd.grad(GradientBoosting(2)(logits, TARGETS), logits)
    (plain,) = torch.autograd.grad(F.cross_entropy(logits, TARGETS), logits)
    moved = boosted != 0
    assert moved.sum(dim=1).tolist() == [3] * len(TARGETS)
    rivals = moved.scatter(1, TARGETS[:, None], False)
    assert (boosted[rivals] > plain[rivals]).all()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "pairwise_confusion", "weight": -1.0}, "weight must be 0 or more; got -1"),
        ({"name": "maximum_entropy", "weight": -0.5}, "weight must be 0 or more; got -0.5"),
        ({"name": "gradient_boosting", "rivals": 0}, "rivals must be 1 or more; got 0"),
        ({"name": "gradient_bosting"}, "Did you mean 'gradient_boosting'"),
    ],
)
def test_what_is_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        plugins.build(logit_losses, options, num_classes=CLASSES)
