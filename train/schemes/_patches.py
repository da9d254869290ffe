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
    tiles = inner.reshape(*images.shape[:2], n, height, n, width).permute(0, 2, 4, 1, 3, 5)
    rows = torch.arange(len(images), device=images.device)[:, None]
    moved = tiles.flatten(1, 2)[rows, order.flatten(1)].reshape(tiles.shape)
    made = images.clone()
    made[:, :, : n * height, : n * width] = moved.permute(0, 3, 1, 4, 2, 5).reshape(inner.shape)
    return made


def patches_of(images: Tensor, wanted: int) -> int:
    """How many patches a side is cut into: those wanted, or one for each pixel of a small one."""
    return min(wanted, images.shape[2], images.shape[3])


def shuffled(images: Tensor, wanted: int) -> Tensor:
    """Pictures cut into n x n patches, each picture's in an order of its own."""
    n = patches_of(images, wanted)
    order = torch.rand(len(images), n * n).argsort(dim=1).to(images.device)
    return rearranged(images, order.reshape(-1, n, n))
