"""Hierarchical bilinear pooling, classified."""

from ..poolings import hierarchical_bilinear
from ._head import LinearHead


class HierarchicalBilinear(LinearHead):
    r"""A linear classifier of products across the two layers that the backbone gives.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``hierarchical\_bilinear''}

    Args:
        channels: C of the last map.
        early_channels: Of the early map.
        num_classes: K.
        dim: How many products.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, K).

    References:
        Yu, Zhao, Zheng, Zhang, You, Hierarchical bilinear pooling for fine-grained visual
        recognition, ECCV 2018.
    """

    def __init__(
        self, channels: int, early_channels: int, num_classes: int, dim: int = 8192
    ) -> None:
        pooling = hierarchical_bilinear.HierarchicalBilinear(channels, early_channels, dim)
        super().__init__(pooling, (early_channels, channels), num_classes)
        self.dim = dim
