"""Factorised bilinear classifier."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInputError
from ..poolings import average
from ._head import Head


class FactorisedBilinear(Head):
    r"""The plain head plus products of channels, in factors of each class.

    .. math:: s_k = b_k + \frac1{hw} \sum_{ij} \big( w_k^\top x_{ij}
        + x_{ij}^\top F_k^\top F_k x_{ij} \big)

    In training each factor, a row of :math:`F_k`, is left out with a probability, and the others
    are raised in proportion (DropFactor). Pictures are searched by the average of x.

    Args:
        channels: C of the last map.
        num_classes: K.
        factors: Rows of each :math:`F_k`.
        drop: Probability, in [0, 1).

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Li, Wang, Liu, Hou, Factorized bilinear models for image recognition, ICCV 2017, eq. 3 and
        section 3.3; 20 factors there.
    """

    def __init__(
        self, channels: int, num_classes: int, factors: int = 20, drop: float = 0.5
    ) -> None:
        if factors < 1:
            raise BadInputError(f"factors of factorised_bilinear must be 1 or more; got {factors}.")
        if not 0 <= drop < 1:
            raise BadInputError(f"drop of factorised_bilinear must be in [0, 1); got {drop}.")
        super().__init__(average.Average())
        self.factors, self.drop = factors, drop
        self.linear = nn.Linear(channels, num_classes)
        # Small at first: the head starts as the plain one.
        self.products = nn.Parameter(torch.randn(num_classes, factors, channels) * 0.1 / channels)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        responses = torch.einsum("kfc,bcn->bkfn", self.products, last.flatten(2))
        energies = responses.square().mean(dim=3)  # (B, K, F)
        kept = F.dropout(energies, self.drop, self.training)
        logits: Tensor = self.linear(self.representation(last)) + kept.sum(dim=2)
        return logits
