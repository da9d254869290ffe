"""Cross-entropy of classes."""

from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError


class CrossEntropy(nn.Module):
    r"""How surprising the right class is, with labels that may be softened.

    .. math:: \mathcal L = -\frac1B \sum_i \sum_k
        \Big[ (1 - \epsilon)\, y_{ik} + \frac{\epsilon}{K} \Big] \log p_{ik}

    Args:
        label_smoothing: :math:`\epsilon`, in [0, 1).

    References:
        Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016,
        section 7 (label smoothing).
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise BadInputError(
                f"cross_entropy.label_smoothing must be in [0, 1); got {label_smoothing}."
            )
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(B, K) and (B,) int64, or (B, K) shares of classes, to a scalar."""
        return F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)
