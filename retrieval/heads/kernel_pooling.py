"""Kernel pooling, classified."""

from ..poolings import kernel_pooling
from ._head import LinearHead


class KernelPooling(LinearHead):
    r"""A linear classifier of products of up to four channels, sketched.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``kernel\_pooling''}

    Args:
        channels: C of the last map.
        num_classes: K.
        dim: Length of each sketch.
        gamma: Of the Gaussian kernel that weights start from.
        seed: Of the sketches.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Cui, Zhou, Wang, Liu, Lin, Belongie, Kernel pooling for convolutional neural networks, CVPR
        2017.
    """

    def __init__(
        self, channels: int, num_classes: int, dim: int = 4096, gamma: float = 0.5, seed: int = 0
    ) -> None:
        pooling = kernel_pooling.KernelPooling(channels, dim, gamma, seed)
        super().__init__(pooling, (0, channels), num_classes)
        self.dim, self.gamma, self.seed = dim, gamma, seed
