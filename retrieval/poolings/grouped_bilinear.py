"""Grouped bilinear pooling."""

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ._pooling import Pooling
from ._second_order import check_channels, check_sizes, signed_root_and_norm


class GroupedBilinear(Pooling):
    r"""Products within groups of channels only, summed over groups.

    .. math::
        g_{ij} = A x_{ij} = [g^1; \dots; g^G], \qquad
        Z = \frac1{hw} \sum_{ij} \sum_{k=1}^{G} (g^k_{ij} + p_k) (g^k_{ij} + p_k)^\top

    then the signed root and unit norm. A learned 1 x 1 convolution A sorts the channels into G
    groups of c; a learned code p of each group keeps their sum from being one of all alike. With
    c = C / G the descriptor has c^2 numbers instead of C^2.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        groups: G.
        width: c, channels in a group.

    Shape:
        (B, C, h, w) to (B, c^2), rows of norm 1.

    Note:
        *After* the paper, which repeats such blocks through the network, makes p of sines, and adds
        a loss that pulls channels of a group together; here it is the last block alone, p is
        learned, and grouping is learned from the labels only.

    References:
        Zheng, Fu, Zha, Luo, Learning deep bilinear transformation for fine-grained image
        representation, NeurIPS 2019, section 3.
    """

    def __init__(self, channels: int, groups: int = 16, width: int = 32) -> None:
        super().__init__()
        check_sizes("grouped_bilinear", channels=channels, groups=groups, width=width)
        if groups * width > 1 << 16:
            raise BadInputError(
                f"groups x width of grouped_bilinear must be at most {1 << 16}; got "
                f"{groups} x {width}."
            )
        self.channels, self.groups, self.width = channels, groups, width
        self.grouping = nn.Conv2d(channels, groups * width, 1, bias=False)  # A
        self.codes = nn.Parameter(torch.randn(groups, width) / width**0.5)  # p

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        grouped: Tensor = self.grouping(last).flatten(2)  # (B, G c, N)
        members = grouped.reshape(len(grouped), self.groups, self.width, -1)  # (B, G, c, N)
        members = members + self.codes[:, :, None]
        joined = members.transpose(1, 2).flatten(2)  # (B, c, G N): one sum over both
        products = joined @ joined.transpose(1, 2) / grouped.shape[2]  # (B, c, c)
        return signed_root_and_norm(products.flatten(1))

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("grouped_bilinear", self.channels, channels)
        return self.width**2
