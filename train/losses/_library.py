"""What losses of pytorch-metric-learning have in common: how they are called."""

from typing import Any

import torch
from torch import Tensor, nn


class PairLoss(nn.Module):
    """A loss on pairs or triplets of images; references are what anchors are compared with.

    Args:
        loss: Of pytorch-metric-learning.
        miner: Chooses the pairs or triplets that count; all when left out.
    """

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None) -> None:
        super().__init__()
        self._loss, self._miner = loss, miner

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        """(B, D), (B,) [, (R, D), (R,)] to a scalar."""
        if ref_targets is targets and ref_targets is not None:
            ref_targets = ref_targets.clone()  # the library takes one object for one set of images
        chosen: Any = None
        if self._miner is not None:
            chosen = self._miner(embeddings, targets, ref_embeddings, ref_targets)
        loss: Tensor = self._loss(embeddings, targets, chosen, ref_embeddings, ref_targets)
        return loss


class ClassLoss(nn.Module):
    """A loss with learned weights for each class; references count like the other images.

    Args:
        loss: Of pytorch-metric-learning.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self._loss = loss

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        """(B, D), (B,) [, (R, D), (R,)] to a scalar."""
        loss: Tensor = self._loss(*join(embeddings, targets, ref_embeddings, ref_targets))
        return loss


def join(
    embeddings: Tensor,
    targets: Tensor,
    ref_embeddings: Tensor | None,
    ref_targets: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Embeddings and references as one batch (B + R, D) and its targets (B + R,)."""
    if ref_embeddings is None or ref_targets is None:
        return embeddings, targets
    return torch.cat([embeddings, ref_embeddings]), torch.cat([targets, ref_targets])
