"""Compact bilinear pooling by tensor sketch, classified."""

from ..poolings import compact_bilinear
from ._head import LinearHead


class CompactBilinear(LinearHead):
    r"""A linear classifier of the tensor sketch of all products of channels.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``compact\_bilinear''}

    Args:
        channels: C of the last map.
        num_classes: K.
        dim: Length of the sketch; 8192 loses little against all products, in the paper.
        seed: Of the sketch.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Gao, Beijbom, Zhang, Darrell, Compact bilinear pooling, CVPR 2016, algorithm 2.
    """

    def __init__(self, channels: int, num_classes: int, dim: int = 8192, seed: int = 0) -> None:
        pooling = compact_bilinear.CompactBilinear(channels, dim, seed)
        super().__init__(pooling, (0, channels), num_classes)
        self.dim, self.seed = dim, seed
