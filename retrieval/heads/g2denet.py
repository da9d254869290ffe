"""Global Gaussian embedding, classified."""

from ..poolings import g2denet
from ._head import LinearHead


class G2denet(LinearHead):
    r"""A linear classifier of the Gaussian that describes a map.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``g2denet''}

    Args:
        channels: C of the last map.
        num_classes: K.
        reduced: Channels after a learned 1 x 1 convolution; 0 takes the map as it is.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Wang, Li, Zhang, G2DeNet: Global Gaussian distribution embedding network and its application
        to visual recognition, CVPR 2017.
    """

    def __init__(self, channels: int, num_classes: int, reduced: int = 128) -> None:
        pooling = g2denet.G2denet(channels, reduced)
        super().__init__(pooling, (0, channels), num_classes)
        self.reduced = reduced
