r"""Whitening: directions that many vectors share count less, rare ones more.

Activations of a network are correlated and a few directions hold most of the variance, so cosine
similarity mostly compares those. A linear map learned from training vectors, without labels, gives
the leading directions equal variance and drops the rest.

With the training vectors as rows of :math:`X` (N, C') and :math:`m = 0` for ``svd`` or the mean row
for ``pca``,

.. math::
    \frac1N (X - m)^\top (X - m) = V \Lambda V^\top, \qquad
    w(x) = (x - m)\, V_D\, \Lambda_D^{-1/2}

where :math:`\Lambda_D` holds the D largest eigenvalues. Whitened training vectors have mean 0
(``pca``) and second moment :math:`I`. There is no ridge: D is at most the rank, so no eigenvalue
that is only rounding noise is divided by.

References:
    Jegou and Chum, Negative evidences and co-occurrences in image retrieval: the benefit of PCA and
    whitening, ECCV 2012. Wei et al., Selective convolutional descriptor aggregation for
    fine-grained image retrieval, TIP 2017 (``svd``).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .checks import check_shape
from .errors import BadInputError
from .plugins import unknown

FROM_VECTORS = ("pca", "svd")
"""What :func:`fit_whitening` learns."""

METHODS = (*FROM_VECTORS, "paired")
"""With what :func:`retrieval.paired.fit_paired_whitening` learns from sketches and their photos."""


class Whitening(nn.Module):
    """The linear map of :func:`fit_whitening` or :func:`retrieval.paired.fit_paired_whitening`.

    Attributes:
        mean: (C',). Zeros for ``svd``.
        projection: (C', D).
        method: How it was fitted.
    """

    mean: Tensor
    projection: Tensor

    def __init__(self, dim_in: int, dim: int, method: str = "pca") -> None:
        super().__init__()
        if method not in METHODS:
            raise BadInputError(unknown("whitening", method, METHODS))
        if not 1 <= dim <= dim_in:
            raise BadInputError(f"dim of a whitening must be in 1..{dim_in}; got {dim}.")
        self.method = method
        self.register_buffer("mean", torch.zeros(dim_in))
        self.register_buffer("projection", torch.eye(dim_in, dim))

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, C') to (B, D), not normalised."""
        return (vectors - self.mean) @ self.projection

    @property
    def dim(self) -> int:
        """D."""
        return self.projection.shape[1]


def fit_whitening(vectors: NDArray[np.float32], dim: int, method: str = "pca") -> Whitening:
    """Learn a whitening from training vectors.

    Args:
        vectors: (N, C') of training images, as the encoder gives them without whitening. Never
            of test images.
        dim: D, 1..rank of the (centred) vectors.
        method: ``pca`` subtracts the mean, ``svd`` does not.

    Raises:
        BadInputError: Vectors that are not finite, or a ``dim`` above the rank.
    """
    if method not in FROM_VECTORS:
        raise BadInputError(unknown("whitening from vectors", method, FROM_VECTORS))
    check_shape("vectors", vectors, ("N", "C'"), "Give one row for each training image.")
    whitening = Whitening(vectors.shape[1], dim, method)
    if not len(vectors):
        raise BadInputError("vectors must be of training images; got none. Give some.")
    if not np.isfinite(vectors).all():
        raise BadInputError("vectors must be finite; got NaN or infinity. Leave those rows out.")
    rows = vectors.astype(np.float64)
    mean = rows.mean(axis=0) if method == "pca" else np.zeros(rows.shape[1])
    eigenvalues, directions = principal_directions(rows - mean, dim)
    whitening.mean.copy_(torch.from_numpy(mean))
    whitening.projection.copy_(torch.from_numpy(directions / np.sqrt(eigenvalues)))
    return whitening


def principal_directions(
    rows: NDArray[np.float64], dim: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The directions in which rows are largest, and their mean squares there; largest first.

    Args:
        rows: (N, C').
        dim: D, how many.

    Returns:
        (D,) and (C', D), with columns of norm 1 whose largest entry is positive.

    Raises:
        BadInputError: ``dim`` is above the rank.
    """
    from scipy import linalg  # only fitting needs it

    wide = len(rows) < rows.shape[1]
    moments = (rows @ rows.T if wide else rows.T @ rows) / len(rows)
    floor = np.trace(moments) * max(rows.shape) * np.finfo(np.float32).eps ** 2
    largest = (max(0, len(moments) - dim), len(moments) - 1)
    # Only the eigenvectors that are kept: a third of the time for a large map.
    eigenvalues, directions = linalg.eigh(moments, subset_by_index=largest)
    if len(eigenvalues) < dim or eigenvalues[0] <= floor:
        rank = int((np.linalg.eigvalsh(moments) > floor).sum())
        raise BadInputError(
            f"dim must be at most {rank}, the rank of {len(rows)} training vectors; got {dim}. "
            "Ask for fewer dimensions or give more training images."
        )
    if wide:
        directions = rows.T @ directions / np.sqrt(len(rows) * eigenvalues)
    eigenvalues, directions = eigenvalues[::-1], directions[:, ::-1]
    strongest = np.abs(directions).argmax(axis=0)
    signs = np.sign(directions[strongest, np.arange(dim)])  # one sign on every machine
    return eigenvalues, directions * signs
