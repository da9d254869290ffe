r"""More like this, not like that: a query moved by examples.

.. math::
    q' = \frac{v}{\|v\|}, \qquad v = q + \frac{1}{P}\sum_i p_i - w\,\frac{1}{N}\sum_j n_j

for a query q, P items the user wants more of and N items the user does not want; a mean over none
is 0. All are rows of norm 1 in one space, so that neither a long row nor many examples of one kind
outweigh the query.

References:
    Rocchio, Relevance feedback in information retrieval, in: Salton (ed.), The SMART retrieval
    system, 1971. Salton and Buckley, Improving retrieval performance by relevance feedback, JASIS
    1990: unwanted examples weigh less than wanted ones.
"""

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError

UNWANTED_WEIGHT = 0.5
"""w: what is wanted lies together, what is not wanted lies anywhere."""

_NOTHING = 1e-6


def moved_query(
    query: NDArray[np.float32],
    wanted: NDArray[np.float32],
    unwanted: NDArray[np.float32],
    *,
    weight: float = UNWANTED_WEIGHT,
) -> NDArray[np.float32]:
    """The query that examples ask for.

    Args:
        query: (D,), norm 1.
        wanted: (P, D), rows of norm 1; P may be 0.
        unwanted: (N, D), likewise.
        weight: w, of the unwanted ones.

    Returns:
        (D,) float32, norm 1.

    Raises:
        BadInputError: The examples leave nothing of the query.

    Example:
        >>> east, north = np.eye(2, dtype=np.float32)
        >>> moved_query(east, north[None], np.empty((0, 2), np.float32)).round(3)
        array([0.707, 0.707], dtype=float32)
    """
    moved = query.astype(np.float64)
    if len(wanted):
        moved = moved + wanted.mean(axis=0, dtype=np.float64)
    if len(unwanted):
        moved = moved - weight * unwanted.mean(axis=0, dtype=np.float64)
    norm = float(np.linalg.norm(moved))
    if norm < _NOTHING:
        raise BadInputError(
            "examples must leave something to look for; got ones that cancel the query. "
            "Take one of them back."
        )
    return (moved / norm).astype(np.float32)
