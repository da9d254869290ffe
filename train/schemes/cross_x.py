"""Cross-X learning: parts alike across pictures and classes, layers that agree."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head
from retrieval.heads import cross_x as heads

from ._scheme import Scheme, Seen


class CrossX(Scheme):
    r"""The loss of the summed logits, what parts have in common, and how far layers disagree.

    .. math::
        \mathcal L = \ell(q_u + q_v + q_c, y) + \sum_{l \in u, v, c} \gamma_l R(S_l) +
        KL(p_u \| p_v) + KL(p_u \| p_c)

    .. math::
        R(S) = \sum_p (1 - S_{pp}) + \sum_{p < p'} S_{pp'}, \qquad
        S_{pp'} = \frac1{B^2} \sum_{i, j} \hat f_i^p \cdot \hat f_j^{p'}

    with q the logits of a layer, p its probabilities, and :math:`\hat f` parts of unit norm over
    all pictures of a batch, whatever their class. The weights hold for every data set.

    Args:
        loss: :math:`\ell`.
        last_weight: :math:`\gamma_u`; 0.5 in the authors' code for birds.
        early_weight: :math:`\gamma_v`; 0.25 there.
        both_weight: :math:`\gamma_c`; 0.5 there.

    References:
        Luo et al., Cross-X learning for fine-grained visual categorization, ICCV 2019.
    """

    head = heads.CrossX

    def __init__(
        self,
        loss: nn.Module,
        last_weight: float = 0.5,
        early_weight: float = 0.25,
        both_weight: float = 0.5,
    ) -> None:
        super().__init__()
        for name, value in (
            ("last_weight", last_weight),
            ("early_weight", early_weight),
            ("both_weight", both_weight),
        ):
            if not 0 <= value < float("inf"):
                raise BadInputError(f"{name} of cross_x must be 0 or more; got {value}.")
        self.loss = loss
        self.last_weight, self.early_weight, self.both_weight = (
            last_weight,
            early_weight,
            both_weight,
        )

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        trained = cast(heads.CrossX, head)
        layers = trained.pooling.of_layers(*seen.maps(seen.inputs))
        first, second, third = trained.of_layers(layers)
        loss: Tensor = self.loss(first + second + third, seen.targets)
        for weight, parts in zip(
            (self.last_weight, self.early_weight, self.both_weight), layers, strict=True
        ):
            loss = loss + weight * in_common(parts)
        return loss + disagreement(first, second) + disagreement(first, third)


def in_common(parts: Tensor) -> Tensor:
    """R: parts of a kind that are unlike, and parts of two kinds that are alike.

    Args:
        parts: (B, P, D).
    """
    means = F.normalize(parts, dim=2).mean(dim=0)  # (P, D)
    similar = means @ means.T  # S: the mean of products is the product of means
    unlike = (1 - similar.diagonal()).sum()
    return unlike + torch.triu(similar, diagonal=1).sum()


def disagreement(first: Tensor, second: Tensor) -> Tensor:
    """KL divergence of the second logits' probabilities from the first's, mean of a batch."""
    ours, theirs = first.log_softmax(dim=1), second.log_softmax(dim=1)
    return F.kl_div(theirs, ours, reduction="batchmean", log_target=True)
