"""Compact bilinear pooling by tensor sketch."""

from torch import Tensor

from ._pooling import Pooling
from ._second_order import check_channels, check_sizes, positions, signed_root_and_norm
from ._sketching import CountSketch, sketch_of


class CompactBilinear(Pooling):
    r"""Bilinear pooling in few numbers: a random projection that is never written out.

    .. math::
        \psi_k(x)_j = \sum_{c:\, h_k(c) = j} s_k(c)\, x_c, \qquad
        z = \frac1{hw} \sum_{ij} \mathcal F^{-1}\big(
            \mathcal F \psi_1(x_{ij}) \circ \mathcal F \psi_2(x_{ij}) \big)

    followed by the signed root and unit norm. A product of spectra is a circular convolution, and
    that of two count sketches is the count sketch of the outer product: inner products of z are
    those of the bilinear matrices in expectation over h and s. These are drawn once, from ``seed``,
    and travel with the weights.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        dim: d, length of the sketch.
        seed: Of h and s.

    Shape:
        (B, C, h, w) to (B, d), rows of norm 1.

    References:
        Gao, Beijbom, Zhang, Darrell, Compact bilinear pooling, CVPR 2016, algorithm 2; Pham, Pagh,
        Fast and scalable polynomial kernels via explicit feature maps, KDD 2013.
    """

    def __init__(self, channels: int, dim: int = 8192, seed: int = 0) -> None:
        super().__init__()
        check_sizes("compact_bilinear", channels=channels, dim=dim)
        self.channels, self.dim, self.seed = channels, dim, seed
        self.first = CountSketch(channels, dim, seed, 0)
        self.second = CountSketch(channels, dim, seed, 1)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return signed_root_and_norm(self.sketched(last))

    def sketched(self, last: Tensor) -> Tensor:
        """z, before the root: (B, C, h, w) to (B, d)."""
        descriptors = positions(last)  # (B, N, C)
        product = self.first.spectrum(descriptors) * self.second.spectrum(descriptors)
        return sketch_of(product, self.dim).to(last.dtype)

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("compact_bilinear", self.channels, channels)
        return self.dim
