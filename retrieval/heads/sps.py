"""A classifier of each map, added up."""

from torch import Tensor, nn

from ..poolings import sps
from ._head import Head


class Sps(Head):
    r"""A linear classifier of the last map's average and one of the early map's maxima.

    .. math:: W_l f_l + b_l + W_e f_e + b_e, \qquad [f_l; f_e] = \text{pooling ``sps''}

    Scheme ``sps`` trains the second one with features that pictures have exchanged.

    Args:
        channels: C of the last map.
        early_channels: Of the early map.
        num_classes: K.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, K).

    References:
        Huang, Wang, Tao, Stochastic partial swap: enhanced model generalization and
        interpretability for fine-grained recognition, ICCV 2021; one branch.
    """

    pooling: sps.Sps

    def __init__(self, channels: int, early_channels: int, num_classes: int) -> None:
        super().__init__(sps.Sps(early_channels))
        self.classifier = nn.Linear(channels, num_classes)
        self.early_classifier = nn.Linear(early_channels, num_classes)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        first: Tensor = self.classifier(self.pooling.of_last(last))
        second: Tensor = self.early_classifier(self.pooling.of_early(early))
        return first + second
