"""What people marked in the photos of a data set: objects, their parts and their attributes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape
from .errors import BadInputError


@dataclass(frozen=True, eq=False)
class Annotations:
    """Where the object of each photo is, and its parts; row i of each field is photo i.

    Attributes:
        paths: N photos.
        boxes: (N, 4) float64: left, top, right and bottom of the object, in pixels of the photo.
        parts: Names of P parts.
        keypoints: (N, P, 3) float64: x and y in pixels of the photo, and 1 where the part can be
            seen, 0 where it cannot; then x and y mean nothing.
    """

    paths: tuple[Path, ...]
    boxes: NDArray[np.float64]
    parts: tuple[str, ...]
    keypoints: NDArray[np.float64]

    def __post_init__(self) -> None:
        check_shape("boxes", self.boxes, (len(self.paths), 4))
        check_shape("keypoints", self.keypoints, (len(self.paths), len(self.parts), 3))

    def of(self, paths: Sequence[Path]) -> "Annotations":
        """Those of some photos, in the order given, such as the paths of a split.

        Raises:
            BadInputError: A photo is none of these.
        """
        rows = _rows(self.paths, paths)
        return Annotations(tuple(paths), self.boxes[rows], self.parts, self.keypoints[rows])

    def part_boxes(self, members: Collection[str]) -> NDArray[np.float64]:
        """The smallest boxes around the visible ones of some parts, such as those of a head.

        Args:
            members: Names of ``parts``.

        Returns:
            (N, 4): left, top, right, bottom; NaN where no such part can be seen. The box of a
            single point has no area.

        Raises:
            BadInputError: A name is none of ``parts``, or there is no name.
        """
        strange = sorted(set(members) - set(self.parts))
        if strange or not members:
            raise BadInputError(
                f"members must be some of the parts {', '.join(self.parts)}; got "
                f"{strange[0] if strange else 'none'!r}."
            )
        chosen = self.keypoints[:, [self.parts.index(name) for name in members]]
        seen = chosen[:, :, 2:] > 0  # (N, m, 1)
        least = np.where(seen, chosen[:, :, :2], np.inf).min(axis=1)
        most = np.where(seen, chosen[:, :, :2], -np.inf).max(axis=1)
        boxes = np.concatenate([least, most], axis=1)
        boxes[~seen.any(axis=(1, 2))] = np.nan
        return boxes


@dataclass(frozen=True, eq=False)
class Attributes:
    """What people said of each photo; row i of each field is photo i.

    Attributes:
        paths: N photos.
        names: Of A attributes.
        present: (N, A) bool.
        certainty: (N, A) int8, how sure they were, in the levels of the data set; 0 where nobody
            was asked.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    present: NDArray[np.bool_]
    certainty: NDArray[np.int8]

    def __post_init__(self) -> None:
        check_shape("present", self.present, (len(self.paths), len(self.names)))
        check_shape("certainty", self.certainty, (len(self.paths), len(self.names)))

    def of(self, paths: Sequence[Path]) -> "Attributes":
        """Those of some photos, in the order given.

        Raises:
            BadInputError: A photo is none of these.
        """
        rows = _rows(self.paths, paths)
        return Attributes(tuple(paths), self.names, self.present[rows], self.certainty[rows])


def _rows(known: Sequence[Path], wanted: Sequence[Path]) -> list[int]:
    places = {path: row for row, path in enumerate(known)}
    missing = [path for path in wanted if path not in places]
    if missing:
        raise BadInputError(
            f"every photo must be an annotated one; got {len(missing):,} others, such as "
            f"{missing[0]}. Read photos and annotations from the same folder."
        )
    return [places[path] for path in wanted]
