"""Bilinear pooling with a matrix square root."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import BadInputError
from ._matrix_root import matrix_root
from ._pooling import Pooling
from ._second_order import (
    check_channels,
    off_diagonal_weights,
    reduction,
    second_moment,
    signed_root,
    upper_triangle,
)


class ImprovedBilinear(Pooling):
    r"""Products of all pairs of channels whose spectrum is flattened before each number is.

    .. math::
        Z = \Big( \frac1{hw} \sum_{ij} x_{ij} x_{ij}^\top
            + \epsilon \bar\lambda I \Big)^{1/2}, \qquad
        z = \operatorname{sign}(Z) \sqrt{|Z|}, \qquad f = \frac{z}{\lVert z \rVert}

    :math:`\bar\lambda` is the mean eigenvalue, so that :math:`\epsilon` has no unit. Z is
    symmetric: its upper triangle is kept as in ``bilinear``. Roots are computed in float64.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        reduced: Channels after a learned 1 x 1 convolution, BatchNorm and ReLU; 0 takes the map as
            it is. Eigenvalues of c x c matrices take time with the cube of c.
        eps: :math:`\epsilon`, above 0.

    Shape:
        (B, C, h, w) to (B, c (c + 1) / 2), rows of norm 1; c is ``reduced`` or C.

    References:
        Lin, Maji, Improved bilinear pooling with CNNs, BMVC 2017, section 3 (the root, its
        Lyapunov gradient, then the signed root and norm). The paper's floor is an absolute one.
    """

    def __init__(self, channels: int, reduced: int = 256, eps: float = 1e-4) -> None:
        super().__init__()
        if not 0 < eps < 1:
            raise BadInputError(f"eps of improved_bilinear must be in (0, 1); got {eps}.")
        self.channels, self.reduced, self.eps = channels, reduced, eps
        self.reduction = reduction("improved_bilinear", channels, reduced)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        products = second_moment(self.reduction(last))  # (B, c, c)
        mean = products.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
        identity = torch.eye(products.shape[1], dtype=products.dtype, device=products.device)
        root = matrix_root(products + self.eps * mean * identity)
        rooted = signed_root(upper_triangle(root))
        return F.normalize(rooted * off_diagonal_weights(products.shape[1], rooted))

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("improved_bilinear", self.channels, channels)
        kept = self.reduced or self.channels
        return kept * (kept + 1) // 2
