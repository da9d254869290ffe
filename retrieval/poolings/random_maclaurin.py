"""Compact bilinear pooling by random Maclaurin features."""

import numpy as np
import torch
from torch import Tensor

from ._pooling import Pooling
from ._second_order import check_channels, check_sizes, positions, signed_root_and_norm


class RandomMaclaurin(Pooling):
    r"""Bilinear pooling in few numbers: products of random projections.

    .. math::
        z = \frac1{\sqrt d} \frac1{hw} \sum_{ij} (W_1 x_{ij}) \circ (W_2 x_{ij}), \qquad
        W_k \in \{-1, 1\}^{d \times C}

    followed by the signed root and unit norm. Inner products of z are those of the bilinear
    matrices in expectation over W, which is drawn once, from ``seed``, and travels with the
    weights. It costs more than the tensor sketch, d C numbers each, and needs no Fourier transform.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        dim: d.
        seed: Of W.

    Shape:
        (B, C, h, w) to (B, d), rows of norm 1.

    References:
        Gao, Beijbom, Zhang, Darrell, Compact bilinear pooling, CVPR 2016, algorithm 1; Kar,
        Karnick, Random feature maps for dot product kernels, AISTATS 2012.
    """

    signs: Tensor  # (2, d, C) int8

    def __init__(self, channels: int, dim: int = 8192, seed: int = 0) -> None:
        super().__init__()
        check_sizes("random_maclaurin", channels=channels, dim=dim)
        self.channels, self.dim, self.seed = channels, dim, seed
        drawn = np.random.default_rng(seed).integers(0, 2, (2, dim, channels), np.int8) * 2 - 1
        self.register_buffer("signs", torch.tensor(drawn, dtype=torch.int8))

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return signed_root_and_norm(self.projected(last))

    def projected(self, last: Tensor) -> Tensor:
        """z, before the root: (B, C, h, w) to (B, d)."""
        descriptors = positions(last)  # (B, N, C)
        first, second = (descriptors @ one.to(descriptors).T for one in self.signs)
        products: Tensor = (first * second).mean(dim=1)
        scaled: Tensor = products / self.dim**0.5
        return scaled

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("random_maclaurin", self.channels, channels)
        return self.dim
