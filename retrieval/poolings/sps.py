"""The last map's average, and what the early map shows most clearly."""

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ._pooling import Pooling
from ._second_order import check_sizes


class Sps(Pooling):
    r"""The average of the last map x beside maxima of the early map e after a convolution.

    .. math:: f = \Big[\tfrac1{hw} \sum_p x_p;\ \max_p \max(0, W e_p + b)\Big]

    Args:
        early_channels: Of the early map, and of the 1 x 1 convolution W. Whoever builds an encoder
            need not say it.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, C + C_early).

    References:
        Huang, Wang, Tao, Stochastic partial swap: enhanced model generalization and
        interpretability for fine-grained recognition, ICCV 2021; the form is that of the authors'
        code with one branch.
    """

    needs_early = True

    def __init__(self, early_channels: int) -> None:
        super().__init__()
        check_sizes("sps", early_channels=early_channels)
        self.early_channels = early_channels
        self.convolution = nn.Conv2d(early_channels, early_channels, 1)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return torch.cat([self.of_last(last), self.of_early(early)], dim=1)

    def of_last(self, last: Tensor) -> Tensor:
        """The average, (B, C)."""
        return last.mean(dim=(2, 3))

    def of_early(self, early: Tensor | None) -> Tensor:
        """The maxima, (B, C_early)."""
        if early is None:
            raise BadInputError("sps needs the early map; got None. Pass both maps.")
        maxima: Tensor = self.convolution(early).relu().amax(dim=(2, 3))
        return maxima

    def out_dim(self, channels: tuple[int, int]) -> int:
        return channels[1] + self.early_channels
