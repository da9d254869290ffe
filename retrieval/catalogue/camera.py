"""Looks at a surfel table from any side: which surfel each pixel shows, and where points land."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .curves import Field

DISTANCE = 4.5
"""From the camera to the middle of the shoe, in foot lengths: mild perspective."""

_INDEX_BITS = 24
_DEPTH_STEPS = 1 << 20


@dataclass(frozen=True)
class Pose:
    """Where the camera stands, and how the shoe lies in the frame.

    Attributes:
        azimuth: Radians; 0 is the side view with the toe on the right, positive turns the toe
            towards the viewer.
        elevation: Radians above the ground.
        roll: Radians the picture is turned.
        mirrored: Toe on the left: the other shoe of the pair.
        fill: Share of the frame that the shoe's longer side takes.
        shift: Of the shoe's middle from the frame's, in frames.
    """

    azimuth: float = 0.0
    elevation: float = 0.2
    roll: float = 0.0
    mirrored: bool = False
    fill: float = 0.85
    shift: tuple[float, float] = (0.0, 0.0)


class Camera:
    """A pose that fits one shoe into a square frame of ``size`` pixels."""

    def __init__(self, pose: Pose, places: Field, size: int) -> None:
        self.pose = pose
        self.size = size
        self._scale, self._middle = 1.0, (0.0, 0.0)
        across, down, _ = self.project(places[::5])
        low, high = (
            (float(across.min()), float(down.min())),
            (float(across.max()), float(down.max())),
        )
        longer = max(high[0] - low[0], high[1] - low[1])
        self._scale = pose.fill * size / longer
        middle = [(low[axis] + high[axis]) / 2 * self._scale for axis in (0, 1)]
        self._middle = (
            size * (0.5 + pose.shift[0]) - middle[0],
            size * (0.5 + pose.shift[1]) - middle[1],
        )

    def turn(self, vectors: Field) -> tuple[Field, Field, Field]:
        """(N, 3) directions of the world as right, up and towards the camera; each (N,)."""
        cos, sin = np.float32(np.cos(self.pose.azimuth)), np.float32(np.sin(self.pose.azimuth))
        rise, dip = np.float32(np.cos(self.pose.elevation)), np.float32(np.sin(self.pose.elevation))
        x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
        near = x * sin + z * cos
        return x * cos - z * sin, y * rise - near * dip, y * dip + near * rise

    def project(self, places: Field) -> tuple[Field, Field, Field]:
        """(N, 3) places as column, row and depth (larger is nearer); each (N,)."""
        centred = places - np.asarray([0.5, 0.2, 0.0], np.float32)
        right, up, near = self.turn(centred)
        closer = np.float32(DISTANCE) / (np.float32(DISTANCE) - near)
        right, up = right * closer, up * closer
        if self.pose.mirrored:
            right = -right
        cos, sin = np.float32(np.cos(self.pose.roll)), np.float32(np.sin(self.pose.roll))
        right, up = right * cos - up * sin, right * sin + up * cos
        scale = np.float32(self._scale)
        return (
            right * scale + np.float32(self._middle[0]),
            np.float32(self._middle[1]) - up * scale,
            near,
        )

    def visible(self, places: Field) -> tuple[NDArray[np.int64], Field]:
        """Which surfel each pixel shows.

        Args:
            places: (N, 3).

        Returns:
            (size, size) number of the nearest surfel, -1 where there is none, and its depth, where
            small holes between surfels are closed.
        """
        across, down, near = self.project(places)
        column, row = across.astype(np.int32), down.astype(np.int32)
        size = self.size
        seen = (column >= 0) & (column < size) & (row >= 0) & (row < size)
        level = ((near + 2) * (_DEPTH_STEPS / 4)).clip(1, _DEPTH_STEPS).astype(np.int64)
        key = (level << _INDEX_BITS) | np.arange(len(places))
        buffer = np.zeros(size * size, np.int64)
        np.maximum.at(buffer, (row * size + column)[seen], key[seen])
        closed = _close(_spread(buffer.reshape(size, size)))
        index = np.where(closed > 0, closed & ((1 << _INDEX_BITS) - 1), -1)
        depth = (closed >> _INDEX_BITS).astype(np.float32) / (_DEPTH_STEPS / 4) - 2
        return index, depth


def _spread(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lets each surfel cover two by two pixels."""
    wide = keys.copy()
    np.maximum(wide[:, 1:], keys[:, :-1], out=wide[:, 1:])
    tall = wide.copy()
    np.maximum(tall[1:], wide[:-1], out=tall[1:])
    return tall


def _close(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fills a pixel that most of its neighbours lie well in front of."""
    margin = (_DEPTH_STEPS // 100) << _INDEX_BITS  # 0.04 foot lengths
    padded = np.pad(keys, 1)
    rows, columns = keys.shape
    votes = np.zeros(keys.shape, np.int8)
    nearest = np.zeros_like(keys)
    for down, across in ((0, 1), (2, 1), (1, 0), (1, 2)):
        neighbour = padded[down : down + rows, across : across + columns]
        ahead = neighbour > keys + margin
        votes += ahead
        np.maximum(nearest, np.where(ahead, neighbour, 0), out=nearest)
    return np.where(votes >= 3, nearest, keys)
