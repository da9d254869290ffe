"""Coarser classes: a table that says which class belongs to which, and their probabilities."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError
from .tables import read_table


def read_superclasses(file: Path, classes: Sequence[str]) -> dict[str, str]:
    """The superclass of each class, from a table with the columns label and superclass.

    The table of a data set will do: a class may stand in many rows, if they agree.

    Args:
        file: CSV or Parquet.
        classes: Every one of them must occur; others are passed over.

    Raises:
        BadInputError: A column or a class is missing, or a class has two superclasses.
    """
    table = read_table(file)
    table.needs("label", "superclass")
    found: dict[str, str] = {}
    for index, row in enumerate(table.rows):
        above = found.setdefault(row["label"], row["superclass"])
        if above != row["superclass"]:
            raise BadInputError(
                f"{table.where(index, 'superclass')} must be the one of its class everywhere; got "
                f"{row['superclass']!r}, and {above!r} before, for {row['label']!r}."
            )
    for name in classes:
        if name not in found:
            raise BadInputError(
                f"{file} must have a row for every class; got none for {name!r}. Add one."
            )
    return {name: found[name] for name in classes}


def rolled_up(
    shares: NDArray[np.float64], classes: Sequence[str], superclasses: Mapping[str, str]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Probabilities of superclasses: of each, the sum over its classes.

    Args:
        shares: (N, K) probabilities.
        classes: K names.
        superclasses: Of each class.

    Returns:
        (N, S), and the S names in alphabetical order.

    Example:
        >>> above = {"wren": "bird", "oak": "tree", "robin": "bird"}
        >>> rolled_up(np.array([[0.5, 0.2, 0.3]]), ["wren", "oak", "robin"], above)
        (array([[0.8, 0.2]]), ('bird', 'tree'))
    """
    names = tuple(sorted(set(superclasses.values())))
    members = np.array([[superclasses[name] == above for above in names] for name in classes])
    return shares @ members.astype(np.float64), names
