"""Channels that answer at the same place are a part; what the map has there is pooled."""

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ._pooling import Pooling
from ._second_order import check_channels, check_sizes

FLOOR = 1e-5
"""Of the variance of a map that is the same everywhere."""


class ChannelGrouping(Pooling):
    r"""Soft groups of channels, each of them an attention map and its weighted mean.

    .. math::
        d_i = \sigma\big(U_i \tanh(V_i \bar x + a_i) + b_i\big), \qquad
        M_i = \sigma\Big(n\big(\textstyle\sum_c d_{ic} X_c\big)\Big), \qquad
        m_i = \frac{M_i}{\sum_{yx} M_{i,yx}}, \qquad p_i = \sum_{yx} m_{i,yx} X_{yx}

    :math:`\bar x` is the mean of the map and n takes the mean over the positions away and divides
    by the standard deviation. The descriptor is :math:`p_1, \ldots, p_N`, one after the other.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        parts: N, how many groups; 4 in the paper.

    Shape:
        (B, C, h, w) to (B, N C).

    References:
        Zheng, Fu, Mei, Luo, Learning multi-attention convolutional neural network for fine-grained
        image recognition, ICCV 2017, eq. 1 to 6. n is ours: a sum over hundreds of channels that
        are 0 or more saturates :math:`\sigma`, and there is no attention left to learn from. There
        the layers U and V see all positions; here they see the mean, so that a map may have any
        size.
    """

    def __init__(self, channels: int, parts: int = 4) -> None:
        super().__init__()
        check_sizes("channel_grouping", channels=channels, parts=parts)
        if parts > channels:
            raise BadInputError(
                f"parts of channel_grouping must be at most the channels, {channels}; got {parts}."
            )
        self.channels, self.parts = channels, parts
        self.grouping = nn.ModuleList(
            nn.Sequential(
                nn.Linear(channels, channels),
                nn.Tanh(),
                nn.Linear(channels, channels),
                nn.Sigmoid(),
            )
            for _ in range(parts)
        )

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return self.pooled(last, self.attentions(last, self.groups(last))).flatten(1)

    def groups(self, last: Tensor) -> Tensor:
        """d, how much of a group each channel is: (B, C, h, w) to (B, N, C), 0 to 1."""
        average = last.mean(dim=(2, 3))
        return torch.stack([group(average) for group in self.grouping], dim=1)

    def attentions(self, last: Tensor, groups: Tensor) -> Tensor:
        """m, (B, N, h, w), each of sum 1."""
        sums = groups @ last.flatten(2)  # (B, N, P)
        centred = sums - sums.mean(dim=2, keepdim=True)
        spread = (centred.square().mean(dim=2, keepdim=True) + FLOOR).sqrt()
        made = torch.sigmoid(centred / spread)
        return (made / made.sum(dim=2, keepdim=True)).view(*made.shape[:2], *last.shape[2:])

    def pooled(self, last: Tensor, attentions: Tensor) -> Tensor:
        """p, the mean of the map under each attention, (B, N, C)."""
        return attentions.flatten(2) @ last.flatten(2).transpose(1, 2)

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("channel_grouping", self.channels, channels)
        return self.parts * self.channels


def _layers(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(channels, channels), nn.Tanh(), nn.Linear(channels, channels), nn.Sigmoid()
    )
