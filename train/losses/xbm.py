"""Cross-batch memory: contrastive loss against the embeddings of past batches too."""

import torch
from pytorch_metric_learning import distances, losses
from torch import Tensor, nn

from ._library import join


class XBM(nn.Module):
    r"""Contrastive loss within the batch and between the batch and a memory of past ones.

    Embeddings drift slowly, so those of the last batches serve as references without having to be
    computed again: many more hard negatives for the price of a matrix product.

    .. math::
        \mathcal L = \ell(X, X) + w\, \ell(X, M), \qquad
        \ell(X, R) = \operatorname{mean}^+_{y_i = y_j} [1 - s_{ij}]_+
            + \operatorname{mean}^+_{y_i \ne y_j} [s_{ij} - m]_+

    with s the cosine and :math:`\operatorname{mean}^+` over the pairs whose term is above 0. The
    batch enters the memory after its loss, in training mode only.

    Args:
        dim: D, length of an embedding.
        size: Embeddings that are remembered.
        start: Batches before the memory counts, so that embeddings have settled.
        margin: m, a cosine.
        weight: w.

    Note:
        Buffers: ``memory`` (size, D), ``memory_targets`` (size,), ``batches``, ``written``; they
        are part of a run's state, so that a resumed run remembers the same.

    References:
        Wang et al., Cross-Batch Memory for Embedding Learning, CVPR 2020, eq. 3 and algorithm 1;
        margin 0.5 and 1,000 first batches without the memory as in the authors' code. There pairs
        are summed over the batch; the mean over violating pairs is pytorch-metric-learning's.
    """

    memory: Tensor
    memory_targets: Tensor
    batches: Tensor
    written: Tensor

    def __init__(
        self,
        dim: int,
        size: int = 4096,
        start: int = 1000,
        margin: float = 0.5,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.start, self.weight = start, weight
        self._pairs = losses.ContrastiveLoss(1.0, margin, distance=distances.CosineSimilarity())
        self.register_buffer("memory", torch.zeros(size, dim))
        self.register_buffer("memory_targets", torch.full((size,), -1))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        """(B, D), (B,) [, (R, D), (R,)] to a scalar; references are remembered like the others."""
        embeddings, targets = join(embeddings, targets, ref_embeddings, ref_targets)
        loss: Tensor = self._pairs(embeddings, targets)
        filled = min(int(self.written), len(self.memory))
        if filled and int(self.batches) >= self.start:
            remembered = self.memory[:filled].to(embeddings.dtype)
            past: Tensor = self._pairs(
                embeddings, targets, None, remembered, self.memory_targets[:filled]
            )
            loss = loss + self.weight * past
        if self.training:
            self._remember(embeddings.detach(), targets)
        return loss

    @torch.no_grad()
    def _remember(self, embeddings: Tensor, targets: Tensor) -> None:
        embeddings, targets = embeddings[-len(self.memory) :], targets[-len(self.memory) :]
        places = torch.arange(len(targets), device=targets.device) + self.written
        places = places % len(self.memory)
        self.memory = self.memory.index_copy(0, places, embeddings.to(self.memory.dtype))
        self.memory_targets = self.memory_targets.index_copy(0, places, targets)
        self.written += len(targets)
        self.batches += 1
