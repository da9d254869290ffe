"""Pooling within the contour of what is salient, in the style of CRL-WSL."""

import torch
from torch import Tensor

from ..errors import BadInputError
from ._pooling import Pooling
from ._selection import average_and_maximum, largest_component


class WslStyle(Pooling):
    r"""Average and maximum over the positions whose responses made the descriptor.

    .. math::
        g_c = \frac1{hw} \sum_{i,j} x_{c,i,j}, \qquad
        S_{ij} = \sum_c g_c \, x_{c,i,j}, \qquad
        M = \text{largest 8-connected component of } [S > t \max S], \qquad
        f = \Big[\tfrac{a}{\|a\|}; \tfrac{m}{\|m\|}\Big]

    with :math:`a` the mean and :math:`m` the maximum of each channel over :math:`M`. S is a
    top-down saliency: what is handed down from the descriptor to a position, the gradient of
    :math:`\tfrac12 \lVert g \rVert^2` times the response there. No label is needed, and an encoder
    that learned to tell classes apart sees its own evidence, which is how the paper's two halves
    help one another. A map without any saliency is taken whole.

    Args:
        threshold: t, 0 to 1: the share of the largest saliency that counts as object.

    Shape:
        (B, C, h, w) to (B, 2C).

    Note:
        *In the style of* the paper, not its method. Its text could not be had; the abstract says
        that object contours are segmented with top-down saliency and put into the response map of
        the network. Which saliency, how contours are drawn (here: threshold and component), and
        that both a mean and a maximum are kept (here: as SCDA, which it extends) are ours. Do not
        print a figure of it as the paper's. Train it with the loss ``crl``.

    References:
        Zheng et al., Centralized Ranking Loss with Weakly Supervised Localization for Fine-Grained
        Object Retrieval, IJCAI 2018. The threshold of 20 % is that of Zhou et al., Learning Deep
        Features for Discriminative Localization, CVPR 2016, section 3.2.
    """

    def __init__(self, threshold: float = 0.2) -> None:
        super().__init__()
        if not 0 <= threshold < 1:
            raise BadInputError(f"threshold of wsl_style must be in [0, 1); got {threshold}.")
        self.threshold = threshold

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return average_and_maximum(last, self.mask(last))

    @torch.no_grad()
    def mask(self, last: Tensor) -> Tensor:
        """The positions that are used: (B, C, h, w) to (B, h, w) bool, some in every row."""
        total = last.sum(dim=(2, 3), keepdim=True)  # the unit of S does not matter
        saliency = (total * last).sum(dim=1)  # (B, h, w)
        largest = saliency.amax(dim=(1, 2), keepdim=True)
        component = largest_component(saliency > self.threshold * largest)
        return component | ~component.flatten(1).any(dim=1)[:, None, None]

    def out_dim(self, channels: tuple[int, int]) -> int:
        return 2 * channels[1]
