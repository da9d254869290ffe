"""From a decoded picture to network input: one definition for training, index and search.

The transform belongs to the encoder and is part of its fingerprint: the same picture must become
the same numbers wherever it enters.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .errors import BadInputError
from .object_box import WHITE, object_box
from .plugins import unknown
from .strokes import PEN

FITS = ("squash", "crop", "pad", "native", "object", "stretch")
TO_OBJECT = ("object", "stretch")
"""Those that cut out what differs from a plain background."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

MARGIN = 0.06
"""Share of the input that "object" and "stretch" leave free on each side."""

OBJECT_DETAIL = 2
"""How many times the input size the shorter side keeps where a part is cut out."""

_LATER = {"pen": PEN, "margin": MARGIN}
"""Settings that came after fingerprints were in use, and their values until then."""


@dataclass(frozen=True)
class Transform:
    """How a picture becomes (3, H, W) float32.

    Attributes:
        size: S. Side of the network input; with ``native`` the largest allowed shorter side.
        fit: How a picture of any shape meets the square: ``squash`` ignores the aspect ratio,
            ``crop`` scales the shorter side to S / crop_share and cuts the centre, ``pad`` scales
            the longer side to S and lays the picture on white, ``native`` keeps shape and
            resolution and only shrinks a picture whose shorter side is above S, ``object`` crops
            to what differs from a plain background, see :mod:`retrieval.object_box`, scales its
            longer side to S less the margins and lays it in the middle of that background; where
            there is no such thing it does what ``pad`` does. ``stretch`` cuts out the same and
            ignores the aspect ratio, or does what ``squash`` does: people draw the parts of a thing
            in their places more surely than in its proportions.
        crop_share: Share of the shorter side that ``crop`` keeps.
        pen: Width of the pen that draws stroke files, on a canvas of 256. It is part of the
            encoder because thin and wide lines are different pictures to it.
        margin: Share of S that ``object`` and ``stretch`` leave free on each side.
        mean: Of each channel, in [0, 1]; belongs to the weights.
        std: Of each channel, in [0, 1]; belongs to the weights.
    """

    size: int = 224
    fit: str = "squash"
    crop_share: float = 0.875
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    pen: float = PEN
    margin: float = MARGIN

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise BadInputError(unknown("fit", self.fit, FITS))
        if not 16 <= self.size <= 4096:
            raise BadInputError(f"size must be in 16..4096; got {self.size}.")
        if not 0 < self.crop_share <= 1:
            raise BadInputError(f"crop_share must be in (0, 1]; got {self.crop_share}.")
        if not 0 < self.pen <= 64:
            raise BadInputError(f"pen must be in (0, 64]; got {self.pen}.")

        if not 0 <= self.margin < 0.5:
            raise BadInputError(f"margin must be in [0, 0.5); got {self.margin}.")

    @property
    def draft_size(self) -> int:
        """Shorter side below which no detail is lost: decoders may shrink a photo to it."""
        if self.fit in TO_OBJECT:  # may be a part of the picture only
            return OBJECT_DETAIL * self.size
        return round(self.size / self.crop_share) if self.fit == "crop" else self.size

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """RGB picture to (H, W, 3) uint8 of the input size. Filter: bicubic, antialiased."""
        return np.array(getattr(self, f"_{self.fit}")(image))  # copies: rows are contiguous

    def read_pixels(self, read: Callable[["Transform"], Image.Image]) -> NDArray[np.uint8]:
        """:meth:`pixels` of a picture that is still to be read.

        Args:
            read: Gives the picture as a transform wants it: with that detail and that pen.
        """
        return self.pixels(read(self))

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 to (B, 3, H, W) float32, channels last in memory."""
        mean = torch.tensor(self.mean, device=pixels.device) * 255
        std = torch.tensor(self.std, device=pixels.device) * 255
        return ((pixels - mean) / std).permute(0, 3, 1, 2)

    def __call__(self, image: Image.Image) -> Tensor:
        """RGB picture to (3, H, W) float32."""
        return self.normalise(torch.from_numpy(self.pixels(image))[None])[0]

    def settings(self) -> dict[str, Any]:
        """Plain values that make this transform again with :meth:`from_settings`.

        What came later is named only where it is set, so that older fingerprints hold.
        """
        values = asdict(self)
        for name, unset in _LATER.items():
            if values[name] == unset:
                del values[name]
        return values

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Transform":
        """The transform that :meth:`settings` described."""
        values = dict(settings)
        for name in ("mean", "std"):
            values[name] = tuple(values[name])
        return cls(**values)

    def _squash(self, image: Image.Image) -> Image.Image:
        return image.resize((self.size, self.size), Image.Resampling.BICUBIC)

    def _crop(self, image: Image.Image) -> Image.Image:
        side = min(image.size) * self.crop_share
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
        return image.resize((self.size, self.size), Image.Resampling.BICUBIC, box)

    def _pad(self, image: Image.Image) -> Image.Image:
        return self._laid(image, self.size, WHITE)

    def _object(self, image: Image.Image) -> Image.Image:
        found = object_box(image)
        if found is None:
            return self._pad(image)
        return self._laid(image.crop(found.box), self.inside, found.background)

    def _stretch(self, image: Image.Image) -> Image.Image:
        found = object_box(image)
        if found is None:
            return self._squash(image)
        inside = image.crop(found.box).resize((self.inside,) * 2, Image.Resampling.BICUBIC)
        square = Image.new("RGB", (self.size, self.size), found.background)
        square.paste(inside, ((self.size - self.inside) // 2,) * 2)
        return square

    @property
    def inside(self) -> int:
        """Side of the square that "object" and "stretch" fill, in pixels."""
        return max(1, self.size - 2 * round(self.margin * self.size))

    def _laid(self, image: Image.Image, longer: int, colour: tuple[int, int, int]) -> Image.Image:
        """The picture with its longer side scaled, in the middle of a square of a colour."""
        scale = longer / max(image.size)
        small = image.resize(
            (max(1, round(image.width * scale)), max(1, round(image.height * scale))),
            Image.Resampling.BICUBIC,
        )
        square = Image.new("RGB", (self.size, self.size), colour)
        square.paste(small, ((self.size - small.width) // 2, (self.size - small.height) // 2))
        return square

    def _native(self, image: Image.Image) -> Image.Image:
        shorter = min(image.size)
        if shorter <= self.size:
            return image
        scale = self.size / shorter
        return image.resize(
            (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC
        )
