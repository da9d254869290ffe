"""Positions of a map that belong to the main object, and what is pooled over them."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import BadInputError


def above_mean(features: Tensor) -> Tensor:
    """Where the sum over channels exceeds its mean: (B, C, h, w) to (B, h, w) bool."""
    activation = features.detach().sum(dim=1)  # (B, h, w)
    return activation > activation.mean(dim=(1, 2), keepdim=True)


@torch.no_grad()
def largest_component(mask: Tensor) -> Tensor:
    """The largest 8-connected component of each mask, (B, h, w) bool to (B, h, w) bool.

    Of equal ones, that with the first position in column-major order. An empty mask stays empty.
    """
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        raise BadInputError(
            "a selection depends on the picture and must not be traced; "
            "trace the encoder's backbone."
        )
    height, width = mask.shape[1:]
    count = height * width
    # Every position its own label, the first in column-major order the largest; zero outside.
    order = torch.arange(count, device=mask.device).view(width, height).T
    labels = mask * (count - order).float()
    for _ in range(longest_path(height, width)):  # a component's largest label floods it
        flooded = mask * F.max_pool2d(labels[:, None], 3, stride=1, padding=1)[:, 0]
        # A graph that is exported has no early end: it cannot look at numbers.
        if not torch.compiler.is_exporting() and torch.equal(flooded, labels):
            break
        labels = flooded
    label = labels.flatten(1).long()
    sizes = label.new_zeros(mask.shape[0], count + 1)  # no len(): a graph keeps the batch open
    sizes.scatter_add_(1, label, torch.ones_like(label))
    sizes[:, 0] = 0  # outside of the mask
    # Size first, then label, in one number.
    key = sizes * (count + 1) + torch.arange(count + 1, device=mask.device)
    return mask & (label == key.argmax(dim=1, keepdim=True)).view_as(mask)


def longest_path(height: int, width: int) -> int:
    """Steps after which a flood, one position further each, has reached all of any component.

    It takes shortest ways. Of the four positions of a 2 x 2 block, which are all neighbours of one
    another, a shortest way enters two at most: from the first to the last it would else have
    stepped at once. So it has at most two positions for each block that tiles the map.

    Example:
        >>> longest_path(7, 7)
        31
    """
    blocks = -(-height // 2) * -(-width // 2)
    return 2 * blocks - 1


def average_and_maximum(features: Tensor, mask: Tensor) -> Tensor:
    """Mean and maximum over a mask (B, h, w), each of norm 1: (B, C, h, w) to (B, 2C).

    An empty mask gives zeros.
    """
    inside = mask[:, None]
    size = mask.sum(dim=(1, 2))[:, None]
    average = torch.where(inside, features, 0).sum(dim=(2, 3)) / size.clamp(min=1)
    maximum = torch.where(inside, features, -torch.inf).amax(dim=(2, 3))
    maximum = torch.where(size > 0, maximum, 0)
    return torch.cat([F.normalize(average), F.normalize(maximum)], dim=1)
