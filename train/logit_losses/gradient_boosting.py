"""Cross-entropy among the classes that a picture may be mistaken for."""

import torch
from torch import Tensor, nn

from retrieval.errors import BadInputError

from ._shares import shares_of


class GradientBoosting(nn.Module):
    r"""Cross-entropy whose softmax has the right class and the strongest others alone.

    .. math:: \mathcal L = -\frac1B \sum_i \log
        \frac{e^{z_{i y_i}}}{e^{z_{i y_i}} + \sum_{k \in J_i} e^{z_{ik}}}

    with :math:`J_i` the ``rivals`` classes of largest logit besides :math:`y_i`. Easy classes no
    longer take their part of the gradient, that of the confusing ones grows.

    Args:
        rivals: How many, 1 or more; fewer classes are all taken.

    Note:
        A blended picture has several right classes; its rivals are the strongest of the rest.

    References:
        Sun et al., Fine-Grained Recognition: Accounting for Subtle Differences between Similar
        Classes, AAAI 2020, eq. 6 to 9; 15 rivals. For the other half of the paper see
        :mod:`train.schemes.diversification`.
    """

    def __init__(self, rivals: int = 15) -> None:
        super().__init__()
        if rivals < 1:
            raise BadInputError(f"gradient_boosting.rivals must be 1 or more; got {rivals}.")
        self.rivals = rivals

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(B, K) and (B,) int64, or (B, K) shares of classes, to a scalar."""
        shares = shares_of(targets, logits)
        right = shares > 0
        others = logits.detach().masked_fill(right, -torch.inf)
        strongest = others.topk(min(self.rivals, logits.shape[1] - 1), dim=1).indices
        kept = right.scatter(1, strongest, True)
        logs = logits.masked_fill(~kept, -torch.inf).log_softmax(dim=1)
        return -(shares * logs.masked_fill(~right, 0)).sum(dim=1).mean()
