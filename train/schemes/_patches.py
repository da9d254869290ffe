"""Pictures whose patches have changed places."""

import torch
from torch import Tensor


def rearranged(images: Tensor, order: Tensor) -> Tensor:
    """Pictures cut into n x n equal patches, put together in another order.

    What is left over at the right and lower edge, fewer than n pixels, stays where it is.

    Args:
        images: (B, C, H, W), sides of n pixels or more.
        order: (B, n, n) int64: the patch that comes to each place, counted along the rows.
    """
    n = order.shape[1]
    height, width = images.shape[2] // n, images.shape[3] // n
    inner = images[:, :, : n * height, : n * width]
    tiles = inner.unflatten(3, (n, width)).unflatten(2, (n, height))  # (B, C, n, height, n, width)
    tiles = tiles.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)  # (B, n * n, C, height, width)
    rows = torch.arange(len(images), device=images.device)[:, None]
    moved = tiles[rows, order.flatten(1)].unflatten(1, (n, n))
    made = images.clone()
    made[:, :, : n * height, : n * width] = moved.permute(0, 3, 1, 4, 2, 5).reshape(inner.shape)
    return made


def patches_of(images: Tensor, wanted: int) -> int:
    """How many patches a side is cut into: those wanted, or one for each pixel of a small one."""
    return min(wanted, *images.shape[2:])


def shuffled(images: Tensor, wanted: int) -> Tensor:
    """Pictures cut into n x n patches, each picture's in an order of its own."""
    n = patches_of(images, wanted)
    order = torch.rand(len(images), n * n).argsort(dim=1).to(images.device)
    return rearranged(images, order.unflatten(1, (n, n)))
