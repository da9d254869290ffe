"""Covariance pooling with its matrix square root, by iteration."""

import torch
from torch import Tensor

from ..errors import BadInputError
from ._pooling import Pooling
from ._second_order import check_channels, reduction, upper_triangle

TRACE_FLOOR = 1e-12
"""Of a map that is the same everywhere: its covariance is 0, and so is the root."""


class IsqrtCov(Pooling):
    r"""How channels vary together, with the eigenvalues put in proportion by a square root.

    .. math::
        \Sigma = \frac1N X \big(I - \tfrac1N 1 1^\top\big) X^\top, \quad
        A = \frac{\Sigma}{\operatorname{tr} \Sigma}, \quad Y_0 = A, \quad Z_0 = I

    .. math::
        T_k = \tfrac12 (3 I - Z_{k-1} Y_{k-1}), \quad Y_k = Y_{k-1} T_k, \quad Z_k = T_k Z_{k-1},
        \qquad C = \sqrt{\operatorname{tr} \Sigma}\; Y_K

    The descriptor is the upper triangle of C. :math:`Y_k` goes to the square root of A because its
    eigenvalues are between 0 and 1 (Newton-Schulz); matrix products are all it takes. They are done
    in float32 at least, whatever the network is computed in: in half precision they diverge.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        reduced: Channels after a learned 1 x 1 convolution, BatchNorm and ReLU; 0 takes the map as
            it is.
        iterations: K.

    Shape:
        (B, C, h, w) to (B, c (c + 1) / 2); c is ``reduced`` or C.

    References:
        Li, Xie, Wang, Gao, Towards faster training of global covariance pooling networks by
        iterative matrix square root normalization, CVPR 2018, eq. 1 to 9; K = 5 there.
    """

    def __init__(self, channels: int, reduced: int = 256, iterations: int = 5) -> None:
        super().__init__()
        if not 1 <= iterations <= 100:
            raise BadInputError(f"iterations of isqrt_cov must be in 1..100; got {iterations}.")
        self.channels, self.reduced, self.iterations = channels, reduced, iterations
        self.reduction = reduction("isqrt_cov", channels, reduced)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        columns = self.reduction(last).flatten(2)  # (B, c, N)
        with torch.autocast(columns.device.type, enabled=False):
            exact = columns if columns.dtype == torch.float64 else columns.float()
            return upper_triangle(self._root(exact))

    def _root(self, columns: Tensor) -> Tensor:
        centred = columns - columns.mean(dim=2, keepdim=True)
        covariance = centred @ centred.transpose(1, 2) / columns.shape[2]  # (B, c, c)
        trace = covariance.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None] + TRACE_FLOOR
        identity = torch.eye(covariance.shape[1], dtype=columns.dtype, device=columns.device)
        root, inverse = covariance / trace, identity.expand_as(covariance)
        for _ in range(self.iterations):
            step = (3 * identity - inverse @ root) / 2
            root, inverse = root @ step, step @ inverse
        return root * trace.sqrt()

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("isqrt_cov", self.channels, channels)
        kept = self.reduced or self.channels
        return kept * (kept + 1) // 2
