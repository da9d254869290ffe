"""How close together the pictures of a class lie, and a division by that."""

import torch
from torch import Tensor

SUBSETS = 3
"""Clean, noisy, highly noisy."""

NO_SUBSET = -1

ROUNDED = 1e-9
"""Squared distances are counted in this share of the longest descriptor's square."""


def densities(descriptors: Tensor, share: float) -> Tensor:
    r"""How many others of the class are near each picture.

    .. math:: \rho_i = |\{j \ne i : D_{ij} < d_c\}|

    Args:
        descriptors: (N, D) of one class.
        share: Where among all N x N distances in order :math:`d_c` stands, in (0, 1).
            Distances in order are squared distances in order.

    Returns:
        (N,) int64.
    """
    rows = descriptors.double()
    size = rows.square().sum(dim=1)
    squared = size[:, None] + size - 2 * rows @ rows.T
    # Copies of a picture are equally far from all others, whatever was rounded.
    distances = (squared.clamp(min=0) / (ROUNDED * size.max())).round()
    ordered = distances.flatten().sort().values
    near = distances < ordered[int(share * len(ordered))]
    return near.fill_diagonal_(False).sum(dim=1)


def three_means(values: Tensor) -> Tensor:
    """The division of numbers into three with the least squared distances from their means.

    Numbers in a row are divided best by two cuts: all pairs of them are tried.

    Args:
        values: (N,) int64.

    Returns:
        (N,) int64: 0 for the largest, 1, 2 for the smallest. Of two different values the smaller
        has 1, and of one value all have 0.
    """
    points, inverse, counts = torch.unique(values, return_inverse=True, return_counts=True)
    points = points.double()
    if len(points) < SUBSETS:
        fewer: Tensor = len(points) - 1 - inverse
        return fewer
    before = points.new_zeros(3, len(points) + 1)
    before[:, 1:] = torch.stack([counts, counts * points, counts * points**2]).cumsum(dim=1)
    number, total, squares = before[:, None, :] - before[:, :, None]  # from a to b: (P + 1, P + 1)
    spread = squares - total**2 / number
    cuts = torch.arange(1, len(points))
    cost = spread[0, cuts][:, None] + spread[cuts][:, cuts] + spread[cuts, len(points)]
    cost = cost.masked_fill(cuts[:, None] >= cuts, torch.inf)
    first, second = divmod(int(cost.argmin()), len(cuts))
    place = torch.arange(len(points))
    subsets: Tensor = 2 - (place >= cuts[first]).long() - (place >= cuts[second]).long()
    return subsets[inverse]


def subsets_of_class(descriptors: Tensor, share: float) -> Tensor:
    """Of the pictures of a class, (N, D), on any device: (N,) int64 on the CPU."""
    return three_means(densities(descriptors, share).cpu())
