"""Product photos of a built shoe: light, shadow, background, and a camera's faults."""

import io
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter

from . import backgrounds
from .backgrounds import Background
from .camera import Camera, Pose
from .curves import Field
from .materials import GAMMA
from .solid import COLOUR, GLOSS, INNER, INNER_SHADE, NORMAL, PLACE, SHADE, Body

OVERSAMPLING = 2
"""Pixels of a photo are means of two by two."""


@dataclass(frozen=True)
class Light:
    """A key light over a bright room.

    Attributes:
        azimuth: Radians around the shoe, 0 from the right, pi / 2 from the viewer.
        elevation: Radians above the ground.
        key: Strength of the key light.
        room: Strength of the light from everywhere.
        warmth: Below 0 blue, above 0 yellow.
    """

    azimuth: float = 2.2
    elevation: float = 0.95
    key: float = 0.75
    room: float = 0.55
    warmth: float = 0.0


@dataclass(frozen=True)
class View:
    """Everything that differs between two photos of one model.

    Attributes:
        pose: Where the camera stands.
        light: The lamps.
        background: What the shoe stands on.
        shadow: Strength of the shadow on the ground.
        exposure: Factor on the light.
        noise: Deviation of the sensor's noise, in 8-bit steps.
        blur: Radius in pixels.
        quality: Of the JPEG file.
        seed: Of the noise and the background.
    """

    pose: Pose = field(default_factory=Pose)
    light: Light = field(default_factory=Light)
    background: Background = field(default_factory=Background)
    shadow: float = 0.6
    exposure: float = 1.0
    noise: float = 2.0
    blur: float = 0.0
    quality: int = 85
    seed: int = 0


