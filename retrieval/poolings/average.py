"""Global average pooling."""

from torch import Tensor

from ._pooling import Pooling


class Average(Pooling):
    r"""Mean of each channel over space.

    .. math:: f_c = \frac1{hw}\sum_{i,j} x_{c,i,j}

    Shape:
        (B, C, h, w) to (B, C).
    """

    linear = True

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return last.mean(dim=(2, 3))
