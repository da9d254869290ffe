"""Pictures drawn again: warped, cut out, or stretched where there is something to look at.

Places in a picture are numbers from -1 to 1, x first, from the outer edge of the first pixel to
that of the last. All of it is bilinear, has gradients, and is zero beyond the picture.
"""

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
