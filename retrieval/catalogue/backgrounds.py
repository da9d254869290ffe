"""What a photographed shoe stands on: studio paper, floorboards, carpet, stone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from .curves import Field
from .materials import linear
from .shapes import Colour

KINDS = ("plain", "gradient", "wood", "carpet", "stone", "room")


@dataclass(frozen=True)
class Background:
    """One backdrop.

    Attributes:
        kind: One of ``KINDS``.
        colour: Its main colour, sRGB.
        horizon: Where the wall begins, in frames from the top; below 0 there is no wall.
    """

    kind: str = "plain"
    colour: Colour = (1.0, 1.0, 1.0)
    horizon: float = -0.4


def draw(background: Background, size: int, random: np.random.Generator) -> Field:
    """(size, size, 3) linear light of the empty backdrop."""
    maker = {
        "plain": _plain,
        "gradient": _gradient,
        "wood": _wood,
        "carpet": _carpet,
        "stone": _stone,
        "room": _room,
    }[background.kind]
    shade = maker(background, size, random)
    return np.asarray(np.clip(shade * linear(background.colour), 0, 1.2), np.float32)


def _plain(background: Background, size: int, random: np.random.Generator) -> Field:
    return np.ones((size, size, 1), np.float32)


def _gradient(background: Background, size: int, random: np.random.Generator) -> Field:
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    centre = random.uniform(-0.3, 0.3, 2)
    far = np.hypot(x - centre[0], y - centre[1])
    lean = float(random.uniform(-0.25, 0.25))
    return np.asarray((1.08 - 0.55 * far**1.5 + lean * y)[..., None], np.float32)


def _ground(background: Background, size: int) -> tuple[Field, Field, Field]:
    """Place on the floor for each pixel, and how far away it is; the wall counts as far."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    below = np.maximum(y - background.horizon, 0.02)
    away = (1.0 - background.horizon) / below
    return (x - 0.5) * away, away, y - background.horizon


def _wood(background: Background, size: int, random: np.random.Generator) -> Field:
    across, away, below = _ground(background, size)
    turn = random.uniform(-0.5, 0.5)
    board = across * np.cos(turn) + away * np.sin(turn)
    along = away * np.cos(turn) - across * np.sin(turn)
    boards = float(random.uniform(2.5, 6.0))
    number = np.floor(board * boards)
    tone = np.sin(number * 12.9898 + random.uniform(0, 6)) * 43758.5453
    tone = tone - np.floor(tone)
    wave = np.sin(board * boards * 21 + 1.3 * np.sin(along * 4 + tone * 40) + tone * 50)
    fine = gaussian_filter(random.standard_normal((size, size)), (0.4, 2.5))
    gap = np.abs(board * boards - number - 0.5) > 0.5 - 0.02 * boards / 4
    shade = (0.75 + 0.3 * tone + 0.07 * wave + 0.10 * fine) * np.where(gap, 0.45, 1)
    return _walled(shade, below, random)


def _carpet(background: Background, size: int, random: np.random.Generator) -> Field:
    _, _, below = _ground(background, size)
    fibre = gaussian_filter(random.standard_normal((size, size)), 0.6) * 0.3
    patch = gaussian_filter(random.standard_normal((size, size)), size / 14) * size / 10
    return _walled(0.9 + fibre + 0.12 * patch, below, random)


def _stone(background: Background, size: int, random: np.random.Generator) -> Field:
    across, away, below = _ground(background, size)
    tiles = float(random.uniform(1.2, 3.0))
    turn = random.uniform(-0.8, 0.8)
    u = (across * np.cos(turn) + away * np.sin(turn)) * tiles
    v = (away * np.cos(turn) - across * np.sin(turn)) * tiles
    joint = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v))) < 0.02 * tiles
    cloud = gaussian_filter(random.standard_normal((size, size)), size / 30) * size / 12
    speck = gaussian_filter(random.standard_normal((size, size)), 0.7) * 0.10
    return _walled((0.92 + 0.08 * cloud + speck) * np.where(joint, 0.72, 1), below, random)


def _room(background: Background, size: int, random: np.random.Generator) -> Field:
    """Out-of-focus things behind the shoe."""
    spread = size / random.uniform(6, 14)
    grey = gaussian_filter(random.standard_normal((size, size)), spread)[..., None]
    tint = random.standard_normal((4, 4, 3))
    zoom = Image.fromarray(np.clip(tint * 24 + 128, 0, 255).astype(np.uint8))
    hue = np.asarray(zoom.resize((size, size), Image.Resampling.BICUBIC), np.float64) / 128 - 1
    return np.asarray(np.clip(0.85 + 1.1 * spread * grey + 0.5 * hue, 0.05, 1.5), np.float32)


def _walled(shade: NDArray[np.floating], below: Field, random: np.random.Generator) -> Field:
    wall = random.uniform(0.8, 1.15) * (1 + 0.25 * below)
    edge = np.clip(below * 90, 0, 1)
    return np.asarray((shade * edge + wall * (1 - edge))[..., None], np.float32)
