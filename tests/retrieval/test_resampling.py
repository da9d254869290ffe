"""Pictures drawn again, by the definition of bilinear sampling."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrieval.heads._resampling import (
    cut,
    drawn_to,
    quantiles,
    sampled,
    share_of,
    stretched,
    warped,
)


def picture(height: int = 5, width: int = 7, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, 2, height, width, generator=generator, dtype=torch.float64)


def bilinear(image: NDArray[np.float64], x: float, y: float) -> NDArray[np.float64]:
    """Of one picture (C, H, W) at a place from -1 to 1, zero beyond it."""
    _, height, width = image.shape
    column, row = (x + 1) / 2 * width - 0.5, (y + 1) / 2 * height - 0.5
    value = np.zeros(len(image))
    for j in (int(np.floor(row)), int(np.floor(row)) + 1):
        for i in (int(np.floor(column)), int(np.floor(column)) + 1):
            if 0 <= j < height and 0 <= i < width:
                value += (1 - abs(row - j)) * (1 - abs(column - i)) * image[:, j, i]
    return value


def centres(count: int) -> list[float]:
    return [(2 * i + 1) / count - 1 for i in range(count)]


def test_affine_views_by_their_definition() -> None:
    images = picture()
    generator = torch.Generator().manual_seed(1)
    transforms = torch.eye(2, 3) + 0.5 * torch.randn(2, 3, 2, 3, generator=generator)
    found = warped(images, transforms.double(), (3, 4)).numpy().reshape(2, 3, 2, 3, 4)
    for b in range(2):
        for n in range(3):
            a = transforms[b, n].numpy()
            for j, y in enumerate(centres(3)):
                for i, x in enumerate(centres(4)):
                    there = a @ np.array([x, y, 1])
                    want = bilinear(images[b].numpy(), *there)
                    np.testing.assert_allclose(found[b, n, :, j, i], want, atol=1e-6)


def test_the_identity_changes_nothing() -> None:
    images = picture()
    same = torch.eye(2, 3, dtype=torch.float64).expand(2, 1, 2, 3)
    torch.testing.assert_close(warped(images, same, (5, 7)), images)


def test_a_box_is_cut_out() -> None:
    """Where it begins and ends on the edges of pixels it is these pixels; beyond there is zero."""
    images = picture(4, 8)
    boxes = torch.tensor([[0.25, 0.5, 0.75, 1.0], [-0.25, -0.5, 0.25, 0.0]], dtype=torch.float64)
    found = cut(images, boxes.expand(2, 2, 4), (2, 4))
    torch.testing.assert_close(found[0], images[0, :, 2:, 2:6])
    torch.testing.assert_close(found[2], images[1, :, 2:, 2:6])
    assert found[1].abs().sum() == found[3].abs().sum() == 0


def test_gradients() -> None:
    images = picture(3, 4, 1).requires_grad_()
    transforms = torch.eye(2, 3, dtype=torch.float64) * 0.8 + 0.03
    transforms = transforms.expand(1, 2, 2, 3).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda i, t: warped(i, t, (2, 3)), (images, transforms))


def test_views_follow_their_picture() -> None:
    images = picture(3, 3)
    grids = torch.zeros(2, 4, 1, 1, 2, dtype=torch.float64)
    found = sampled(images, grids)
    assert found.shape == (8, 2, 1, 1)
    torch.testing.assert_close(found[:, :, 0, 0], images[:, :, 1, 1].repeat_interleave(4, dim=0))


@pytest.mark.parametrize(("share", "want"), [(0.5, (224, 224)), (1.0, (448, 448)), (0.001, (1, 1))])
def test_share_of_a_size(share: float, want: tuple[int, int]) -> None:
    assert share_of((448, 448), share) == want


def test_quantiles_by_their_definition() -> None:
    """Walk through the density in small steps and stop at each middle of equal parts."""
    density = np.array([0.2, 0.0, 1.5, 0.3, 1.0])
    found = quantiles(torch.from_numpy(density)[None].expand(2, 5), 6).numpy()
    steps = 100_000
    passed = np.cumsum(np.repeat(density, steps // 5)) / density.sum() / (steps // 5)
    for i in range(6):
        place = np.searchsorted(passed, (i + 0.5) / 6) / steps
        np.testing.assert_allclose(found[:, i], 2 * place - 1, atol=1e-4)


def test_quantiles_of_one_cell_and_of_a_single_peak() -> None:
    one = torch.tensor([[3.0]])
    torch.testing.assert_close(quantiles(one, 2), torch.tensor([[-0.5, 0.5]]))
    peak = torch.tensor([[0.0, 0.0, 2.0, 0.0]])
    torch.testing.assert_close(quantiles(peak, 2), torch.tensor([[0.125, 0.375]]))


def test_pictures_are_stretched_by_rows_and_columns() -> None:
    images, density = picture(6, 6), picture(6, 6)[:, 0] + 0.01
    found = stretched(images, density, (4, 5)).numpy()
    for b in range(2):
        across = quantiles(density[b].amax(dim=0)[None], 5)[0].tolist()
        down = quantiles(density[b].amax(dim=1)[None], 4)[0].tolist()
        for j, y in enumerate(down):
            for i, x in enumerate(across):
                want = bilinear(images[b].numpy(), x, y)
                np.testing.assert_allclose(found[b, :, j, i], want, atol=1e-9)


@pytest.mark.parametrize("value", [1e-3, 50.0])
def test_an_even_density_or_saliency_changes_nothing(value: float) -> None:
    images = picture(5, 7)
    even = torch.full((2, 4, 4), value, dtype=torch.float64)
    torch.testing.assert_close(stretched(images, even, (5, 7)), images)
    torch.testing.assert_close(drawn_to(images, even, 3.0), images)


def test_places_move_to_the_salient_by_their_definition() -> None:
    """On a picture of as many pixels as the saliency has cells no place is interpolated."""
    n, width = 4, 2.5
    images, saliency = picture(n, n), picture(n, n)[:, 1] + 0.05
    found = drawn_to(images, saliency, width).numpy()
    for b in range(2):
        for j in range(n):
            for i in range(n):
                total, moment = 0.0, np.zeros(2)
                for y in range(j - n + 1, j + n):
                    for x in range(i - n + 1, i + n):
                        distance = (x - i) ** 2 + (y - j) ** 2
                        inside = (min(max(y, 0), n - 1), min(max(x, 0), n - 1))
                        pull = np.exp(-4 * np.log(2) * distance / width**2)
                        pull *= float(saliency[b][inside])
                        total += pull
                        moment += pull * np.array([x, y]) / (n - 1)
                u, v = (2 * (moment / total).clip(0, 1) - 1) * (n - 1) / n
                want = bilinear(images[b].numpy(), u, v)
                np.testing.assert_allclose(found[b, :, j, i], want, atol=1e-9)
