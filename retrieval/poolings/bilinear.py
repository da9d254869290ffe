"""Bilinear pooling."""

from torch import Tensor
from torch.nn import functional as F

from ._pooling import Pooling
from ._second_order import (
    check_channels,
    off_diagonal_weights,
    reduction,
    second_moment,
    signed_root,
    upper_triangle,
)


class Bilinear(Pooling):
    r"""Products of all pairs of channels, averaged over space.

    .. math::
        Z = \frac1{hw} \sum_{ij} x_{ij} x_{ij}^\top, \qquad
        z = \operatorname{sign}(Z) \sqrt{|Z|}, \qquad f = \frac{z}{\lVert z \rVert}

    Z is symmetric: the upper triangle is kept, what is beside its diagonal times :math:`\sqrt2`, so
    that inner products, and what a linear classifier can say, are those of the whole matrix.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        reduced: Channels after a learned 1 x 1 convolution, BatchNorm and ReLU before the products;
            0 takes the map as it is.

    Shape:
        (B, C, h, w) to (B, c (c + 1) / 2), rows of norm 1; c is ``reduced`` or C.

    References:
        Lin, RoyChowdhury, Maji, Bilinear CNN models for fine-grained visual recognition, ICCV 2015,
        section 3 (both networks the same).
    """

    def __init__(self, channels: int, reduced: int = 0) -> None:
        super().__init__()
        self.channels, self.reduced = channels, reduced
        self.reduction = reduction("bilinear", channels, reduced)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        products = second_moment(self.reduction(last))  # (B, c, c)
        rooted = signed_root(upper_triangle(products))
        return F.normalize(rooted * off_diagonal_weights(products.shape[1], rooted))

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("bilinear", self.channels, channels)
        kept = self.reduced or self.channels
        return kept * (kept + 1) // 2
