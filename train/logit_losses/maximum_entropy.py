"""Cross-entropy that rewards answers which stay undecided."""

from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError


class MaximumEntropy(nn.Module):
    r"""Cross-entropy less the entropy of the answer.

    .. math:: \mathcal L = \frac1B \sum_i \big[ \ell_i - \gamma H(p_i) \big], \qquad
        H(p) = - \sum_k p_k \log p_k

    It may fall below 0.

    Args:
        weight: :math:`\gamma`, 0 or more.

    Note:
        The paper chooses gamma on a validation part and names no value that holds everywhere; 1 is
        what its authors' code amounts to.

    References:
        Dubey et al., Maximum-Entropy Fine-Grained Classification, NeurIPS 2018, section 3.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        if not weight >= 0:
            raise BadInputError(f"maximum_entropy.weight must be 0 or more; got {weight}.")
        self.weight = weight

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(B, K) and (B,) int64, or (B, K) shares of classes, to a scalar."""
        logs = logits.log_softmax(dim=1)
        entropy = -(logs.exp() * logs).sum(dim=1).mean()
        return F.cross_entropy(logits, targets) - self.weight * entropy
