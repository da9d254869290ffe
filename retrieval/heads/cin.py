"""Channels completed by those unlike them, classified."""

from ..poolings import cin
from ._head import LinearHead


class Cin(LinearHead):
    r"""A linear classifier of channels and their complements.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``cin''}

    Args:
        channels: C of the last map.
        num_classes: K.
        reduced: Channels after a learned 1 x 1 convolution; 0, as in the paper, takes the map as
            it is.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Gao, Han, Wang, Huang, Scott, Channel interaction networks for fine-grained image
        categorization, AAAI 2020.
    """

    pooling: cin.Cin

    def __init__(self, channels: int, num_classes: int, reduced: int = 0) -> None:
        super().__init__(cin.Cin(channels, reduced), (0, channels), num_classes)
        self.reduced = reduced
