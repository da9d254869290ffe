"""Parts found by gates of channels, classified together."""

from ..poolings import osme
from ._head import LinearHead


class Mamc(LinearHead):
    r"""A linear classifier of several parts, which scheme ``mamc`` keeps apart.

    .. math:: W f(X) + b, \qquad f = \text{pooling ``osme''}

    Args:
        channels: C of the last map.
        num_classes: K.
        parts: P; 2 in the paper.
        dim: Of each part; 1024 in the paper.
        ratio: Of squeeze and excitation.
        side: Of the map that is read place by place: P x dim x C x side^2 weights; 1 reads the
            average.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Sun, Yuan, Zhou, Ding, Multi-attention multi-class constraint for fine-grained image
        recognition, ECCV 2018.
    """

    pooling: osme.Osme

    def __init__(
        self,
        channels: int,
        num_classes: int,
        parts: int = 2,
        dim: int = 1024,
        ratio: int = 16,
        side: int = 7,
    ) -> None:
        pooling = osme.Osme(channels, parts, dim, ratio, side)
        super().__init__(pooling, (0, channels), num_classes)
        self.parts, self.dim, self.ratio, self.side = parts, dim, ratio, side
