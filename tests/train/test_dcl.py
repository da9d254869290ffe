"""Destruction and construction learning, by its definition."""

import numpy as np
import pytest
import torch
from torch import Tensor

from retrieval.errors import BadInputError
from retrieval.heads import Maps
from retrieval.heads.softmax import Softmax
from tests.retrieval.small_network import SmallNetwork
from tests.train.loops import numbers, surprise
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes._patches import rearranged
from train.schemes.dcl import Dcl, confused

TARGETS = torch.tensor([0, 2, 1])


@pytest.mark.parametrize(("n", "reach"), [(1, 2), (3, 1), (7, 2), (7, 7)])
def test_patches_move_a_little(n: int, reach: int) -> None:
    torch.manual_seed(0)
    orders = confused(200, n, reach)
    assert (orders.flatten(1).sort().values == torch.arange(n * n)).all()
    rows, columns = torch.arange(n)[:, None], torch.arange(n)
    moved = torch.stack([(orders // n - rows).abs(), (orders % n - columns).abs()])
    assert moved.max() < 2 * reach
    if n > 1:
        assert (moved.amax(dim=(1, 2, 3)) > 0).all()
        assert len({tuple(order.flatten().tolist()) for order in orders}) > 20


class Again(Softmax):
    """Asks for the picture and for its mirror image."""

    looks_again = True

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        logits: Tensor = self(*maps(images)) + self(*maps(images.flip(3)))
        return logits


@pytest.mark.parametrize("kind", [Softmax, Again])
@pytest.mark.parametrize("size", [(24, 24), (17, 30), (8, 2)])
def test_the_loss_by_its_definition(kind: type[Softmax], size: tuple[int, int]) -> None:
    """Of whole and broken pictures; each is passed through the backbone once for each look."""
    torch.manual_seed(0)
    network = SmallNetwork().double().eval()
    head = kind(network.channels[1], network.channels[0], 4).double()
    scheme = Dcl(CrossEntropy(), network.channels[1], 3, 1, 0.6, 0.4).double()
    pictures = torch.randn(3, 3, *size, dtype=torch.float64)
    passes: list[int] = []

    def maps(images: Tensor) -> tuple[Tensor, Tensor]:
        passes.append(len(images))
        early, last = network.early_and_last(images)
        return last, early

    torch.manual_seed(5)
    found = scheme(head, Seen(pictures, TARGETS, torch.arange(3), maps, 0, 0.0), 0).item()
    assert passes == [6] * (1 + head.looks_again)
    torch.manual_seed(5)
    n = min(3, *size)
    order = confused(3, n, 1)
    shown = [*pictures, *rearranged(pictures, order)]
    first = torch.arange(n * n).reshape(1, n, n).repeat(3, 1, 1)
    placed = torch.cat([first, order]).numpy()
    losses, adversarial, location = [], [], []
    a, c = numbers(scheme.wholeness), numbers(scheme.location)
    for k, image in enumerate(shown):
        with torch.no_grad():
            last = maps(image[None])[0][0].numpy()
            logits = head.of_images(image[None], maps)[0].numpy()
        losses.append(surprise(logits, int(TARGETS[k % 3])))
        adversarial.append(surprise(a @ last.mean(axis=(1, 2)), 1 if k < 3 else 0))
        told = np.einsum("c,chw->hw", c[0, :, 0, 0], last) + numbers(scheme.location, "bias")
        h, w = told.shape
        for i, j in np.ndindex(n, n):
            rows = slice(i * h // n, -(-(i + 1) * h // n))
            columns = slice(j * w // n, -(-(j + 1) * w // n))
            wanted = (placed[k, i, j] - n * n // 2) / (n * n)
            location.append(abs(np.tanh(told[rows, columns].mean()) - wanted))
    want = np.mean(losses) + 0.6 * np.mean(adversarial) + 0.4 * np.mean(location)
    assert found == pytest.approx(want)


def test_places_that_are_alike_are_told_apart_by_the_patch_that_came() -> None:
    """A picture of one colour: no patch can be found again by its mean, and all are known."""
    order = confused(1, 3, 1)
    grid = torch.arange(9.0).reshape(1, 1, 3, 3)
    numbered = grid.repeat_interleave(2, 2).repeat_interleave(2, 3)
    moved = rearranged(numbered, order)[0, 0, ::2, ::2]
    torch.testing.assert_close(moved, order[0].float())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"patches": 0}, "patches of dcl must be 1 or more; got 0"),
        ({"reach": 0}, "reach of dcl must be 1 or more; got 0"),
        ({"location_weight": -1.0}, "location_weight of dcl must be 0 or more; got -1"),
    ],
)
def test_what_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        Dcl(CrossEntropy(), 4, **options)  # type: ignore[arg-type]
