"""Channel interaction: what pairs of pictures do not share is compared."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head
from retrieval.heads import cin as heads
from retrieval.poolings.cin import complements

from ._scheme import Scheme, Seen

ROOT_FLOOR = 1e-12
"""Keeps the slope of a distance of 0 finite."""


class Cin(Scheme):
    r"""The classifier's loss, and a contrastive one of pairs of pictures A, B.

    .. math::
        W_{AB} = |W_A - \eta W_B|, \qquad Z_{AB} = \phi(W_{AB} X_A) + X_A, \qquad
        d = \|h(Z_{AB}) - h(Z_{BA})\|

    .. math::
        \mathcal L = \ell + \frac\alpha N \sum_{pairs} \begin{cases} d^2 & y_A = y_B \\
        \max(0, \beta - d)^2 & y_A \neq y_B \end{cases}

    with :math:`W, \phi` of the pooling ``cin``, :math:`\eta = \psi([Y_A; Y_B])` of :math:`Y = W X`,
    the same with A and B exchanged for :math:`Z_{BA}`, and h, :math:`\psi` learned linear maps that
    stay behind. They read Z and Y averaged over places, so that maps of any size fit; the paper's
    read all places. N pairs are half the pictures of a batch: half of them have a random partner
    of their class, the others one of another class, as far as there is one. (How the paper draws
    its pairs is not known here.)

    Args:
        loss: :math:`\ell`.
        dim: Of the head's descriptor.
        alpha: 2 in the paper.
        beta: 0.5 in the paper.
        width: Of h; 512 in the paper.

    References:
        Gao, Han, Wang, Huang, Scott, Channel interaction networks for fine-grained image
        categorization, AAAI 2020, eq. 8 and 9 for the contrastive loss.
    """

    head = heads.Cin
    needs_pairs = True

    def __init__(
        self, loss: nn.Module, dim: int, alpha: float = 2.0, beta: float = 0.5, width: int = 512
    ) -> None:
        super().__init__()
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not 0 <= value < float("inf"):
                raise BadInputError(f"{name} of cin must be 0 or more; got {value}.")
        if width < 1:
            raise BadInputError(f"width of cin must be 1 or more; got {width}.")
        self.loss, self.alpha, self.beta = loss, alpha, beta
        self.contrast_weight = nn.Linear(2 * dim, 1)  # psi
        self.projection = nn.Linear(dim, width)  # h

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        trained = cast(heads.Cin, head)
        pooling = trained.pooling
        features = pooling.reduction(seen.maps(seen.inputs)[0])  # (B, c, h, w)
        weights = complements(features)
        described = pooling.completed(features, weights).mean(dim=(2, 3))
        loss: Tensor = self.loss(trained.classifier(described), seen.targets)
        one, other = pairs(seen.targets)
        if not len(one):
            return loss
        mean = features.mean(dim=(2, 3))[:, :, None]
        shared = (weights @ mean)[:, :, 0]  # Y averaged over places, (B, c)
        rows, partners = torch.cat([one, other]), torch.cat([other, one])
        eta = self.contrast_weight(torch.cat([shared[rows], shared[partners]], dim=1))
        contrast = (weights[rows] - eta[:, :, None] * weights[partners]).abs()
        seen_apart = pooling.completed(features[rows], contrast).mean(dim=(2, 3))
        first, second = self.projection(seen_apart).chunk(2)
        same = seen.targets[one] == seen.targets[other]
        return loss + self.alpha * contrastive(first, second, same, self.beta)


def contrastive(first: Tensor, second: Tensor, same: Tensor, margin: float) -> Tensor:
    """Mean over pairs: near where the classes are the same, a margin apart where not.

    Args:
        first: (N, D).
        second: (N, D).
        same: (N,) bool.
        margin: Distance from which pictures of different classes are left alone.
    """
    squares = (first - second).square().sum(dim=1)
    distances = (squares + ROOT_FLOOR).sqrt()
    return torch.where(same, squares, F.relu(margin - distances).square()).mean()


def pairs(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Half the pictures of a batch at random, each with a random partner.

    Args:
        targets: (B,).

    Returns:
        Positions of one and of the other, (N,) each. The first half are pairs of one class, the
        others of two, but for pictures that have no such partner.
    """
    count = len(targets)
    one = torch.randperm(count)[: count // 2].to(targets.device)
    same = targets[one, None] == targets
    wanted = same == (torch.arange(len(one), device=one.device) < len(one) // 2)[:, None]
    chance = torch.rand(len(one), count).to(one.device) + wanted.float()
    chance = chance.scatter(1, one[:, None], -1)  # not itself
    return one, chance.argmax(dim=1)
