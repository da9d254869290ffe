"""Each channel completed by the channels that are least like it."""

from torch import Tensor, nn

from ._pooling import Pooling
from ._second_order import check_channels, reduction


class Cin(Pooling):
    r"""Channels and what complements them, averaged.

    .. math::
        W = \operatorname{softmax}(-X X^\top), \qquad Z = \phi(W X) + X, \qquad
        f = \frac1{hw} \sum_p Z_p

    with X the map as a C x hw matrix, the softmax over each row, and :math:`\phi` a 3 x 3
    convolution. (Self-channel interaction; scheme ``cin`` adds the contrastive one.)

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        reduced: Channels after a learned 1 x 1 convolution, BatchNorm and ReLU, which makes C x C
            matrices small; 0, as in the paper, takes the map as it is.

    Shape:
        (B, C, h, w) to (B, c); c is ``reduced`` or C.

    References:
        Gao, Han, Wang, Huang, Scott, Channel interaction networks for fine-grained image
        categorization, AAAI 2020.
    """

    def __init__(self, channels: int, reduced: int = 0) -> None:
        super().__init__()
        self.channels, self.reduced = channels, reduced
        self.reduction = reduction("cin", channels, reduced)
        kept = reduced or channels
        self.convolution = nn.Conv2d(kept, kept, 3, padding=1)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        features = self.reduction(last)
        return self.completed(features, complements(features)).mean(dim=(2, 3))

    def completed(self, features: Tensor, weights: Tensor) -> Tensor:
        """Z: the features and, convolved, the weighted ones.

        Args:
            features: X, (B, c, h, w).
            weights: Of channel j for channel i, (B, c, c).
        """
        weighted = (weights @ features.flatten(2)).reshape(features.shape)
        made: Tensor = self.convolution(weighted) + features
        return made

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("cin", self.channels, channels)
        return self.reduced or self.channels


def complements(features: Tensor) -> Tensor:
    """W: how much each channel is unlike each, (B, C, h, w) to (B, C, C), rows of sum 1."""
    columns = features.flatten(2)
    return (-columns @ columns.transpose(1, 2)).softmax(dim=2)
