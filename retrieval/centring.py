"""Vectors of one modality, moved so that their mean is zero."""

import torch
from torch import Tensor, nn

MOMENTUM = 0.1
"""Share of a batch's mean in the running mean."""


class Centring(nn.Module):
    r"""Subtracts the mean of the modality: :math:`y = x - \mu`.

    What all sketches have in common, such as white paper, fills most of their vectors, and what all
    photos have in common most of theirs. The two means are different, so the cosine of a sketch and
    a photo says little until they are gone. In training the mean is that of the batch, taken as a
    constant, and a running mean is kept for later: a batch norm without its scales.

    Attributes:
        mean: (D,) of this modality.
        seen: () int64, batches that went into the mean; the first one is taken as it is.
    """

    mean: Tensor
    seen: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, D) to (B, D)."""
        if not self.training:
            return vectors - self.mean
        with torch.no_grad():
            mean = vectors.mean(dim=0)
            share = MOMENTUM if self.seen else 1.0
            self.mean.lerp_(mean.to(self.mean.dtype), share)
            self.seen += 1
        return vectors - mean
