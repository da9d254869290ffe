"""What each of two maps shows most clearly, after convolutions of its own."""

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ._pooling import Pooling
from ._second_order import check_sizes


class Pmg(Pooling):
    r"""The maxima of both maps over space, each map after a block of convolutions.

    .. math:: f = \Big[\max_{ij} B_1(e)_{ij};\ \max_{ij} B_2(x)_{ij}\Big]

    with e the early map, x the last one, and each block B a 1 x 1 convolution to ``reduced``
    channels and a 3 x 3 one to ``width``, both with BatchNorm and ReLU. The paper takes the last
    three stages of a network; backbones here give two maps.

    Args:
        channels: C of the last map. Whoever builds an encoder need not say it.
        early_channels: Of the early map; likewise.
        reduced: Channels inside a block; 512 in the authors' code.
        width: Channels of its output; 1024 there.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, 2 width), the early map's first.

    References:
        Du et al., Fine-grained visual classification via progressive multi-granularity training of
        jigsaw patches, ECCV 2020.
    """

    needs_early = True

    def __init__(
        self, channels: int, early_channels: int, reduced: int = 512, width: int = 1024
    ) -> None:
        super().__init__()
        check_sizes(
            "pmg", channels=channels, early_channels=early_channels, reduced=reduced, width=width
        )
        self.channels, self.early_channels = channels, early_channels
        self.reduced, self.width = reduced, width
        self.early_block = _block(early_channels, reduced, width)
        self.last_block = _block(channels, reduced, width)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return torch.cat([self.of_early(early), self.of_last(last)], dim=1)

    def of_early(self, early: Tensor | None) -> Tensor:
        """The early map's half, (B, width)."""
        if early is None:
            raise BadInputError("pmg needs the early map; got None. Pass both maps.")
        maxima: Tensor = self.early_block(early).amax(dim=(2, 3))
        return maxima

    def of_last(self, last: Tensor) -> Tensor:
        """The last map's half, (B, width)."""
        maxima: Tensor = self.last_block(last).amax(dim=(2, 3))
        return maxima

    def out_dim(self, channels: tuple[int, int]) -> int:
        return 2 * self.width


def _block(channels: int, reduced: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, reduced, 1, bias=False),
        nn.BatchNorm2d(reduced),
        nn.ReLU(),
        nn.Conv2d(reduced, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )
