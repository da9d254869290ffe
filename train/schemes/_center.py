"""Descriptors are drawn to a moving centre of their class."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CenterLoss(nn.Module):
    r"""The squared distance of descriptors to the directions of their classes' centres.

    .. math::
        \mathcal L = \frac1B \sum_i \| f_i - \hat c_{y_i} \|^2, \qquad
        \hat c = \frac{c}{\|c\|}, \qquad
        c_j \leftarrow c_j + \beta \sum_{i: y_i = j} (f_i - \hat c_j)

    Centres start at 0 and move in training mode after the loss was taken. A class that occurs
    several times in a batch moves by all its pictures; an assignment by index would keep one.

    Args:
        num_classes: K.
        dim: D, length of a descriptor.
        rate: :math:`\beta`.

    Note:
        Buffer: ``centers`` (K, D).

    References:
        Hu, Qi, Huang, Lu, See better before looking closer: weakly supervised data augmentation
        network for fine-grained visual classification, 2019, eq. 5 and 6; 0.05 and the centre's
        norm as in the authors' code.
    """

    centers: Tensor

    def __init__(self, num_classes: int, dim: int, rate: float = 0.05) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("centers", torch.zeros(num_classes, dim))

    def forward(self, descriptors: Tensor, targets: Tensor) -> Tensor:
        """(B, D), (B,) to a scalar."""
        directions = F.normalize(self.centers[targets])  # (B, D)
        loss = (descriptors - directions).square().sum(dim=1).mean()
        if self.training:
            away = (descriptors.detach() - directions).to(self.centers.dtype)
            self.centers.index_add_(0, targets, self.rate * away)
        return loss
