"""Normalised softmax: cross-entropy over the cosines to one centre for each class."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._library import join


class NormalisedSoftmax(nn.Module):
    r"""Classify by cosine, so that what is learned is what is searched.

    .. math::
        \mathcal L = -\frac1B \sum_i \log
            \frac{e^{\hat x_i^\top \hat w_{y_i} / \tau}}{\sum_c e^{\hat x_i^\top \hat w_c / \tau}}

    Args:
        num_classes: C, classes of the training part.
        dim: D, length of an embedding.
        temperature: :math:`\tau` above 0; 1 / tau is the scale of the Normalize-Scale layer.

    Note:
        Weights: ``centers`` (C, D).

    References:
        Zhai and Wu, Classification is a Strong Baseline for Deep Metric Learning, BMVC 2019,
        eq. 4; tau = 0.05 in section 4.
    """

    def __init__(self, num_classes: int, dim: int, temperature: float = 0.05) -> None:
        super().__init__()
        self.temperature = temperature
        self.centers = nn.Parameter(torch.empty(num_classes, dim))
        nn.init.normal_(self.centers, std=dim**-0.5)

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        """(B, D), (B,) [, (R, D), (R,)] to a scalar; references count like the other images."""
        embeddings, targets = join(embeddings, targets, ref_embeddings, ref_targets)
        cosines = F.normalize(embeddings) @ F.normalize(self.centers).T  # (B, C)
        return F.cross_entropy(cosines / self.temperature, targets)