def photograph(body: Body, view: View, size: int) -> Image.Image:
    """One photo of a shoe.

    Args:
        body: What :func:`retrieval.catalogue.solid.build` made.
        view: Pose, lamps and background.
        size: Side of the square picture in pixels.
    """
    random = np.random.default_rng(view.seed)
    table = body.table
    camera = Camera(view.pose, table[:, PLACE], size * OVERSAMPLING)
    index, depth = camera.visible(table[:, PLACE])
    shoe, alpha = _lit(table, index, depth, camera, view.light)
    ground = backgrounds.draw(view.background, size, random)
    ground = ground * (1 - view.shadow * _shadow(table, camera, view.light, size))[..., None]
    picture = _shrink(shoe) * view.exposure + ground * (1 - _shrink(alpha[..., None]))
    return Image.fromarray(_develop(picture, view, random))


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """The picture as the bytes of a JPEG file."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _shrink(picture: Field) -> Field:
    """Mean of each two by two pixels; four sums are much faster than a mean over two axes."""
    top, bottom = picture[0::2], picture[1::2]
    return (top[:, 0::2] + top[:, 1::2] + bottom[:, 0::2] + bottom[:, 1::2]) / np.float32(4)


def _lit(
    table: Field, index: NDArray[np.int64], depth: Field, camera: Camera, light: Light
) -> tuple[Field, Field]:
    """Linear colour of each pixel, and where there is a shoe; premultiplied."""
    seen = np.flatnonzero(index.ravel() >= 0)
    rows = table[index.ravel()[seen]]
    right, up, near = camera.turn(rows[:, NORMAL])
    inside = near < 0
    flip = np.where(inside, np.float32(-1), np.float32(1))
    right, up, near = right * flip, up * flip, near * flip
    colour = np.where(inside[:, None], rows[:, INNER], rows[:, COLOUR])
    shade = np.where(inside, rows[:, INNER_SHADE], rows[:, SHADE])
    shade = shade * _crevices(depth, index).ravel()[seen]
    gloss = np.where(inside, np.float32(0.05), rows[:, GLOSS])

    lamp = _lamp(camera, light)
    facing = right * lamp[0] + up * lamp[1] + near * lamp[2]
    sky = up * np.cos(camera.pose.elevation) + near * np.sin(camera.pose.elevation)
    diffuse = light.key * np.clip(0.8 * facing + 0.2, 0, None) + light.room * (0.62 + 0.38 * sky)
    shine = _shine(right, up, near, lamp, gloss)
    lit = colour * (diffuse * shade)[:, None] + (shine * shade * (light.key + 0.3))[:, None]

    picture = np.zeros((index.size, 3), np.float32)
    picture[seen] = lit
    alpha = (index >= 0).astype(np.float32)
    return picture.reshape(*index.shape, 3), alpha


def _lamp(camera: Camera, light: Light) -> NDArray[np.float32]:
    """Direction to the key light: right, up, towards the camera. It turns with the camera."""
    flat = np.cos(light.elevation)
    side = np.cos(light.azimuth) * flat * (-1 if camera.pose.mirrored else 1)
    front, high = np.sin(light.azimuth) * flat, np.sin(light.elevation)
    rise, dip = np.cos(camera.pose.elevation), np.sin(camera.pose.elevation)
    return np.asarray([side, high * rise - front * dip, high * dip + front * rise], np.float32)


def _shine(right: Field, up: Field, near: Field, lamp: Field, gloss: Field) -> Field:
    """Highlights: the lamp itself, and a bright window and ceiling mirrored in glossy material."""
    half = lamp + np.asarray([0, 0, 1], np.float32)
    half = half / np.linalg.norm(half)
    spot = np.clip(right * half[0] + up * half[1] + near * half[2], 0, 1) ** (8 + 90 * gloss)
    mirror_up, mirror_right = 2 * near * up, 2 * near * right
    ceiling = np.clip((mirror_up - 0.45) / 0.3, 0, 1)
    window = np.clip((0.22 - np.abs(mirror_right + 0.55)) / 0.1, 0, 1)
    window *= np.clip((mirror_up + 0.1) / 0.2, 0, 1)
    fresnel = 0.25 + 0.75 * (1 - near) ** 3
    room = gloss**2 * (0.30 * ceiling * fresnel + 0.16 * window)
    return np.asarray(gloss * (0.12 + 0.38 * gloss) * spot + room, np.float32)


def _crevices(depth: Field, index: NDArray[np.int64]) -> Field:
    """(H, W): darker where the surroundings lie in front: in openings, folds, under straps."""
    small = depth[::2, ::2]
    solid = (index[::2, ::2] >= 0).astype(np.float32)
    around = 9 * small.shape[0] // 160
    weight = uniform_filter(solid, around)
    mean = uniform_filter(np.where(solid > 0, small, 0), around) / np.maximum(weight, 1e-3)
    hidden = np.clip((mean - small) / 0.05, 0, 1)
    return np.asarray(np.repeat(np.repeat(1 - 0.55 * hidden, 2, 0), 2, 1), np.float32)


def _shadow(table: Field, camera: Camera, light: Light, size: int) -> Field:
    """(size, size) in [0, 1]: contact shadow and the softer one thrown by the key light."""
    places = table[::4, PLACE]
    side, front = np.cos(light.azimuth), np.sin(light.azimuth)
    if camera.pose.mirrored:
        side = -side
    cos, sin = np.cos(camera.pose.azimuth), np.sin(camera.pose.azimuth)
    # from the camera's directions to the shoe's
    world_x, world_z = side * cos + front * sin, -side * sin + front * cos
    reach = np.minimum(places[:, 1], 0.5) / np.tan(light.elevation)
    fallen = np.stack(
        [places[:, 0] - world_x * reach, np.zeros(len(places)), places[:, 2] - world_z * reach], 1
    ).astype(np.float32)
    near_ground = places[places[:, 1] < 0.07] * np.asarray([1, 0, 1], np.float32)
    thrown = gaussian_filter(_mark(fallen, camera, size), size / 45)
    contact = gaussian_filter(_mark(near_ground, camera, size), size / 110)
    return np.asarray(np.clip(0.55 * thrown + 0.75 * contact, 0, 1), np.float32)


def _mark(places: Field, camera: Camera, size: int) -> Field:
    across, down, _ = camera.project(places)
    column = (across / OVERSAMPLING).astype(np.int32)
    row = (down / OVERSAMPLING).astype(np.int32)
    seen = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    mark = np.zeros((size, size), np.float32)
    mark[row[seen], column[seen]] = 1
    return np.asarray(uniform_filter(mark, 3) > 0.3, np.float32)


def _develop(picture: Field, view: View, random: np.random.Generator) -> NDArray[np.uint8]:
    warm = view.light.warmth
    picture = picture * np.asarray([1 + warm, 1, 1 - warm], np.float32)
    shown = _TO_SRGB[(np.clip(picture, 0, 1) * (len(_TO_SRGB) - 1)).astype(np.int32)]
    if view.blur > 0:
        shown = gaussian_filter(shown, (view.blur, view.blur, 0))
    grain = random.standard_normal(shown.shape[:2], np.float32)[..., None] * view.noise
    return np.asarray(np.clip(shown * 255 + grain + 0.5, 0, 255), np.uint8)


_TO_SRGB = (np.arange(8192, dtype=np.float32) / 8191) ** np.float32(1 / GAMMA)
