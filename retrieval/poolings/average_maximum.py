"""Average and maximum pooling side by side."""

import torch
from torch import Tensor

from ._pooling import Pooling


class AverageMaximum(Pooling):
    r"""What is there on the whole, then how strong it gets anywhere.

    .. math:: f = [\mathrm{GAP}(x); \mathrm{GMP}(x)]

    The halves are not normalised apart (``scda`` does that), as in the reference, so the maxima,
    which are larger, weigh more in the cosine.

    Shape:
        (B, C, h, w) to (B, 2C).

    References:
        Zheng et al., Towards optimal fine grained retrieval via decorrelated centralized loss with
        normalize-scale layer, AAAI 2019.
    """

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return torch.cat([last.mean(dim=(2, 3)), last.amax(dim=(2, 3))], dim=1)

    def out_dim(self, channels: tuple[int, int]) -> int:
        return 2 * channels[1]
