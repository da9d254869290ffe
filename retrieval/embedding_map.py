"""Vectors as points of a plane, to look at: a picture of a collection, never a measure of it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .checks import check_unit_rows
from .errors import BadInputError


class EmbeddingMap(NamedTuple):
    """Where vectors lie.

    Attributes:
        points: (N, 2) float64.
        kept: Share of the variance that the plane shows.
    """

    points: NDArray[np.float64]
    kept: float


def principal_plane(vectors: NDArray[np.float32]) -> EmbeddingMap:
    r"""The plane in which centred vectors vary most: the first two principal components.

    With :math:`X_c = U S V^\top` the points are :math:`X_c (v_1, v_2)`; of each axis, the largest
    entry of its direction is positive, so that the map is the same each time.

    Args:
        vectors: (N, D) float32, rows of norm 1, N and D of 2 or more.

    Raises:
        BadInputError: Too few vectors, or rows that are not finite or not of norm 1.
    """
    check_unit_rows("vectors", vectors)
    count, dim = vectors.shape
    if min(count, dim) < 2:
        raise BadInputError(
            f"a map must have two vectors or more; got {count} of {dim} dimensions. Add pictures."
        )
    centred = vectors.astype(np.float64)
    centred -= centred.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred)
    axes = directions[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    total = float(variances.sum())
    kept = float(variances[-2:].sum()) / total if total > 0 else 1.0
    return EmbeddingMap(centred @ axes, min(1.0, max(0.0, kept)))
