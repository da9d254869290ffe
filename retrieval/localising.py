"""Where a classifier looks: its head's attention over a picture, and a box around it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .classifier import Classifier
from .data import Modality
from .modalities import read_picture
from .placement import Box, Placement, placement
from .poolings._selection import above_mean, largest_component


@dataclass(frozen=True, eq=False)
class Localised:
    """A picture, and where a classifier looks in it.

    Attributes:
        picture: RGB, as it was read: a large JPEG has fewer pixels than its file.
        attention: (h, w) float64, 0 or more, over the map of the whole input.
        box: Around the largest connected part of it that is above its mean, as fractions of the
            picture's width and height.
        placement: Where the map lies in the picture.
    """

    picture: Image.Image
    attention: NDArray[np.float64]
    box: Box
    placement: Placement


def localise(classifier: Classifier, path: Path) -> Localised:
    """Say where a classifier looks in a photo.

    Heads that were not made to look at parts have no attention of their own: theirs is what the
    map has most of, which is where something is, be it what the classifier went by or not.

    Args:
        classifier: In eval mode.
        path: Of the photo.

    Raises:
        ImageError: It cannot be read.
        BadInputError: The classifier is in training mode.
    """
    transform = classifier.transform
    picture = read_picture(path, Modality.PHOTO, transform)
    placed = placement(transform, picture)
    attention = classifier.attention(transform(picture)[None])[0]
    return Localised(picture, attention, box_around(attention, placed), placed)


def box_around(attention: NDArray[np.float64], placed: Placement) -> Box:
    """The largest 8-connected part of a map that is above its mean, as SCDA finds an object.

    Cells that lie beside the picture, on background that was laid there, are passed over. A map
    that is the same everywhere gives all that the network was shown.

    Args:
        attention: (h, w), 0 or more.
        placed: Where the map lies in the picture.

    Example:
        >>> box_around(np.array([[0.0, 0.0, 0.0, 9.0], [0.0, 5.0, 5.0, 0.0]]), Placement())
        (0.25, 0.0, 1.0, 1.0)
        >>> box_around(np.array([[0.0, 0.0, 0.0, 0.0], [5.0, 5.0, 0.0, 9.0]]), Placement())
        (0.0, 0.5, 0.5, 1.0)
    """
    height, width = attention.shape
    across = [placed.cell((0, column), (height, width)) for column in range(width)]
    down = [placed.cell((row, 0), (height, width)) for row in range(height)]
    columns = [column for column, cell in enumerate(across) if cell[2] > cell[0]]
    rows = [row for row, cell in enumerate(down) if cell[3] > cell[1]]
    inside = torch.from_numpy(np.ascontiguousarray(attention[rows][:, columns]))
    component = largest_component(above_mean(inside[None, None]))[0].numpy()
    if not component.any():
        return placed.shown
    found = np.flatnonzero(component.any(axis=1)), np.flatnonzero(component.any(axis=0))
    top, bottom = (down[rows[int(place)]] for place in (found[0][0], found[0][-1]))
    left, right = (across[columns[int(place)]] for place in (found[1][0], found[1][-1]))
    return left[0], top[1], right[2], bottom[3]
