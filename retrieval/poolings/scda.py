"""Selective convolutional descriptor aggregation: pool where the object is."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import BadInputError
from ._pooling import Pooling
from ._selection import above_mean, average_and_maximum, largest_component

EARLY_WEIGHT = 0.5
"""Weight of the early map's half of SCDA+, from the reference."""


class Scda(Pooling):
    r"""Average and maximum over the positions that belong to the main object, found without labels.

    .. math::
        A_{ij} = \sum_c x_{c,i,j}, \qquad
        M = \text{largest 8-connected component of } [A > \bar A], \qquad
        f = \Big[\tfrac{a}{\|a\|}; \tfrac{m}{\|m\|}\Big]

    with :math:`a` the mean and :math:`m` the maximum of each channel over :math:`M`.

    With ``plus`` (SCDA+) the same is done for an earlier map, over the positions that are above
    the mean of that map and inside M scaled up to it, and appended with weight 0.5. The variant
    with the mirrored picture is the encoder's ``flip``. For a VGG-16, 512 channels in both maps,
    these are descriptors of 1,024, 2,048 and 4,096 numbers.

    Where the reference leaves a choice: of components of equal size the one that is met first
    going down the columns from the left wins, as with its labelling; a map without a position
    above its mean, a constant one, is taken whole; an early map with no position left, and any
    half that is zero, contributes zeros.

    Args:
        plus: Append the early map's half.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, 2C) or (B, 2C + 2C_early).

    References:
        Wei et al., Selective convolutional descriptor aggregation for fine-grained image
        retrieval, TIP 2017, sections III-A to III-D.
    """

    def __init__(self, plus: bool = False) -> None:
        super().__init__()
        self.plus = self.needs_early = plus

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        mask = self.mask(last)  # (B, h, w)
        halves = average_and_maximum(last, mask)
        if not self.plus:
            return halves
        if early is None:
            raise BadInputError("scda with plus needs the early map; got None. Pass both maps.")
        scaled = F.interpolate(mask[:, None].float(), early.shape[2:], mode="nearest-exact")
        early_mask = above_mean(early) & (scaled[:, 0] > 0)
        return torch.cat([halves, EARLY_WEIGHT * average_and_maximum(early, early_mask)], dim=1)

    def mask(self, last: Tensor) -> Tensor:
        """The positions that are used: (B, C, h, w) to (B, h, w) bool, some in every row."""
        component = largest_component(above_mean(last))
        return component | ~component.flatten(1).any(dim=1)[:, None, None]

    def out_dim(self, channels: tuple[int, int]) -> int:
        return 2 * channels[1] + (2 * channels[0] if self.plus else 0)
