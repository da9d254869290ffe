"""Count sketches: random signed sums that keep inner products on average."""

import numpy as np
import torch
from torch import Tensor, nn


class CountSketch(nn.Module):
    r"""Each input added, with a random sign, to one of ``dim`` sums.

    .. math:: \psi(x)_j = \sum_{c:\, h(c) = j} s(c)\, x_c

    h and s are functions of the seeds alone. They are buffers, so that what was trained on them
    finds them again.

    Args:
        channels: Length of x.
        dim: Length of the sketch.
        seed: Of the pooling.
        number: Of this sketch among those of the pooling.
    """

    places: Tensor  # (C,) int64, h
    signs: Tensor  # (C,) float32, s

    def __init__(self, channels: int, dim: int, seed: int, number: int) -> None:
        super().__init__()
        rng = np.random.default_rng([seed, number])
        self.dim = dim
        self.register_buffer("places", torch.tensor(rng.integers(0, dim, channels)))
        signs = rng.integers(0, 2, channels) * 2 - 1
        self.register_buffer("signs", torch.tensor(signs, dtype=torch.float32))

    def forward(self, descriptors: Tensor) -> Tensor:
        """(..., C) to (..., dim)."""
        zeros = descriptors.new_zeros(*descriptors.shape[:-1], self.dim)
        return zeros.index_add(-1, self.places, descriptors * self.signs.to(descriptors))

    def spectrum(self, descriptors: Tensor) -> Tensor:
        """Half of the discrete Fourier transform of the sketch: (..., C) to (..., dim // 2 + 1).

        In complex128: most sums of a long sketch are exactly 0, and what rounding in single
        precision makes of them, 1e-8, a root would raise to 1e-4.
        """
        spectrum: Tensor = torch.fft.rfft(self(descriptors.double()))
        return spectrum


def sketch_of(spectra: Tensor, dim: int) -> Tensor:
    """The mean of the sketches that have these spectra: (B, N, dim // 2 + 1) to (B, dim)."""
    sketch: Tensor = torch.fft.irfft(spectra.mean(dim=1), n=dim)
    return sketch
