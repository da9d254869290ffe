"""Bilinear CNN."""

from ..poolings import bilinear
from ._head import LinearHead


class Bilinear(LinearHead):
    r"""A linear classifier of the products of all pairs of channels.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``bilinear''}

    The paper learns the classifier first and then all weights: ``schedule.backbone_from``.

    Args:
        channels: C of the last map.
        num_classes: K.
        reduced: Channels after a learned 1 x 1 convolution before the products; 0, the paper's
            way, takes the map as it is, and W then has K C (C + 1) / 2 numbers.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Lin, RoyChowdhury, Maji, Bilinear CNN models for fine-grained visual recognition, ICCV 2015.
    """

    def __init__(self, channels: int, num_classes: int, reduced: int = 0) -> None:
        pooling = bilinear.Bilinear(channels, reduced)
        super().__init__(pooling, (0, channels), num_classes)
        self.reduced = reduced
