"""Improved bilinear CNN, classified."""

from ..poolings import improved_bilinear
from ._head import LinearHead


class ImprovedBilinear(LinearHead):
    r"""A linear classifier of the matrix square root of the products of channels.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``improved\_bilinear''}

    Args:
        channels: C of the last map.
        num_classes: K.
        reduced: Channels after a learned 1 x 1 convolution; 0 takes the map as it is.
        eps: Added to the eigenvalues, as a share of their mean.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Lin, Maji, Improved bilinear pooling with CNNs, BMVC 2017.
    """

    def __init__(
        self, channels: int, num_classes: int, reduced: int = 256, eps: float = 1e-4
    ) -> None:
        pooling = improved_bilinear.ImprovedBilinear(channels, reduced, eps)
        super().__init__(pooling, (0, channels), num_classes)
        self.reduced, self.eps = reduced, eps
