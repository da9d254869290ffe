"""Global Gaussian embedding."""

import torch
from torch import Tensor

from ._matrix_root import matrix_root
from ._pooling import Pooling
from ._second_order import check_channels, off_diagonal_weights, reduction, upper_triangle


class G2denet(Pooling):
    r"""The Gaussian that describes a map's positions, as one symmetric matrix, and its root.

    .. math::
        \mathcal N(\mu, \Sigma) \mapsto
        \begin{bmatrix} \Sigma + \mu \mu^\top & \mu \\ \mu^\top & 1 \end{bmatrix}^{1/2}

    with mean and covariance of the positions' descriptors: first and second order together. The
    block :math:`\Sigma + \mu\mu^\top` is their mean outer product. The upper triangle is kept, what
    is beside the diagonal times :math:`\sqrt2`. Roots are computed in float64.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        reduced: Channels after a learned 1 x 1 convolution, BatchNorm and ReLU; 0 takes the map as
            it is. Eigenvalues of c x c matrices take time with the cube of c.

    Shape:
        (B, C, h, w) to (B, (c + 1) (c + 2) / 2); c is ``reduced`` or C.

    References:
        Wang, Li, Zhang, G2DeNet: Global Gaussian distribution embedding network and its application
        to visual recognition, CVPR 2017, eq. 2 and 3.
    """

    def __init__(self, channels: int, reduced: int = 128) -> None:
        super().__init__()
        self.channels, self.reduced = channels, reduced
        self.reduction = reduction("g2denet", channels, reduced)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        columns = self.reduction(last).flatten(2)  # (B, c, N)
        # With a row of ones below, the mean outer product has mu and 1 in its last row.
        raised = torch.cat([columns, torch.ones_like(columns[:, :1])], dim=1)
        embedded = raised @ raised.transpose(1, 2) / raised.shape[2]  # (B, c + 1, c + 1)
        kept = upper_triangle(matrix_root(embedded))
        return kept * off_diagonal_weights(embedded.shape[1], kept)

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("g2denet", self.channels, channels)
        kept = self.reduced or self.channels
        return (kept + 1) * (kept + 2) // 2
