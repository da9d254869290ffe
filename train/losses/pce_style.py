"""Cross-entropy that stops pulling where an image is sure of its class."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError

from ._library import join


class PCEStyle(nn.Module):
    r"""Normalised softmax with a piecewise logarithm, so that sure images are not over-fitted.

    .. math::
        \mathcal L = \frac1B \sum_i \ell(p_i) - \ell(1), \qquad
        \ell(p) = \begin{cases} -\log p & p < t \\
            -\log t - \kappa \, (p - t) / t & p \ge t \end{cases}

    with :math:`p_i` the softmax over :math:`\hat x_i^\top \hat w_c / \tau` at the own class.
    :math:`\kappa = 0` gives no gradient above t, :math:`\kappa = 1` goes on with the slope that
    the logarithm has there. The constant :math:`\ell(1)` makes the smallest value 0.

    Args:
        num_classes: C, classes of the training part.
        dim: D, length of an embedding.
        threshold: t, a probability; choose it on validation classes.
        slope: :math:`\kappa`, 0 to 1.
        temperature: :math:`\tau` above 0.

    Note:
        Weights: ``centers`` (C, D). This is *in the style of* the piecewise cross-entropy of Zeng
        et al.: their formula could not be had, only what the abstract says. Do not print its
        figures as the paper's.

    References:
        Zeng et al., Fine-Grained Image Retrieval via Piecewise Cross Entropy Loss, Image and
        Vision Computing 2020.
    """

    def __init__(
        self,
        num_classes: int,
        dim: int,
        threshold: float = 0.9,
        slope: float = 0.0,
        temperature: float = 0.05,
    ) -> None:
        super().__init__()
        if not 0 < threshold <= 1:
            raise BadInputError(f"pce_style.threshold must be in (0, 1]; got {threshold}.")
        if not 0 <= slope <= 1:
            raise BadInputError(f"pce_style.slope must be in [0, 1]; got {slope}.")
        self.threshold, self.slope, self.temperature = threshold, slope, temperature
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
        log_p = -F.cross_entropy(cosines / self.temperature, targets, reduction="none")  # (B,)
        t = self.threshold
        sure = -math.log(t) - self.slope * (log_p.exp() - t) / t
        least = -math.log(t) - self.slope * (1 - t) / t
        return torch.where(log_p.exp() < t, -log_p, sure).mean() - least
