"""Pictures made of pictures by where a network looks: closer, and somewhere else."""

import torch
from torch import Tensor

from retrieval.attention_crops import attended_boxes, cropped, dropped
from retrieval.errors import BadInputError

FLOOR = 1e-12
"""Gives attentions that are 0 everywhere a chance to be drawn: all of them may be."""


class AttentionAugmentation:
    r"""Attention crop and attention drop, each by one attention of each picture, drawn at random.

    An attention is drawn with a probability in proportion to :math:`\sqrt{\sum_{ij} A_{k,ij}}`.
    Cropped is the box around the places with a share of its greatest value, enlarged; dropped are
    the places above a share of it. Every picture has its own attentions and shares.

    Args:
        scheme: For the message.
        crop: Shares to crop at are drawn evenly between these two, 0 to 1.
        drop: Shares to drop at, likewise.
    """

    def __init__(self, scheme: str, crop: tuple[float, float], drop: tuple[float, float]) -> None:
        for name, (least, most) in (("crop", crop), ("drop", drop)):
            if not 0 <= least <= most <= 1:
                raise BadInputError(
                    f"{name}_least and {name}_most of {scheme} must be in 0..1, the first one not "
                    f"above the second; got {least:g} and {most:g}."
                )
        self.crop, self.drop = crop, drop

    def __call__(self, images: Tensor, attentions: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, H, W) and attentions (B, M, h, w) to crops and drops of the same size."""
        first, second = drawn_attentions(attentions.detach(), 2).unbind(dim=1)
        size = (images.shape[2], images.shape[3])
        boxes = attended_boxes(first, size, _drawn(len(images), *self.crop))
        return cropped(images, boxes), dropped(images, second, _drawn(len(images), *self.drop))


def drawn_attentions(attentions: Tensor, count: int) -> Tensor:
    """Some attentions of each picture: (B, M, h, w) to (B, count, h, w), perhaps twice the same."""
    weights = (attentions.sum(dim=(2, 3)).double() + FLOOR).sqrt()  # (B, M)
    chosen = torch.multinomial(weights.cpu(), count, replacement=True).to(attentions.device)
    return attentions[torch.arange(len(attentions), device=attentions.device)[:, None], chosen]


def _drawn(count: int, least: float, most: float) -> Tensor:
    return least + (most - least) * torch.rand(count)
