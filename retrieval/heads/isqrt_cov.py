"""Covariance pooling with an iterative matrix square root, classified."""

from ..poolings import isqrt_cov
from ._head import LinearHead


class IsqrtCov(LinearHead):
    r"""A linear classifier of the square root of the covariance of channels.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``isqrt\_cov''}

    Args:
        channels: C of the last map.
        num_classes: K.
        reduced: Channels after a learned 1 x 1 convolution; 0 takes the map as it is.
        iterations: Of Newton and Schulz.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Li, Xie, Wang, Gao, Towards faster training of global covariance pooling networks by
        iterative matrix square root normalization, CVPR 2018.
    """

    def __init__(
        self, channels: int, num_classes: int, reduced: int = 256, iterations: int = 5
    ) -> None:
        pooling = isqrt_cov.IsqrtCov(channels, reduced, iterations)
        super().__init__(pooling, (0, channels), num_classes)
        self.reduced, self.iterations = reduced, iterations
