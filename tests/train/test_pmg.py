"""Progressive multi-granularity training, by its definition."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from retrieval.errors import BadInputError
from retrieval.heads.pmg import Pmg
from tests.retrieval.small_network import SmallNetwork, disturb_norms
from tests.train.loops import Numbers, convolved, linear, numbers
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes._patches import rearranged, shuffled
from train.schemes.pmg import Pmg as Scheme

CLASSES = 4


def head(channels: tuple[int, int] = (3, 5)) -> Pmg:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Pmg(channels[1], channels[0], CLASSES, reduced=4, width=6)
        disturb_norms(made)
        for module in made.modules():
            if isinstance(module, nn.BatchNorm1d):
                nn.init.normal_(module.weight)
                nn.init.normal_(module.running_mean)  # type: ignore[arg-type]
    return made.eval()


def normed(x: Numbers, norm: nn.Module) -> Numbers:
    names = ("weight", "bias", "running_mean", "running_var")
    weight, bias, mean, variance = (numbers(norm, name) for name in names)
    shape = (-1,) + (1,) * (x.ndim - 1)
    scale = weight / np.sqrt(variance + 1e-5)
    made: Numbers = (x - mean.reshape(shape)) * scale.reshape(shape) + bias.reshape(shape)
    return made


def described(x: Numbers, block: nn.Sequential) -> Numbers:
    for at in (0, 3):
        x = np.maximum(normed(convolved(x, numbers(block[at])), block[at + 1]), 0)
    maxima: Numbers = x.max(axis=(1, 2))
    return maxima


def answered(x: Numbers, layers: nn.Sequential) -> Numbers:
    for at in (0, 2):
        x = normed(x, layers[at])
        if at == 2:
            x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        x = linear(x, layers[1 if at == 0 else 4])
    return x


@pytest.mark.parametrize(("small", "large"), [((1, 1), (1, 1)), ((2, 3), (4, 6)), ((3, 3), (5, 5))])
def test_the_answer_is_the_sum_of_three_classifiers(
    small: tuple[int, int], large: tuple[int, int]
) -> None:
    """Of maps of any size: nothing is written down for 448 pixels."""
    chosen = head().double()
    generator = torch.Generator().manual_seed(1)
    last = torch.randn(2, 5, *small, generator=generator, dtype=torch.float64)
    early = torch.randn(2, 3, *large, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        found = chosen(last, early).numpy()
        parts = chosen.of_early(early) + chosen.of_last(last) + chosen.of_both(last, early)
    np.testing.assert_allclose(parts.numpy(), found, atol=1e-12)
    for row in range(2):
        fine = described(early[row].numpy(), chosen.pooling.early_block)
        coarse = described(last[row].numpy(), chosen.pooling.last_block)
        want = answered(fine, chosen.early_classifier) + answered(coarse, chosen.last_classifier)
        want = want + answered(np.concatenate([fine, coarse]), chosen.classifier)
        np.testing.assert_allclose(found[row], want, atol=1e-10)


@pytest.mark.parametrize("size", [(6, 9), (7, 11)])
def test_patches_change_places(size: tuple[int, int]) -> None:
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    order = torch.stack([torch.arange(9).flip(0), torch.tensor([3, 1, 2, 0, 4, 5, 8, 7, 6])])
    found = rearranged(images, order.reshape(2, 3, 3))
    height, width = size[0] // 3, size[1] // 3
    want = images.clone()
    for row in range(2):
        for place, patch in enumerate(order[row].tolist()):
            for y in range(height):
                for x in range(width):
                    to = place // 3 * height + y, place % 3 * width + x
                    at = patch // 3 * height + y, patch % 3 * width + x
                    want[row, :, to[0], to[1]] = images[row, :, at[0], at[1]]
    torch.testing.assert_close(found, want, rtol=0, atol=0)


def test_a_jigsaw_has_all_patches_and_each_picture_its_own() -> None:
    images = torch.arange(2 * 3 * 8 * 8.0).reshape(2, 3, 8, 8)
    torch.manual_seed(0)
    one, other = shuffled(images, 4), shuffled(images, 4)
    assert not torch.equal(one, other)
    assert not torch.equal(one[0] - images[0, 0, 0, 0], one[1] - images[1, 0, 0, 0])
    for made in (one, other):
        torch.testing.assert_close(made.flatten(1).sort().values, images.flatten(1))
    assert torch.equal(shuffled(images, 1), images)
    assert shuffled(images[:, :, :2, :3], 8).shape == (2, 3, 2, 3)


def pictures(batch: int = 3) -> Tensor:
    return torch.randn(batch, 3, 16, 16, generator=torch.Generator().manual_seed(2))


def seen(maps: Callable[[Tensor], tuple[Tensor, Tensor | None]]) -> Seen:
    return Seen(pictures(), torch.tensor([0, 3, 1]), torch.arange(3), maps, 0, 0.0)


def test_each_phase_has_its_picture_and_its_classifier() -> None:
    network = SmallNetwork().eval()
    chosen = head(network.channels)
    given: list[Tensor] = []

    def maps(images: Tensor) -> tuple[Tensor, Tensor]:
        given.append(images)
        early, last = network.early_and_last(images)
        return last, early

    scheme = Scheme(CrossEntropy(), early_patches=4, last_patches=2, both_weight=3.0)
    torch.manual_seed(0)
    losses = [scheme(chosen, seen(maps), phase) for phase in range(scheme.phases)]
    torch.manual_seed(0)
    want = [shuffled(pictures(), 4), shuffled(pictures(), 2), pictures()]
    for found, image in zip(given, want, strict=True):
        assert torch.equal(found, image)
    with torch.no_grad():
        (early, _), (_, last) = (network.early_and_last(image) for image in want[:2])
        whole = network.early_and_last(want[2])
        logits = [
            chosen.early_classifier(chosen.pooling.early_block(early).amax(dim=(2, 3))),
            chosen.last_classifier(chosen.pooling.last_block(last).amax(dim=(2, 3))),
            chosen.classifier(chosen.pooling(whole[1], whole[0])),
        ]
    for loss, row, weight in zip(losses, logits, (1, 1, 3), strict=True):
        logs = row.double().log_softmax(dim=1).numpy()
        assert loss.item() == pytest.approx(-weight * np.mean(logs[[0, 1, 2], [0, 3, 1]]), rel=1e-5)


def test_the_first_phase_leaves_what_comes_after_the_early_map() -> None:
    network = SmallNetwork()
    chosen = head(network.channels)

    def maps(images: Tensor) -> tuple[Tensor, Tensor]:
        early, last = network.early_and_last(images)
        return last, early

    Scheme(CrossEntropy())(chosen, seen(maps), 0).backward()
    assert network.third.weight.grad is None
    assert network.first[0].weight.grad is not None
    assert chosen.classifier[1].weight.grad is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"early_patches": 0}, "early_patches of pmg must be 1 or more; got 0"),
        ({"last_patches": -1}, "last_patches of pmg must be 1 or more; got -1"),
        ({"both_weight": 0.0}, "both_weight of pmg must be above 0 and finite; got 0"),
    ],
)
def test_what_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        Scheme(CrossEntropy(), **options)  # type: ignore[arg-type]
