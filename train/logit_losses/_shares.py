"""Targets as shares of classes."""

from torch import Tensor
from torch.nn import functional as F


def shares_of(targets: Tensor, logits: Tensor) -> Tensor:
    """(B,) int64 as ones and zeros like the logits (B, K); shares as they are."""
    if targets.dim() == 2:
        return targets.to(logits.dtype)
    return F.one_hot(targets, logits.shape[1]).to(logits.dtype)
