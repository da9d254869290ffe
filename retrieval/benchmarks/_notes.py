"""Sentences about a data set that a reader of its figures must know."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from ..data import Split

OUTLINES = "Products on white: most near twins have a similar outline only and are other products."
"""To be read beside the counts of :mod:`retrieval.leaks`."""


def some(count: int, what: str, examples: Sequence[object]) -> str:
    """Count things and name the first, so that nobody has to search.

    Example:
        >>> some(2, "files that are no pictures were left out", ["a.txt", "b.txt"])
        '2 files that are no pictures were left out, such as a.txt.'
    """
    return f"{count:,} {what}, such as {examples[0]}."


def unanswerable(query: Split, gallery: Split) -> list[str]:
    """How many queries have no photo of their class to find.

    A class with one photo is such a case when every photo queries all others.
    """
    targets, counts = np.unique(gallery.targets, return_counts=True)
    enough = targets[counts > 1] if query is gallery else targets
    lonely = np.flatnonzero(~np.isin(query.targets, enough))
    if not len(lonely):
        return []
    named = sorted({query.name(int(index)) for index in lonely})
    return [
        f"{len(lonely):,} of {len(query):,} queries have no photo of their class to find, "
        f"such as class {named[0]!r}: they cannot be answered."
    ]


def differ_only_in_case(labels: Iterable[str]) -> list[str]:
    """Labels that a person would read as one class."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        spellings[label.casefold()].add(label)
    clashes = sorted(sorted(group) for group in spellings.values() if len(group) > 1)
    if not clashes:
        return []
    pairs = " and ".join(map(repr, clashes[0]))
    return [f"{len(clashes)} labels are spelt in several cases, such as {pairs}: kept apart."]


def shared_classes(train: Split, query: Split) -> list[str]:
    """How many of the queries' classes may be learned from."""
    queried = set(query.targets.tolist())
    shared = queried & set(train.targets.tolist())
    if not shared:
        return []
    return [
        f"{len(shared):,} of the {len(queried):,} classes that are queried occur in train too: "
        "not a test on unseen classes."
    ]


def twice(items: Iterable[object]) -> list[object]:
    """What occurs more than once, in the order of its first occurrence."""
    return [item for item, count in Counter(items).items() if count > 1]
