"""Pictures drawn again: warped, cut out, or stretched where there is something to look at.

Places in a picture are numbers from -1 to 1, x first, from the outer edge of the first pixel to
that of the last. All of it is bilinear, has gradients, and is zero beyond the picture.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def sampled(images: Tensor, grids: Tensor) -> Tensor:
    """Views of pictures: (B, C, H, W) and places (B, N, h, w, 2) to (B N, C, h, w).

    The views of a picture follow each other; the picture itself is not copied for them.
    """
    batch, number, height, width, _ = grids.shape
    views = F.grid_sample(images, grids.flatten(1, 2), align_corners=False)  # (B, C, N h, w)
    views = views.reshape(batch, -1, number, height, width)
    return views.transpose(1, 2).flatten(0, 1)


def warped(images: Tensor, transforms: Tensor, size: tuple[int, int]) -> Tensor:
    """Affine views of pictures: (B, C, H, W) to (B N, C, h, w).

    Args:
        images: (B, C, H, W).
        transforms: (B, N, 2, 3), from places of a view to those of its picture.
        size: (h, w).
    """
    batch, number = transforms.shape[:2]
    shape = [batch * number, 1, *size]
    grids = F.affine_grid(transforms.flatten(0, 1), shape, align_corners=False)
    return sampled(images, grids.reshape(batch, number, *size, 2))


def cut(images: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes of pictures, all of one size: (B, C, H, W) to (B N, C, h, w).

    Args:
        images: (B, C, H, W).
        boxes: (B, N, 4), left, top, right and bottom as shares of the sides; what lies beyond the
            picture is zero.
        size: (h, w).
    """
    first, last = boxes[..., :2], boxes[..., 2:]
    middle = (first + last - 1)[..., None]  # (B, N, 2, 1)
    return warped(images, torch.cat([torch.diag_embed(last - first), middle], dim=3), size)


def share_of(size: tuple[int, int], share: float) -> tuple[int, int]:
    """A share of both sides, in whole pixels, one at least."""
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def stretched(images: Tensor, density: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures with the more room for a place the more is there: (B, C, H, W) to (B, C, h, w).

    Columns and rows are drawn each for itself, at equal steps of what has been passed of the
    density's greatest value in each column and in each row. An even density changes nothing.

    Args:
        images: (B, C, H, W).
        density: (B, H', W'), above 0.
        size: (h, w).
    """
    across = quantiles(density.amax(dim=1), size[1])[:, None, :].expand(-1, *size)
    down = quantiles(density.amax(dim=2), size[0])[:, :, None].expand(-1, *size)
    grids = torch.stack([across, down], dim=3)  # (B, h, w, 2)
    return sampled(images, grids[:, None])


def quantiles(density: Tensor, count: int) -> Tensor:
    """Places from -1 to 1 at the middles of equal parts of a density: (B, n) to (B, count).

    The density is even within each of its n cells; their sum may be anything above 0.
    """
    cells = density.shape[1]
    ends = density.cumsum(dim=1)  # (B, n)
    steps = (torch.arange(count, device=density.device).to(density) + 0.5) / count
    asked = ends[:, -1:] * steps  # (B, count)
    cell = torch.searchsorted(ends, asked).clamp(max=cells - 1)
    within = density.gather(1, cell)
    passed = (asked - ends.gather(1, cell) + within) / within
    return 2 * (cell + passed.clamp(0, 1)) / cells - 1


def drawn_to(images: Tensor, saliency: Tensor, width: float) -> Tensor:
    r"""Pictures whose places move towards what is salient: (B, C, H, W) to the same.

    .. math:: u(p) = \frac{\sum_q S(q)\, k(p - q)\, q}{\sum_q S(q)\, k(p - q)}

    with k a Gaussian that reaches n - 1 cells far, S repeated beyond its edge, and places measured
    from the middle of the first cell to that of the last. An even saliency changes nothing. Sums
    over rows and columns are taken one after the other: k is a product of both.

    Args:
        images: (B, C, H, W).
        saliency: (B, n, n), above 0, n of 2 or more.
        width: Of the Gaussian at half its height, in cells.

    References:
        Recasens, Kellnhofer, Stent, Matusik, Torralba, Learning to zoom: a saliency-based sampling
        layer for neural networks, ECCV 2018, section 3.
    """
    cells, size = saliency.shape[1], images.shape[2:]
    own = torch.arange(cells, device=saliency.device).to(saliency)
    near = torch.arange(1 - cells, 2 * cells - 1, device=saliency.device)  # the repeated edge too
    apart = near - own[:, None]  # (n, 3 n - 2)
    reached = torch.exp(-4 * math.log(2) * (apart / width).square()) * (apart.abs() < cells)
    home = F.one_hot(near.clamp(0, cells - 1), cells).to(saliency)
    weights, moments = reached @ home, (reached * near / (cells - 1)) @ home  # (n, n)
    total = weights @ saliency @ weights.T
    places = torch.stack(
        [weights @ saliency @ moments.T / total, moments @ saliency @ weights.T / total], dim=1
    )
    places = F.interpolate(places.clamp(0, 1), size, mode="bilinear", align_corners=True)
    inner = 1 - 1 / torch.tensor([size[1], size[0]], device=saliency.device).to(saliency)
    return sampled(images, ((2 * places.permute(0, 2, 3, 1) - 1) * inner)[:, None])
