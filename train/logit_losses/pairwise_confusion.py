"""Pairwise confusion: answers to pictures of different classes are drawn together."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError

from ._shares import shares_of


class PairwiseConfusion(nn.Module):
    r"""Cross-entropy, and the distance of two pictures' probabilities, where their classes differ.

    .. math:: \mathcal L = \frac1B \sum_{(i, j)}
        \Big[ \ell_i + \ell_j + \lambda\, [y_i \ne y_j]\, \lVert p_i - p_j \rVert_2^2 \Big]

    over a random division of the batch into pairs; of an odd batch one picture stays alone. Classes
    that look alike are not torn apart by what a single picture happens to show.

    Args:
        weight: :math:`\lambda`, 0 or more. 10 is usual; the authors advise 0.1 to 0.2 of the number
            of classes.

    Note:
        Of blended pictures :math:`[y_i \ne y_j]` is the probability that two labels drawn from
        their shares differ. Pairs are drawn with torch's generator of the CPU. The authors' code
        takes the distance without the square and pairs of one class too; here as in the paper.

    References:
        Dubey et al., Pairwise Confusion for Fine-Grained Visual Classification, ECCV 2018, section
        3 (Euclidean confusion).
    """

    def __init__(self, weight: float = 10.0) -> None:
        super().__init__()
        if not weight >= 0:
            raise BadInputError(f"pairwise_confusion.weight must be 0 or more; got {weight}.")
        self.weight = weight

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(B, K) and (B,) int64, or (B, K) shares of classes, to a scalar."""
        pairs = torch.randperm(len(logits))[: len(logits) // 2 * 2].to(logits.device)
        first, second = logits.softmax(dim=1)[pairs].chunk(2)  # (B / 2, K)
        one, other = shares_of(targets, logits)[pairs].chunk(2)
        differ = 1 - (one * other).sum(dim=1)
        apart = (differ * (first - second).square().sum(dim=1)).sum()
        return F.cross_entropy(logits, targets) + self.weight * apart / len(logits)
