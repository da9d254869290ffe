"""Kernel pooling: products of up to four channels, sketched."""

import math
from typing import cast

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ._pooling import Pooling
from ._second_order import check_channels, check_sizes, positions, signed_root_and_norm
from ._sketching import CountSketch, sketch_of

ORDERS = 4


class KernelPooling(Pooling):
    r"""Products of one, two, three and four channels, weighted as a Gaussian kernel's series does.

    .. math::
        z = \frac1{hw} \sum_{ij} \big[ \alpha_0;\ \alpha_1 x;\
            \alpha_2 \mathrm{TS}_2(x);\ \alpha_3 \mathrm{TS}_3(x);\ \alpha_4 \mathrm{TS}_4(x)
            \big]_{x = x_{ij}}, \qquad
        \alpha_p^2 = e^{-2\gamma} \frac{(2\gamma)^p}{p!} \text{ at first}

    followed by the signed root and unit norm. :math:`\mathrm{TS}_p` is the tensor sketch of the
    p-fold outer product, see ``compact_bilinear``. For unit vectors
    :math:`e^{-\gamma \lVert x - y \rVert^2}
    = \sum_p e^{-2\gamma} (2\gamma)^p \langle x, y \rangle^p / p!`, and the inner product of two
    such expansions is its first five terms, in expectation over the sketches. :math:`\alpha` is
    learned.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        dim: Length of each of the three sketches.
        gamma: :math:`\gamma`, above 0, that :math:`\alpha` starts from.
        seed: Of the sketches.

    Shape:
        (B, C, h, w) to (B, 1 + C + 3 dim), rows of norm 1.

    References:
        Cui, Zhou, Wang, Liu, Lin, Belongie, Kernel pooling for convolutional neural networks, CVPR
        2017, sections 3.2 to 3.4.
    """

    def __init__(self, channels: int, dim: int = 4096, gamma: float = 0.5, seed: int = 0) -> None:
        super().__init__()
        check_sizes("kernel_pooling", channels=channels, dim=dim)
        if not 0 < gamma < math.inf:
            raise BadInputError(f"gamma of kernel_pooling must be above 0; got {gamma}.")
        self.channels, self.dim, self.gamma, self.seed = channels, dim, gamma, seed
        self.sketches = nn.ModuleList(
            CountSketch(channels, dim, seed, number) for number in range(ORDERS)
        )
        squares = [
            math.exp(-2 * gamma) * (2 * gamma) ** p / math.factorial(p) for p in range(ORDERS + 1)
        ]
        self.weights = nn.Parameter(torch.tensor(squares).sqrt())  # alpha

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return signed_root_and_norm(self.expanded(last))

    def expanded(self, last: Tensor) -> Tensor:
        """z, before the root: (B, C, h, w) to (B, 1 + C + 3 dim)."""
        descriptors = positions(last)  # (B, N, C)
        terms = [torch.ones_like(descriptors[:, 0, :1]), descriptors.mean(dim=1)]
        first, *others = (cast(CountSketch, sketch) for sketch in self.sketches)
        product: Tensor = first.spectrum(descriptors)
        for sketch in others:
            product = product * sketch.spectrum(descriptors)
            terms.append(sketch_of(product, self.dim).to(last.dtype))
        return torch.cat(
            [weight * term for weight, term in zip(self.weights, terms, strict=True)], dim=1
        )

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("kernel_pooling", self.channels, channels)
        return 1 + self.channels + (ORDERS - 1) * self.dim
