"""Objects with one photo and any number of sketches: what data sets of pairs share."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..data import Modality, Split
from ..errors import BadInputError
from . import _notes

Drawn = tuple[Path, Path]
"""A sketch and the photo of what it shows."""


class Objects:
    """Photos by number; the number is the target of the photo and of every sketch of it.

    Args:
        names: What each photo's object is called. Targets number the photos in this order.
        groups: Coarser groups of objects by name, such as {"label": {photo: "boot"}}.
    """

    def __init__(
        self, names: Mapping[Path, str], groups: Mapping[str, Mapping[Path, str]] | None = None
    ) -> None:
        self._names = names
        self._targets = {photo: number for number, photo in enumerate(names)}
        self._groups = groups or {}

    def photos(self, photos: Iterable[Path]) -> Split:
        """Each of these photos once, in the order of its first occurrence."""
        paths = tuple(dict.fromkeys(photos))
        return self._split(paths, paths, Modality.PHOTO)

    def sketches(self, drawn: Sequence[Drawn]) -> Split:
        """These sketches; those of one photo have one target.

        Raises:
            BadInputError: A sketch is listed twice.
        """
        paths = tuple(sketch for sketch, _ in drawn)
        again = _notes.twice(paths)
        if again:
            raise BadInputError(f"sketches must be listed once; got {again[0]} twice.")
        return self._split(paths, [photo for _, photo in drawn], Modality.SKETCH)

    def parts(
        self,
        train: Sequence[Drawn],
        test: Sequence[Drawn],
        *,
        train_photos: Iterable[Path] = (),
        gallery: Iterable[Path] = (),
    ) -> dict[str, Split]:
        """The four parts of a benchmark of pairs.

        Args:
            train: Pairs to learn from.
            test: Pairs whose sketches are searched with and whose photos are searched.
            train_photos: More photos to learn from, without sketches.
            gallery: More photos to search.
        """
        return {
            "train": self.photos([*(photo for _, photo in train), *train_photos]),
            "train_sketches": self.sketches(train),
            "query": self.sketches(test),
            "gallery": self.photos([*(photo for _, photo in test), *gallery]),
        }

    def _split(self, paths: tuple[Path, ...], shown: Sequence[Path], modality: Modality) -> Split:
        targets = [self._targets[photo] for photo in shown]
        return Split(
            paths,
            np.array(targets, np.int64),
            modality,
            names=dict(zip(targets, (self._names[photo] for photo in shown), strict=True)),
            groups={
                name: _numbers(values, shown)
                for name, values in self._groups.items()
                if all(photo in values for photo in shown)
            },
        )


def _numbers(
    values: Mapping[Path, str], photos: Sequence[Path]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A number for the value of each photo, the same in every split."""
    numbers = {value: number for number, value in enumerate(sorted(set(values.values())))}
    return np.array([numbers[values[photo]] for photo in photos], np.int64)
