"""A part of a photo to search with: a box, or what one clicks on.

A region is cut out of the picture before any transform, so that every encoder can be asked about
it and what is encoded is a picture one can look at. The regions one can click on are those of
SCDA's selection: places of the last map whose activation is above its mean, taken apart into
8-connected components. SCDA itself keeps the largest; here the person chooses.

References:
    Wei et al., Selective convolutional descriptor aggregation for fine-grained image retrieval,
    TIP 2017, section III-B.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from .encoder import Encoder
from .errors import BadInputError
from .exports import ExportedEncoder
from .image_headers import MAX_ASPECT_RATIO, MIN_SIDE
from .joined import JoinedEncoder
from .placement import Box, Placement, placement
from .poolings._selection import above_mean
from .tensors import device_of

GREY = (128, 128, 128)
"""What lies around a clicked region inside the box that holds it."""


@dataclass(frozen=True, eq=False)
class ObjectRegions:
    """The regions of a picture that one can click on.

    Attributes:
        labels: (h, w) int64 over the last map: 0 where nothing is selected, regions from 1, the
            largest first, of equal ones the one met first row by row.
        placement: Where the map lies in the picture.
    """

    labels: NDArray[np.int64]
    placement: Placement

    def __len__(self) -> int:
        """Count the regions."""
        return int(self.labels.max(initial=0))


def object_regions(encoder: Encoder, picture: Image.Image) -> ObjectRegions:
    """Find them.

    Args:
        encoder: In eval mode; the door that the picture goes through.
        picture: RGB.

    Raises:
        BadInputError: The encoder has no map of its own, or its map is the same everywhere.
    """
    if isinstance(encoder, ExportedEncoder | JoinedEncoder):
        kind = "an exported" if isinstance(encoder, ExportedEncoder) else "a joined"
        raise BadInputError(
            f"a click on the object needs the map of one encoder; got {kind} encoder, which has "
            "none. Choose the region with a box."
        )
    with torch.inference_mode():
        images = encoder.transform(picture)[None].to(device_of(encoder))
        selected = above_mean(encoder.maps(images)[0])[0].cpu().numpy()  # (h, w)
    if not selected.any():
        raise BadInputError(
            "a click on the object needs a picture in which something stands out; got one that is "
            "the same everywhere. Choose the region with a box."
        )
    return ObjectRegions(components(selected), placement(encoder.transform, picture))


def components(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """8-connected components of an (h, w) mask, numbered as in :class:`ObjectRegions`.

    Example:
        >>> components(np.array([[1, 0, 0, 1], [0, 0, 1, 0]], bool))
        array([[2, 0, 0, 1],
               [0, 0, 1, 0]])
    """
    found, count = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(found.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    numbers = np.zeros(count + 1, np.int64)
    numbers[order + 1] = np.arange(1, count + 1)
    labels: NDArray[np.int64] = numbers[found]
    return labels


def cropped(picture: Image.Image, box: Box) -> Image.Image:
    """The part of a picture inside a box, of whole pixels.

    Raises:
        BadInputError: It is no box inside the picture, or too small or too narrow to be compared.
    """
    left, top, right, bottom = box
    inside = 0 <= left < right <= 1 and 0 <= top < bottom <= 1  # False for NaN
    if not inside:
        raise BadInputError(
            "a region must be left, top, right and bottom as shares of the picture, in order; got "
            f"{', '.join(f'{edge:g}' for edge in box)}. Draw the box again."
        )
    edges = (
        math.floor(left * picture.width),
        math.floor(top * picture.height),
        math.ceil(right * picture.width),
        math.ceil(bottom * picture.height),
    )
    width, height = edges[2] - edges[0], edges[3] - edges[1]
    shorter, longer = sorted((width, height))
    if shorter < MIN_SIDE or longer > MAX_ASPECT_RATIO * shorter:
        raise BadInputError(
            f"a region must be at least {MIN_SIDE} pixels wide and high and at most "
            f"{MAX_ASPECT_RATIO} times as long as wide; got {width}x{height}. Draw a larger box."
        )
    return picture.crop(edges)


def cut_out(picture: Image.Image, regions: ObjectRegions, number: int) -> Image.Image:
    """One region by itself: the box that holds it, with grey around the region.

    Args:
        picture: RGB, any copy of the one whose regions these are.
        regions: Of the picture.
        number: Of the region, from 1.

    Raises:
        BadInputError: There is no such region, or it is too small to be compared.
    """
    if not 1 <= number <= len(regions):
        raise BadInputError(
            f"a region must be one of 1 to {len(regions)}; got {number}. Click on the picture."
        )
    chosen = (regions.labels == number).astype(np.float64)
    inside = regions.placement.spread(chosen, picture.size) == 1  # (H, W), False where NaN
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise BadInputError(
            "a region must have pixels of the picture; got one beside it. Click on another one."
        )
    grey = Image.new("RGB", picture.size, GREY)
    alone = Image.composite(picture, grey, Image.fromarray(inside))
    width, height = picture.size
    return cropped(
        alone,
        (
            columns[0] / width,
            rows[0] / height,
            (columns[-1] + 1) / width,
            (rows[-1] + 1) / height,
        ),
    )
