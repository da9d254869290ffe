"""Multi-attention multi-class constraint: parts of one kind and class are near each other."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head
from retrieval.heads import mamc as heads

from ._scheme import Scheme, Seen

NOTHING = -1e30
"""For the exponent of a similarity that does not count."""


class Mamc(Scheme):
    r"""The classifier's loss, and N-pair losses between the parts of all pictures of a batch.

    .. math::
        \mathcal L = \ell + \lambda \big(L(SASC;\ SADC \cup DASC \cup DADC) + L(SADC;\ DADC) +
        L(DASC;\ DADC)\big)

    .. math::
        L(P; N) = \frac1n \sum_i \sum_{j \in P_i} \log\Big(1 + \sum_{k \in N_i}
        \exp(f_i^\top f_k - f_i^\top f_j)\Big)

    over all n parts of unit norm of a batch. Of a part, the others are of the same or a different
    attention (SA, DA) and of the same or a different class (SC, DC); it is not its own neighbour.
    Unit norm is that of others' code.

    Args:
        loss: :math:`\ell`.
        weight: :math:`\lambda`; 0.5 in the paper.

    References:
        Sun, Yuan, Zhou, Ding, Multi-attention multi-class constraint for fine-grained image
        recognition, ECCV 2018, eq. 11.
    """

    head = heads.Mamc
    needs_pairs = True

    def __init__(self, loss: nn.Module, weight: float = 0.5) -> None:
        super().__init__()
        if not 0 <= weight < float("inf"):
            raise BadInputError(f"weight of mamc must be 0 or more; got {weight}.")
        self.loss, self.weight = loss, weight

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        trained = cast(heads.Mamc, head)
        parts = trained.pooling.of_parts(seen.maps(seen.inputs)[0])  # (B, P, D)
        loss: Tensor = self.loss(trained.classifier(parts.sum(dim=1)), seen.targets)
        return loss + self.weight * constraint(F.normalize(parts, dim=2), seen.targets)


def constraint(parts: Tensor, targets: Tensor) -> Tensor:
    """The three N-pair losses, ().

    Args:
        parts: (B, P, D), unit vectors.
        targets: (B,).
    """
    count, kinds = parts.shape[:2]
    rows = parts.flatten(0, 1)  # (n, D)
    similar = rows @ rows.T
    classes = targets.repeat_interleave(kinds)
    attentions = torch.arange(kinds, device=parts.device).repeat(count)
    same_class = classes[:, None] == classes
    same_attention = attentions[:, None] == attentions
    itself = torch.eye(len(rows), dtype=torch.bool, device=parts.device)
    close = same_class & same_attention & ~itself
    far = ~same_class & ~same_attention
    other_classes, other_parts = ~same_class & same_attention, same_class & ~same_attention
    return (
        n_pair(similar, close, ~same_class | ~same_attention)
        + n_pair(similar, other_classes, far)
        + n_pair(similar, other_parts, far)
    )


def n_pair(similar: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """L(P; N) of similarities (n, n) and of who counts as what for each row, (n, n) bool."""
    rivals = similar.masked_fill(~negative, NOTHING).logsumexp(dim=1, keepdim=True)  # (n, 1)
    return (F.softplus(rivals - similar) * positive).sum() / len(similar)
