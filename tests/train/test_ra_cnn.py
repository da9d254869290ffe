"""Look closer: the boxcar mask, the zoom, and scales that are surer from one to the next."""

import math
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads.ra_cnn import RaCnn as RaCnnHead
from retrieval.heads.ra_cnn import boxcar, zoomed
from tests.retrieval.small_network import SmallNetwork
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.ra_cnn import CLASSIFYING, PROPOSING, RaCnn, greatest_squares

B, K, SIDE = 3, 4, 32
TARGETS = torch.tensor([2, 0, 3])
SQUARES = torch.tensor([[0.5, 0.5, 0.3], [0.3, 0.6, 0.25], [0.71, 0.4, 0.22]]).double()


def pictures(height: int = SIDE, width: int = SIDE) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(B, 3, height, width, generator=generator, dtype=torch.float64)


def h(x: float) -> float:
    return 1 / (1 + math.exp(-10 * x))


def masked_by_loops(image: np.ndarray, square: list[float]) -> np.ndarray:
    found = np.zeros_like(image)
    height, width = image.shape[1:]
    for i in range(height):
        for j in range(width):
            x, y = j + 0.5 - square[0] * width, i + 0.5 - square[1] * height
            across = h(x + square[2] * width) - h(x - square[2] * width)
            found[:, i, j] = (
                image[:, i, j] * across * (h(y + square[2] * height) - h(y - square[2] * height))
            )
    return found


def test_the_mask_by_its_definition() -> None:
    found = boxcar(SQUARES, (6, 8), 10.0)
    for row, square in zip(found.numpy(), SQUARES.tolist(), strict=True):
        np.testing.assert_allclose(row, masked_by_loops(np.ones((1, 6, 8)), square)[0], atol=1e-12)
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1


def test_the_zoom_by_its_definition() -> None:
    """Every pixel of what comes out is bilinear between four pixels of the masked picture."""
    images = pictures(6, 8)
    found = zoomed(images, SQUARES, 10.0).numpy()
    for image, square, one in zip(images.numpy(), SQUARES.tolist(), found, strict=True):
        masked = masked_by_loops(image, square)
        for i in range(6):
            for j in range(8):
                y = 6 * (square[1] + square[2] * (2 * (i + 0.5) / 6 - 1)) - 0.5
                x = 8 * (square[0] + square[2] * (2 * (j + 0.5) / 8 - 1)) - 0.5
                want = np.zeros(3)
                for a in (math.floor(y), math.floor(y) + 1):
                    for b in (math.floor(x), math.floor(x) + 1):
                        if 0 <= a < 6 and 0 <= b < 8:
                            want += masked[:, a, b] * (1 - abs(y - a)) * (1 - abs(x - b))
                np.testing.assert_allclose(one[:, i, j], want, atol=1e-9)


