"""Bilinear pooling in a learned subspace."""

from torch import Tensor, nn

from ._pooling import Pooling
from ._second_order import (
    check_channels,
    check_sizes,
    off_diagonal_weights,
    second_moment,
    upper_triangle,
)


class ProjectedBilinear(Pooling):
    r"""Products of pairs of a few learned combinations of channels.

    .. math:: Z = \frac1{hw} \sum_{ij} (P x_{ij}) (P x_{ij})^\top

    The upper triangle of Z, what is beside its diagonal times :math:`\sqrt2`: the inner product of
    two descriptors is that of the matrices. Nothing is rooted, so that the classifier of
    ``low_rank_bilinear``, which never forms Z, is a linear one of it.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        width: m, rows of P.

    Shape:
        (B, C, h, w) to (B, m (m + 1) / 2).

    References:
        Kong, Fowlkes, Low-rank bilinear pooling for fine-grained classification, CVPR 2017,
        section 3.2.
    """

    def __init__(self, channels: int, width: int = 100) -> None:
        super().__init__()
        check_sizes("projected_bilinear", channels=channels, width=width)
        self.channels, self.width = channels, width
        self.projection = nn.Conv2d(channels, width, 1, bias=False)  # P

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        kept = upper_triangle(second_moment(self.projection(last)))
        return kept * off_diagonal_weights(self.width, kept)

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("projected_bilinear", self.channels, channels)
        return self.width * (self.width + 1) // 2
