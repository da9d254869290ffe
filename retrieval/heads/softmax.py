"""The plain head: one pooled descriptor, one linear classifier."""

from .. import plugins, poolings
from ._head import LinearHead


class Softmax(LinearHead):
    r"""Average pooling and a linear classifier, the baseline of every other head.

    .. math:: W \bar x + b, \qquad \bar x = \frac1{hw} \sum_{ij} x_{ij}

    Args:
        channels: C of the last map.
        early_channels: Of the early map.
        num_classes: K.
        pooling_name: Another pooling of ``retrieval/poolings`` with its default options.

    Shape:
        (B, C, h, w) to (B, K).
    """

    def __init__(
        self, channels: int, early_channels: int, num_classes: int, pooling_name: str = "average"
    ) -> None:
        pooling = plugins.build(poolings, {"name": pooling_name}, channels=channels)
        super().__init__(pooling, (early_channels, channels), num_classes)
        self.pooling_name = pooling_name