def test_gradients_of_the_zoom_are_right() -> None:
    images = pictures(4, 5)[:1].requires_grad_()
    square = torch.tensor([[0.337, 0.591, 0.243]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, t: zoomed(x, t, 2.0), (images, square))


def network() -> SmallNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return SmallNetwork().eval().double()


def head(scales: int = 3) -> RaCnnHead:
    torch.manual_seed(0)
    return RaCnnHead(24, K, scales, hidden=8).double()


def seen(backbone: SmallNetwork, progress: float = 0.5) -> Seen:
    def maps(images: Tensor) -> tuple[Tensor, None]:
        return backbone(images), None

    return Seen(pictures(), TARGETS, torch.arange(B), maps, epoch=0, progress=progress)


def descriptors(model: RaCnnHead, backbone: SmallNetwork) -> list[Tensor]:
    images, found = pictures(), []
    for scale in range(model.scales):
        last = backbone(images)
        found.append(last.mean(dim=(2, 3)))
        if scale < model.scales - 1:
            images = zoomed(images, model.square(scale, last), 10.0)
    return found


def test_squares_are_inside_their_picture_and_not_too_small() -> None:
    model = head()
    for size in (1, 4, 7):
        last = 100 * torch.randn(50, 24, size, size, dtype=torch.float64)
        square = model.square(0, last)
        assert (square[:, :2] - square[:, 2:] >= -1e-9).all()
        assert (square[:, :2] + square[:, 2:] <= 1 + 1e-9).all()
        assert (square[:, 2] >= 0.125).all()


@torch.no_grad()
def test_the_answer_is_that_of_all_scales() -> None:
    model, backbone = head().eval(), network()
    unit = [one / one.norm(dim=1, keepdim=True) for one in descriptors(model, backbone)]
    found = model.of_images(pictures(), seen(backbone).maps)
    torch.testing.assert_close(found, model.together(torch.cat(unit, dim=1)))
    first = model.classifiers[0](descriptors(model, backbone)[0])
    torch.testing.assert_close(model(backbone(pictures())), first)


def test_classification_by_its_definition() -> None:
    model, backbone = head(), network()
    loss = RaCnn(CrossEntropy())(model, seen(backbone), CLASSIFYING)
    found = descriptors(model, backbone)
    unit = torch.cat([one / one.norm(dim=1, keepdim=True) for one in found], dim=1)
    answers = [model.classifiers[s](found[s]) for s in range(3)]
    want = sum(F.cross_entropy(one, TARGETS) for one in [*answers, model.together(unit)])
    torch.testing.assert_close(loss, want)
    loss.backward()
    assert all(parameter.grad is None for parameter in model.proposals.parameters())
    assert all(parameter.grad is not None for parameter in model.together.parameters())


def test_all_scales_together_do_not_teach_the_backbone() -> None:
    model, backbone = head(), network()
    scheme = RaCnn(CrossEntropy())
    scheme(model, seen(backbone), CLASSIFYING).backward()
    before = [cast(Tensor, parameter.grad).clone() for parameter in backbone.parameters()]
    model.zero_grad()
    backbone.zero_grad()
    torch.nn.init.normal_(model.together.weight)
    scheme(model, seen(backbone), CLASSIFYING).backward()
    for parameter, want in zip(backbone.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.grad, want)


def test_ranking_by_its_definition() -> None:
    model, backbone = head(), network()
    loss = RaCnn(CrossEntropy())(model, seen(backbone), PROPOSING)
    found = descriptors(model, backbone)
    want = 0.0
    for i, target in enumerate(TARGETS.tolist()):
        sure = [
            math.exp(z[target]) / sum(math.exp(one) for one in z)
            for z in (model.classifiers[s](found[s][i]).tolist() for s in range(3))
        ]
        want += sum(max(0.0, sure[s] - sure[s + 1] + 0.05) for s in range(2)) / B
    assert loss.item() == pytest.approx(want)
    assert want > 0
    loss.backward()
    chosen = RaCnn(CrossEntropy()).learned(model, PROPOSING)
    assert chosen is not None
    assert {id(p) for p in chosen} == {id(p) for p in model.proposals.parameters()}
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in chosen)


def test_proposals_start_at_the_greatest_place() -> None:
    last = torch.zeros(2, 5, 4, 8)
    last[0, :, 1, 4] = 1
    last[1, :, 3, 0] = 1
    want = torch.tensor([[4.5 / 8, 1.5 / 4, 0.25], [0.25, 0.75, 0.25]])
    torch.testing.assert_close(greatest_squares(last), want)
    model, backbone = head(), network()
    loss = RaCnn(CrossEntropy(), start=0.2)(model, seen(backbone, 0.1), PROPOSING)
    images, error = pictures(), torch.zeros((), dtype=torch.float64)
    for scale in range(2):
        wanted = greatest_squares(backbone(images))
        square = model.square(scale, backbone(images))
        error = error + sum((a - b).square().sum() for a, b in zip(square, wanted, strict=True)) / B
        images = zoomed(images, wanted, 10.0)
    torch.testing.assert_close(loss, error)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scales": 1}, "scales of ra_cnn must be in 2..9; got 1"),
        ({"steepness": 0}, "steepness of ra_cnn must be above 0; got 0"),
        ({"smallest": 1.0}, r"smallest of ra_cnn must be in \(0, 1\); got 1"),
        ({"hidden": 0}, "hidden of ra_cnn must be in 1"),
    ],
)
def test_what_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        RaCnnHead(24, K, **options)  # type: ignore[arg-type]


def test_a_start_that_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"start of ra_cnn must be in 0..1; got -1"):
        RaCnn(CrossEntropy(), start=-1)
