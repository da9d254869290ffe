"""Generalized-mean pooling."""

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ._pooling import Pooling


class GeM(Pooling):
    r"""Generalized mean over space: average at p = 1, towards maximum as p grows.

    .. math:: f_c = \Big(\frac1{hw}\sum_{i,j} \max(x_{c,i,j}, \epsilon)^p\Big)^{1/p}

    Args:
        p: Exponent, above 0; the start value where training learns it. 3 is the reference's.
        eps: Floor of activations, above 0, so that the root has a gradient.

    Shape:
        (B, C, h, w) to (B, C), every value at least ``eps``.

    References:
        Radenovic et al., Fine-tuning CNN image retrieval with no human annotation, TPAMI 2019,
        eq. 3.
    """

    def __init__(self, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        for name, value in (("p", p), ("eps", eps)):
            if not 0 < value < float("inf"):
                raise BadInputError(f"{name} of gem must be above 0 and finite; got {value}.")
        self.p = nn.Parameter(torch.tensor(float(p)))
        self.eps = eps

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        floored = last.clamp(min=self.eps)
        # In units of each channel's largest value no power over- or underflows. The result does
        # not depend on the unit, so neither does the gradient.
        unit = floored.detach().amax(dim=(2, 3), keepdim=True)
        mean = (floored / unit).pow(self.p).mean(dim=(2, 3))
        return mean.pow(1 / self.p) * unit.flatten(1)
