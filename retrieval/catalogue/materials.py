"""What shoes are made of: colour variation, relief and shine of leather, canvas, cork ..."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .curves import Field
from .shapes import Colour

GAMMA = 2.2
"""Linear light is the sRGB value to this power; near enough for paint."""

TILE = 512
"""Side of a texture in grid steps; it repeats without a seam."""


@dataclass(frozen=True)
class Material:
    """Surface of one kind.

    Attributes:
        tint: (TILE, TILE) factor on the linear colour, around 1.
        bump: (TILE, TILE) height in grid steps.
        gloss: 0 dull to 1 mirror-like.
    """

    tint: Field
    bump: Field
    gloss: float


def _noise(name: str, sigma: float | tuple[float, float]) -> Field:
    """Smooth noise with mean 0 and deviation 1, the same for the same name."""
    random = np.random.default_rng([ord(letter) for letter in name])
    field = gaussian_filter(random.standard_normal((TILE, TILE)), sigma, mode="wrap")
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _waves(across: float, down: float) -> Field:
    """A wave with this many periods along x and y over the tile."""
    y, x = np.mgrid[:TILE, :TILE].astype(np.float32) / TILE * 2 * np.pi
    return np.asarray(np.sin(across * x + down * y), np.float32)


def _flat() -> Field:
    return np.zeros((TILE, TILE), np.float32)


def _leather() -> Material:
    grain = np.abs(_noise("grain", 1.3)) * 0.35 + np.abs(_noise("pores", 2.6)) * 0.3
    return Material(1 + 0.025 * _noise("leather", 9), -grain * 0.5, 0.38)


def _smooth() -> Material:
    return Material(1 + 0.02 * _noise("smooth", 14), 0.1 * _noise("smooth", 3), 0.55)


def _patent() -> Material:
    return Material(1 + _flat(), 0.25 * _noise("patent", 12), 1.0)


def _suede() -> Material:
    nap = _noise("nap", 0.7) * 0.05 + _noise("nap", (2, 5)) * 0.05 + _noise("brushed", 16) * 0.06
    return Material(1 + nap, _noise("nap", 0.7) * 0.25, 0.0)


def _canvas() -> Material:
    weave = np.maximum(_waves(128, 0) * np.sign(_waves(0, 64)), _waves(0, 128) * -1)
    return Material(1 + 0.07 * weave + 0.05 * _noise("thread", (0.5, 4)), 0.35 * weave, 0.0)


def _knit() -> Material:
    loops = np.where(_waves(0, 0) + _waves(32, 0) > 0, _waves(64, 96), _waves(-64, 96))
    return Material(1 + 0.12 * loops + 0.06 * _noise("knit", 1), 0.5 * loops, 0.0)


def _mesh() -> Material:
    holes = np.clip(_waves(74, 74) * _waves(74, -74) * 2, -1, 1)
    return Material(1 + 0.16 * holes, 0.4 * holes, 0.05)


def _satin() -> Material:
    return Material(1 + 0.03 * _noise("satin", (1, 12)), 0.1 * _noise("satin", (0.6, 8)), 0.6)


def _glitter() -> Material:
    spark = np.maximum(_noise("spark", 0.6) - 1.2, 0)
    return Material(1 + 0.55 * spark + 0.1 * _noise("spark", 2), _noise("spark", 0.6), 0.5)


def _scales() -> Material:
    cells = _waves(30, 22) + _waves(30, -22) + 0.35 * _waves(0, 44)
    edge = np.exp(-((cells / 0.28) ** 2))
    shade = 0.12 * _noise("snake", 7)
    return Material(1 - 0.35 * edge + shade, np.abs(cells) * 0.8, 0.5)


def _quilt() -> Material:
    seams = np.minimum(np.abs(_waves(9, 9)), np.abs(_waves(9, -9)))
    return Material(1 - 0.25 * np.exp(-((seams / 0.06) ** 2)), np.minimum(seams, 0.5) * 6, 0.4)


def _rubber() -> Material:
    return Material(1 + 0.02 * _noise("rubber", 4), 0.12 * _noise("rubber", 0.8), 0.15)


def _stack() -> Material:
    layers = np.exp(-((_waves(0, 22) - 1) ** 2) / 0.02)
    return Material(1 - 0.22 * layers + 0.09 * _noise("wood", (0.8, 14)), -0.5 * layers, 0.25)


def _wood() -> Material:
    rings = np.sin(_noise("rings", (5, 60)) * 7)
    return Material(1 + 0.10 * rings + 0.06 * _noise("wood", (0.6, 18)), 0.1 * rings, 0.3)


def _cork() -> Material:
    flecks = np.maximum(np.abs(_noise("cork", 1.6)) - 1.3, 0)
    return Material(1 - 0.5 * flecks + 0.1 * _noise("cork", 1), 0.3 * _noise("cork", 1), 0.0)


def _rope() -> Material:
    strand = _waves(40, 26) * 0.6 + np.abs(_waves(0, 13)) * 0.6
    return Material(1 + 0.13 * strand + 0.06 * _noise("rope", 1), 1.3 * strand, 0.0)


def _metal() -> Material:
    return Material(1 + 0.03 * _noise("metal", 2), 0.2 * _noise("metal", 3), 1.0)


def _lining() -> Material:
    return Material(1 + 0.04 * _noise("lining", 2), 0.15 * _noise("lining", 1), 0.05)


_MAKERS = {
    "leather": _leather,
    "smooth": _smooth,
    "patent": _patent,
    "suede": _suede,
    "canvas": _canvas,
    "knit": _knit,
    "mesh": _mesh,
    "satin": _satin,
    "glitter": _glitter,
    "scales": _scales,
    "quilt": _quilt,
    "rubber": _rubber,
    "stack": _stack,
    "wood": _wood,
    "cork": _cork,
    "rope": _rope,
    "metal": _metal,
    "lining": _lining,
}


@cache
def material(name: str) -> Material:
    """The material of this name, made once in a process."""
    made = _MAKERS[name]()
    return Material(
        np.asarray(np.clip(made.tint, 0.2, 2.5), np.float32),
        np.asarray(made.bump, np.float32),
        made.gloss,
    )


def linear(colour: Colour) -> NDArray[np.float32]:
    """(3,) light that an sRGB colour stands for."""
    return np.asarray(np.asarray(colour) ** GAMMA, np.float32)
