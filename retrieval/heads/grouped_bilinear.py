"""Grouped bilinear pooling, classified."""

from ..poolings import grouped_bilinear
from ._head import LinearHead


class GroupedBilinear(LinearHead):
    r"""A linear classifier of products within groups of channels.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``grouped\_bilinear''}

    Args:
        channels: C of the last map.
        num_classes: K.
        groups: How many.
        width: Channels in each.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Zheng, Fu, Zha, Luo, Learning deep bilinear transformation for fine-grained image
        representation, NeurIPS 2019.
    """

    def __init__(self, channels: int, num_classes: int, groups: int = 16, width: int = 32) -> None:
        pooling = grouped_bilinear.GroupedBilinear(channels, groups, width)
        super().__init__(pooling, (0, channels), num_classes)
        self.groups, self.width = groups, width
