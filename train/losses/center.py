"""Center loss beside a softmax."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._library import join


class Center(nn.Module):
    r"""Classify, and pull each image to the running centre of its class.

    .. math::
        \mathcal L = \mathcal L_S + \frac{w}{B} \sum_i \tfrac12 \lVert x_i - c_{y_i} \rVert^2 ,
        \qquad c_j \leftarrow c_j - \alpha \,
            \frac{\sum_{y_i = j} (c_j - x_i)}{1 + |\{i : y_i = j\}|}

    L_S is the normalised softmax: centres alone would draw everything to one point. Centres move
    in training mode after the loss was taken, and a class that occurs several times in a batch
    moves by all its images: an assignment by index would keep only one of them.

    Args:
        num_classes: C, classes of the training part.
        dim: D, length of an embedding.
        weight: w.
        rate: :math:`\alpha`, 0 to 1.
        temperature: Of the softmax, above 0.

    Note:
        Weights: ``centers`` (C, D) of the softmax. Buffer: ``means`` (C, D), the centres above.

    References:
        Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV
        2016, eq. 2 to 5 and algorithm 1; alpha = 0.5. There w = 0.003 weighs a sum over batches of
        256, which is 0.768 for a mean, and features are not normalised.
    """

    means: Tensor

    def __init__(
        self,
        num_classes: int,
        dim: int,
        weight: float = 0.768,
        rate: float = 0.5,
        temperature: float = 0.05,
    ) -> None:
        super().__init__()
        self.weight, self.rate, self.temperature = weight, rate, temperature
        self.centers = nn.Parameter(torch.empty(num_classes, dim))
        nn.init.normal_(self.centers, std=dim**-0.5)
        self.register_buffer("means", torch.zeros(num_classes, dim))

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
        classified = F.cross_entropy(cosines / self.temperature, targets)
        scattered = (embeddings - self.means[targets]).square().sum(dim=1).mean() / 2
        if self.training:
            self.means = moved_means(self.means, embeddings.detach(), targets, self.rate)
        return classified + self.weight * scattered


def moved_means(means: Tensor, rows: Tensor, targets: Tensor, rate: float) -> Tensor:
    """Centres after a batch, by the second equation above.

    Args:
        means: (C, D).
        rows: (B, D), without gradients.
        targets: (B,), a class as often as it occurs.
        rate: alpha.
    """
    away = means[targets] - rows  # (B, D)
    total = torch.zeros_like(means).index_add(0, targets, away.to(means.dtype))
    counts = torch.bincount(targets, minlength=len(means))
    return means - rate * total / (1 + counts)[:, None]
