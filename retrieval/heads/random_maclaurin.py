"""Compact bilinear pooling by random Maclaurin features, classified."""

from ..poolings import random_maclaurin
from ._head import LinearHead


class RandomMaclaurin(LinearHead):
    r"""A linear classifier of random features of all products of channels.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``random\_maclaurin''}

    Args:
        channels: C of the last map.
        num_classes: K.
        dim: How many features.
        seed: Of them.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Gao, Beijbom, Zhang, Darrell, Compact bilinear pooling, CVPR 2016, algorithm 1.
    """

    def __init__(self, channels: int, num_classes: int, dim: int = 8192, seed: int = 0) -> None:
        pooling = random_maclaurin.RandomMaclaurin(channels, dim, seed)
        super().__init__(pooling, (0, channels), num_classes)
        self.dim, self.seed = dim, seed
