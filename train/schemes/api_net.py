"""Attentive pairwise interaction: pictures learn from those that they are mistaken for."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head, LinearHead

from ._scheme import Scheme, Seen


class ApiNet(Scheme):
    r"""Each picture beside the nearest one of its class and the nearest one of another class.

    Of the descriptors :math:`x_1, x_2` of a pair

    .. math::
        m = W_2 \operatorname{drop}(W_1 [x_1; x_2]), \qquad g_i = \sigma(m \odot x_i), \qquad
        x_i^{self} = x_i + x_i \odot g_i, \qquad x_i^{other} = x_i + x_i \odot g_j

    .. math::
        \mathcal L = \operatorname{mean} \ell(W x + b, y) + \lambda \operatorname{mean}
        \max\big(0, p(y \mid x_i^{other}) - p(y \mid x_i^{self}) + \epsilon\big)

    with the first mean over all four descriptors of all pairs, the second over both pictures of
    all pairs, and p of the softmax. Every head that is a linear classifier of a descriptor can be
    trained so; it answers from a single picture, and :math:`W_1, W_2` are left behind. A picture
    without another of its class, or of other classes, in the batch has no such pair.

    Args:
        loss: :math:`\ell`.
        dim: Of the descriptor.
        width: Rows of :math:`W_1`; 512 in the authors' code.
        drop: Share of numbers dropped after :math:`W_1`, and before the classifier; 0.5 there.
        margin: :math:`\epsilon`; 0.05 in the paper.
        rank_weight: :math:`\lambda`; 1 in the paper.

    References:
        Zhuang, Wang, Qiao, Learning attentive pairwise interaction for fine-grained classification,
        AAAI 2020.
    """

    head = LinearHead
    needs_pairs = True

    def __init__(
        self,
        loss: nn.Module,
        dim: int,
        width: int = 512,
        drop: float = 0.5,
        margin: float = 0.05,
        rank_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if width < 1:
            raise BadInputError(f"width of api_net must be 1 or more; got {width}.")
        if not 0 <= drop < 1:
            raise BadInputError(f"drop of api_net must be in [0, 1); got {drop}.")
        for name, value in (("margin", margin), ("rank_weight", rank_weight)):
            if not 0 <= value < float("inf"):
                raise BadInputError(f"{name} of api_net must be 0 or more; got {value}.")
        self.loss, self.margin, self.rank_weight = loss, margin, rank_weight
        self.drop = nn.Dropout(drop)
        self.mutual = nn.Sequential(nn.Linear(2 * dim, width), self.drop, nn.Linear(width, dim))

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        classifier = cast(LinearHead, head).classifier
        described = head.representation(*seen.maps(seen.inputs))  # (B, D)
        one, other = pairs(described, seen.targets)
        own, foreign = self.attended(described[one], described[other])
        targets = seen.targets[torch.cat([one, other])]
        own_logits = classifier(self.drop(own))
        foreign_logits = classifier(self.drop(foreign))
        loss: Tensor = self.loss(torch.cat([own_logits, foreign_logits]), targets.repeat(2))
        return loss + self.rank_weight * self._disorder(own_logits, foreign_logits, targets)

    def attended(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Both pictures of pairs seen by their own gates and by each other's.

        Args:
            first: (N, D).
            second: (N, D).

        Returns:
            Descriptors after own and after foreign gates, (2 N, D) each, the first pictures first.
        """
        mutual = self.mutual(torch.cat([first, second], dim=1))
        gates = torch.cat([mutual * first, mutual * second]).sigmoid()
        both = torch.cat([first, second])
        return both + both * gates, both + both * gates.roll(len(first), 0)

    def _disorder(self, own: Tensor, foreign: Tensor, targets: Tensor) -> Tensor:
        """How far pictures are surer by foreign gates than by their own, ()."""
        picked = targets[:, None]
        sure = own.softmax(dim=1).gather(1, picked)
        return F.relu(foreign.softmax(dim=1).gather(1, picked) - sure + self.margin).mean()


def pairs(described: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Each picture with the nearest of its class, then each with the nearest of other classes.

    Args:
        described: (B, D).
        targets: (B,).

    Returns:
        Positions of one and of the other picture of the pairs there are, (N,) each.
    """
    distances = torch.cdist(described.detach(), described.detach())
    same = targets[:, None] == targets
    itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
    one, other = [], []
    for allowed in (same & ~itself, ~same):
        rows = allowed.any(dim=1).nonzero()[:, 0]
        one.append(rows)
        other.append(distances.masked_fill(~allowed, torch.inf).argmin(dim=1)[rows])
    return torch.cat(one), torch.cat(other)
