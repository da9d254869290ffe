"""Attentions of parts, and a second look at what they find together."""

import math

import torch
from torch import Tensor

from ..errors import BadInputError
from ._attended import AttendedHead
from ._head import Maps


class WsDan(AttendedHead):
    r"""A linear classifier of bilinear attention pooling, asked about the picture and a crop of it.

    .. math::
        z(I) = 100\, W f(X_I), \qquad
        p = \tfrac12 \big( \operatorname{softmax} z(I) + \operatorname{softmax} z(I') \big)

    f is the pooling ``bilinear_attention``. I' is the box around all places where the mean of the
    attentions is at least ``share`` of its greatest value, a tenth of the picture's side wider on
    each side, enlarged to the picture's size. Logits are the logarithms of p. The scheme of the
    same name trains it.

    Args:
        channels: C of the last map.
        num_classes: K.
        parts: M, how many attentions; 32 in the paper.
        share: Of the greatest attention, above 0, at most 1; 0.1 in the authors' code.

    Shape:
        (B, C, h, w) to (B, K), z alone.

    References:
        Hu, Qi, Huang, Lu, See better before looking closer: weakly supervised data augmentation
        network for fine-grained visual classification, 2019, algorithm 1.
    """

    looks_again = True

    def __init__(
        self, channels: int, num_classes: int, parts: int = 32, share: float = 0.1
    ) -> None:
        super().__init__(channels, num_classes, parts)
        if not 0 < share <= 1:
            raise BadInputError(f"share of ws_dan must be in (0, 1]; got {share:g}.")
        self.share = share

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        looks = torch.stack(self.at_both_scales(images, maps, [self.share]))  # (2, B, K)
        return looks.log_softmax(dim=2).logsumexp(dim=0) - math.log(2)
