"""Checks at the public doors: one line to call, one sentence when they fail."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError

UNIT_TOLERANCE = 1e-3
"""How far the norm of a unit row may be from 1."""


class HasShape(Protocol):
    """A numpy array or a torch tensor."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis."""
        ...


def check_shape(name: str, value: HasShape, shape: Sequence[int | str], hint: str = "") -> None:
    """Raise unless ``value`` has this shape; a word stands for any size.

    Example:
        >>> check_shape("embeddings", np.zeros((4, 512)), ("B", 512))
        >>> check_shape("embeddings", np.zeros(512), ("B", 512), "Add a batch axis: x[None].")
        Traceback (most recent call last):
        retrieval.errors.BadInputError: embeddings must be (B, 512); got (512,). Add a batch axis: x[None].
    """  # noqa: E501
    got = tuple(value.shape)
    fits = len(got) == len(shape) and all(
        isinstance(want, str) or want == size for want, size in zip(shape, got, strict=True)
    )
    if not fits:
        want = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
        raise BadInputError(f"{name} must be {want}; got {got}. {hint}".rstrip())


def check_unit_rows(
    name: str, rows: NDArray[np.float32], names: Sequence[str] | None = None, hint: str = ""
) -> None:
    """Raise unless ``rows`` is (N, D) float32, finite, with rows of Euclidean norm 1.

    Args:
        name: What the rows are, as the caller wrote it.
        rows: (N, D).
        names: N names for the rows, such as item ids; row numbers when left out.
        hint: What to do, appended to the sentence.
    """
    check_shape(name, rows, ("N", "D"), hint)
    if rows.dtype != np.float32:
        raise BadInputError(f"{name} must be float32; got {rows.dtype}. {hint}".rstrip())
    norms = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    good = np.abs(norms - 1) <= UNIT_TOLERANCE  # False for NaN and infinity
    if good.all():
        return
    worst = int(np.argmin(good))
    which = f"row {worst}" if names is None else repr(names[worst])
    raise BadInputError(
        f"{name} must have finite rows of norm 1; got norm {norms[worst]:.4g} at {which}. {hint}".rstrip()  # noqa: E501
    )
