"""Global maximum pooling."""

from torch import Tensor

from ._pooling import Pooling


class Maximum(Pooling):
    r"""Largest activation of each channel.

    .. math:: f_c = \max_{i,j} x_{c,i,j}

    Shape:
        (B, C, h, w) to (B, C).
    """

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return last.amax(dim=(2, 3))
