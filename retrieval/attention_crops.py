"""What attention looks at, cut out of pictures and enlarged, or taken away; whole batches at once.

References:
    Hu, Qi, Huang, Lu, See better before looking closer: weakly supervised data augmentation network
    for fine-grained visual classification, 2019, section 3.2 and 3.3.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def enlarged(attention: Tensor, size: tuple[int, int]) -> Tensor:
    """Attention (B, h, w) on the pixels of pictures, (B, H, W), bilinear."""
    return F.interpolate(attention[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def attended_boxes(
    attention: Tensor, size: tuple[int, int], share: Tensor | float, padding: float = 0.1
) -> Tensor:
    """The box around all pixels with a share of the greatest attention or more.

    Where there is no attention at all, it is the whole picture.

    Args:
        attention: (B, h, w), 0 or more.
        size: H, W of the pictures.
        share: Of the greatest attention, 0 to 1: one number, or (B,).
        padding: What is added on each side, as a share of the picture's side.

    Returns:
        (B, 4) int64: first row, row after the last, first column, column after the last.
    """
    on_pixels = enlarged(attention, size)
    looked_at = on_pixels >= share_of_greatest(on_pixels, share)  # (B, H, W)
    rows = _span(looked_at.any(dim=2), round(padding * size[0]))
    columns = _span(looked_at.any(dim=1), round(padding * size[1]))
    return torch.cat([rows, columns], dim=1)


def share_of_greatest(attention: Tensor, share: Tensor | float) -> Tensor:
    """The threshold of each row, (B, 1, 1)."""
    wanted = torch.as_tensor(share, device=attention.device, dtype=attention.dtype)
    return attention.amax(dim=(1, 2), keepdim=True) * wanted.reshape(-1, 1, 1)


def cropped(images: Tensor, boxes: Tensor) -> Tensor:
    """Boxes of pictures at the pictures' own size, bilinear.

    Args:
        images: (B, 3, H, W).
        boxes: (B, 4) as :func:`attended_boxes` gives them, none of them empty.

    Returns:
        (B, 3, H, W). What is outside a box does not enter, not even at its edge.
    """
    height, width = images.shape[2:]
    rows = _sampled(boxes[:, 0], boxes[:, 1], height).to(images.dtype)  # (B, H)
    columns = _sampled(boxes[:, 2], boxes[:, 3], width).to(images.dtype)  # (B, W)
    grid = torch.stack(
        [
            columns[:, None, :].expand(-1, height, -1),
            rows[:, :, None].expand(-1, -1, width),
        ],
        dim=3,
    )
    return F.grid_sample(images, grid, mode="bilinear", align_corners=False)


def dropped(images: Tensor, attention: Tensor, share: Tensor | float) -> Tensor:
    """Pictures without what attention looks at: 0 where it is above a share of its greatest value.

    Args:
        images: (B, 3, H, W), normalised: 0 is the mean colour.
        attention: (B, h, w), 0 or more.
        share: 0 to 1: one number, or (B,).
    """
    height, width = images.shape[2:]
    on_pixels = enlarged(attention, (height, width))
    looked_at = on_pixels > share_of_greatest(on_pixels, share)
    return images.masked_fill(looked_at[:, None], 0)


def _span(marked: Tensor, padding: int) -> Tensor:
    """First marked place and the one after the last, (B, N) to (B, 2), some places wider."""
    count = marked.shape[1]
    first = marked.int().argmax(dim=1)
    end = count - marked.flip(1).int().argmax(dim=1)
    return torch.stack([(first - padding).clamp(min=0), (end + padding).clamp(max=count)], dim=1)


def _sampled(first: Tensor, end: Tensor, count: int) -> Tensor:
    """Where count pixels of a box lie, (B, count), -1 to 1 from edge to edge of the picture."""
    steps = torch.arange(count, device=first.device, dtype=torch.float64) + 0.5
    first, end = first[:, None].double(), end[:, None].double()
    places = first + steps * (end - first) / count - 0.5
    places = places.clamp(min=first, max=end - 1)  # never between it and a neighbour
    return (2 * places + 1) / count - 1
