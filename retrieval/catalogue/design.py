"""Draws the measures, colours and details of one model, so that models of one series are alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from zlib import crc32

import numpy as np

from .shapes import Colour, Paint

Option = TypeVar("Option")

COLOURS: dict[str, Colour] = {
    "black": (0.09, 0.09, 0.10),
    "charcoal": (0.22, 0.22, 0.24),
    "grey": (0.50, 0.50, 0.51),
    "silver": (0.75, 0.75, 0.77),
    "white": (0.94, 0.94, 0.93),
    "cream": (0.91, 0.87, 0.78),
    "sand": (0.80, 0.70, 0.56),
    "tan": (0.70, 0.48, 0.29),
    "cognac": (0.58, 0.31, 0.14),
    "brown": (0.36, 0.21, 0.13),
    "espresso": (0.22, 0.14, 0.11),
    "burgundy": (0.40, 0.09, 0.14),
    "red": (0.76, 0.10, 0.12),
    "coral": (0.92, 0.44, 0.36),
    "blush": (0.90, 0.73, 0.68),
    "pink": (0.90, 0.36, 0.56),
    "purple": (0.38, 0.22, 0.50),
    "navy": (0.10, 0.14, 0.30),
    "blue": (0.13, 0.32, 0.66),
    "sky": (0.53, 0.72, 0.86),
    "teal": (0.06, 0.42, 0.44),
    "green": (0.12, 0.38, 0.22),
    "olive": (0.38, 0.37, 0.22),
    "mint": (0.64, 0.84, 0.74),
    "mustard": (0.82, 0.62, 0.16),
    "yellow": (0.96, 0.83, 0.24),
    "orange": (0.92, 0.46, 0.12),
    "gold": (0.80, 0.66, 0.38),
}

NEUTRAL = ("black", "black", "charcoal", "brown", "espresso", "tan", "cognac", "navy", "burgundy")
BRIGHT = ("black", "white", "grey", "navy", "blue", "red", "green", "charcoal", "mustard", "pink")
DRESSY = ("black", "black", "blush", "red", "navy", "burgundy", "sand", "silver", "cream", "teal")
SUMMER = ("tan", "white", "black", "gold", "coral", "sky", "cognac", "cream", "mint", "silver")


@dataclass(frozen=True)
class Scheme:
    """The colours of one model.

    Attributes:
        main: Of the upper.
        second: Of panels.
        accent: Of stripes, laces or trims.
        sole: Of the sole.
        lining: Inside.
        metal: Of buckles and eyelets.
    """

    main: Colour
    second: Colour
    accent: Colour
    sole: Colour
    lining: Colour
    metal: Colour


class Designer:
    """Values by name: each is drawn from its own random stream, so a new one changes no other.

    A value is a mixture of what the series has and what the model has of its own.
    """

    def __init__(self, series: int, model: int) -> None:
        self.series = series
        self.model = model

    def _random(self, seed: int, name: str) -> np.random.Generator:
        return np.random.default_rng([seed, crc32(name.encode())])

    def measure(self, name: str, low: float, high: float, own: float = 0.7) -> float:
        """A number in [low, high]; ``own`` is the model's share in it."""
        shared = self._random(self.series, name).uniform(low, high)
        mine = self._random(self.model, name).uniform(low, high)
        return float((1 - own) * shared + own * mine)

    def count(self, name: str, low: int, high: int, own: float = 0.7) -> int:
        """A whole number in low..high."""
        return int(np.clip(np.floor(self.measure(name, low, high + 0.999, own)), low, high))

    def choose(self, name: str, options: Sequence[Option], own: float = 0.5) -> Option:
        """One of the options; with probability ``own`` the model's own choice."""
        random = self._random(self.model, name)
        if random.uniform() >= own:
            random = self._random(self.series, name)
        return options[int(random.integers(len(options)))]

    def maybe(self, name: str, chance: float, own: float = 0.5) -> bool:
        """Whether the model has a detail."""
        random = self._random(self.model, name)
        if random.uniform() >= own:
            random = self._random(self.series, name)
        return bool(random.uniform() < chance)

    def colour(self, name: str, options: Sequence[str], own: float = 0.0) -> Colour:
        """A colour of the palette, a little off."""
        chosen = np.asarray(COLOURS[self.choose(name, options, own)])
        drift = self._random(self.series, name + "/drift").normal(0, 0.012, 3)
        shade = self._random(self.model, name + "/shade").normal(1, 0.05)
        varied = np.clip((chosen + drift) * shade, 0.03, 0.97)
        return (float(varied[0]), float(varied[1]), float(varied[2]))

    def scheme(self, main: Sequence[str], sole: Sequence[str]) -> Scheme:
        """Colours that go together; models of one series share them."""
        first = self.colour("main", main)
        toned = self.maybe("toned", 0.4, own=0.0)
        second = tone(first, 0.75) if toned else self.colour("second", main)
        return Scheme(
            main=first,
            second=second,
            accent=self.colour("accent", BRIGHT),
            sole=self.colour("sole", sole),
            lining=self.colour("lining", ("sand", "cream", "tan", "grey", "black", "blush")),
            metal=self.colour("metal", ("gold", "silver", "silver", "charcoal")),
        )

    @cached_property
    def texture(self) -> int:
        """A seed for the grain of this model's materials."""
        return int(self._random(self.model, "texture").integers(1 << 16))


def tone(colour: Colour, factor: float) -> Colour:
    """The colour darker (factor below 1) or lighter (above)."""
    red, green, blue = (min(channel * factor, 0.97) for channel in colour)
    return (red, green, blue)


def contrast(colour: Colour) -> Colour:
    """A thread that is seen on this colour."""
    return tone(colour, 0.6) if sum(colour) > 1.2 else tone(colour, 1.8)


def paint(colour: Colour, material: str = "smooth") -> Paint:
    """A colour on a material, smooth leather when not said."""
    return Paint(colour, material)
