"""Where the cells of a map lie in the picture, as the transform has shown it to the encoder."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .object_box import object_box

if TYPE_CHECKING:
    from .transforms import Transform

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) as fractions of width and height: any copy of the picture will do."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Placement:
    """A part of a picture, and the part of the network's input that it fills.

    Attributes:
        shown: Of the picture.
        filled: Of the input; around it is the background that was laid there.
    """

    shown: Box = WHOLE
    filled: Box = WHOLE

    def cell(self, position: tuple[int, int], shape: tuple[int, int]) -> Box:
        """A cell of a map as a part of the picture; what lies on laid background is cut off.

        Args:
            position: (row, column).
            shape: (h, w) of the map.
        """
        row, column = position
        height, width = shape
        left, right = (self._across(x / width) for x in (column, column + 1))
        top, bottom = (self._down(y / height) for y in (row, row + 1))
        return left, top, right, bottom

    def spread(self, values: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        """A map laid over the picture: each pixel has the value of its cell.

        Args:
            values: (h, w).
            size: (width, height) of the picture in pixels.

        Returns:
            (height, width), NaN where the encoder saw nothing.
        """
        columns = _cells(size[0], self.shown[::2], self.filled[::2], values.shape[1])
        rows = _cells(size[1], self.shown[1::2], self.filled[1::2], values.shape[0])
        framed = np.pad(values.astype(np.float64), ((0, 1), (0, 1)), constant_values=np.nan)
        return framed[rows][:, columns]  # -1 is the frame

    def _across(self, x: float) -> float:
        return _back(x, self.shown[::2], self.filled[::2])

    def _down(self, y: float) -> float:
        return _back(y, self.shown[1::2], self.filled[1::2])


def placement(transform: "Transform", image: Image.Image) -> Placement:
    """How a transform places an RGB picture in the network's input."""
    return _PLACED[transform.fit](transform, image)


def _back(at: float, shown: tuple[float, ...], filled: tuple[float, ...]) -> float:
    """From a fraction of the input to one of the picture, within what was shown."""
    share = (at - filled[0]) / (filled[1] - filled[0])
    return shown[0] + min(max(share, 0.0), 1.0) * (shown[1] - shown[0])


def _cells(
    pixels: int, shown: tuple[float, ...], filled: tuple[float, ...], count: int
) -> NDArray[np.int64]:
    """The cell of each pixel along one axis; -1 where it was not shown."""
    centres = (np.arange(pixels) + 0.5) / pixels
    share = (centres - shown[0]) / (shown[1] - shown[0])
    cells = np.floor((filled[0] + share * (filled[1] - filled[0])) * count).astype(np.int64)
    return np.where((share >= 0) & (share < 1), np.clip(cells, 0, count - 1), -1)


def _whole(transform: "Transform", image: Image.Image) -> Placement:
    return Placement()


def _crop(transform: "Transform", image: Image.Image) -> Placement:
    side = min(image.size) * transform.crop_share
    x, y = side / image.width / 2, side / image.height / 2
    return Placement(shown=(0.5 - x, 0.5 - y, 0.5 + x, 0.5 + y))


def _pad(transform: "Transform", image: Image.Image) -> Placement:
    return Placement(filled=_laid(image.size, transform.size, transform.size))


def _object(transform: "Transform", image: Image.Image) -> Placement:
    found = object_box(image)
    if found is None:
        return _pad(transform, image)
    left, top, right, bottom = found.box
    filled = _laid((right - left, bottom - top), transform.inside, transform.size)
    return Placement(_part(found.box, image.size), filled)


def _stretch(transform: "Transform", image: Image.Image) -> Placement:
    found = object_box(image)
    if found is None:
        return Placement()
    square = (transform.inside, transform.inside)
    return Placement(_part(found.box, image.size), _middle(square, transform.size))


_PLACED = {
    "squash": _whole,
    "native": _whole,
    "crop": _crop,
    "pad": _pad,
    "object": _object,
    "stretch": _stretch,
}


def _laid(size: tuple[int, int], longer: int, side: int) -> Box:
    scale = longer / max(size)
    return _middle((max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), side)


def _middle(size: tuple[int, int], side: int) -> Box:
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    return left / side, top / side, (left + size[0]) / side, (top + size[1]) / side


def _part(box: tuple[int, int, int, int], size: tuple[int, int]) -> Box:
    width, height = size
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height
