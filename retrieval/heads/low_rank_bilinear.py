"""Low-rank bilinear classifiers."""

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ..poolings import projected_bilinear
from ._head import Head


class LowRankBilinear(Head):
    r"""A bilinear classifier whose weights have low rank, so that products are never formed.

    .. math::
        s_k = \frac1{hw} \big( \lVert U_k^\top P X \rVert_F^2 - \lVert V_k^\top P X \rVert_F^2 \big)
            + b_k

    X is (C, hw). This is the linear classifier
    :math:`\langle U_k U_k^\top - V_k V_k^\top, Z \rangle + b_k` of the pooling
    ``projected_bilinear``, which is what a picture is searched by.

    Args:
        channels: C of the last map.
        num_classes: K.
        width: m, rows of P, which all classes share.
        rank: r, half of it columns of each :math:`U_k`, half of each :math:`V_k`; even.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Kong, Fowlkes, Low-rank bilinear pooling for fine-grained classification, CVPR 2017, eq. 6
        and section 3.2; m = 100, r = 8 there.
    """

    pooling: projected_bilinear.ProjectedBilinear

    def __init__(self, channels: int, num_classes: int, width: int = 100, rank: int = 8) -> None:
        if rank < 2 or rank % 2:
            raise BadInputError(f"rank of low_rank_bilinear must be even and above 0; got {rank}.")
        super().__init__(projected_bilinear.ProjectedBilinear(channels, width))
        self.width, self.rank = width, rank
        self.factors = nn.Parameter(torch.randn(num_classes, rank, width) / width**0.5)  # U, V
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        columns = self.pooling.projection(last).flatten(2)  # (B, m, N)
        responses = torch.einsum("krm,bmn->bkrn", self.factors, columns)
        energies = responses.square().sum(dim=3) / columns.shape[2]  # (B, K, r)
        positive, negative = energies.chunk(2, dim=2)
        logits: Tensor = positive.sum(dim=2) - negative.sum(dim=2) + self.bias
        return logits
