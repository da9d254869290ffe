"""One picture, prepared for several encoders at once.

Each part prepares the picture as it does alone, from the file or the strokes on, and gets exactly
the numbers it gets alone. The results lie below one another on one sheet, each from the left edge
on; what is left free of the sheet is not looked at.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .errors import BadInputError
from .transforms import Transform


@dataclass(frozen=True)
class JoinedTransform(Transform):
    """Several transforms of one picture, on a sheet of (H, W): all sizes, and the largest of them.

    Made by :meth:`of`. ``size``, ``pen`` and ``draft_size`` are the largest of the parts'; ``fit``,
    ``mean`` and ``std`` mean nothing, for each part has its own.

    Attributes:
        parts: In the order of the sheet, from its top.
    """

    parts: tuple[Transform, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Transform]) -> "JoinedTransform":
        """The parts joined.

        Raises:
            BadInputError: A part that makes no squares.
        """
        if any(part.fit == "native" for part in parts):
            raise BadInputError(
                "fit must make squares where encoders are joined; got native. "
                "Join encoders with squash, crop, pad or object."
            )
        size, pen = max(part.size for part in parts), max(part.pen for part in parts)
        return cls(size=size, pen=pen, parts=tuple(parts))

    @property
    def draft_size(self) -> int:
        """Shorter side below which no part loses detail."""
        return max(part.draft_size for part in self.parts)

    @property
    def sheet(self) -> tuple[int, int]:
        """H and W of the sheet."""
        return sum(part.size for part in self.parts), self.size

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """RGB picture to the sheet, (H, W, 3) uint8."""
        return self.read_pixels(lambda wanted: image)

    def read_pixels(self, read: Callable[[Transform], Image.Image]) -> NDArray[np.uint8]:
        """The sheet of a picture that is read once for all parts that want it alike."""
        pictures: dict[tuple[int, float], Image.Image] = {}
        sheet = np.zeros((*self.sheet, 3), np.uint8)
        for part, (top, bottom) in zip(self.parts, self._rows(), strict=True):
            wanted = part.draft_size, part.pen
            if wanted not in pictures:
                pictures[wanted] = read(part)
            sheet[top:bottom, : part.size] = part.pixels(pictures[wanted])
        return sheet

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 to (B, 3, H, W) float32, each part as it does; zeros elsewhere."""
        sheet = torch.zeros(pixels.shape, device=pixels.device)
        for part, (top, bottom) in zip(self.parts, self._rows(), strict=True):
            values = part.normalise(pixels[:, top:bottom, : part.size])
            sheet[:, top:bottom, : part.size] = values.permute(0, 2, 3, 1)
        return sheet.permute(0, 3, 1, 2)

    def split(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) to (B, 3, S, S) of each part, laid in memory as it is alone."""
        return [
            images[:, :, top:bottom, : part.size].contiguous(memory_format=torch.channels_last)
            for part, (top, bottom) in zip(self.parts, self._rows(), strict=True)
        ]

    def settings(self) -> dict[str, Any]:
        """Those of the parts."""
        return {"parts": [part.settings() for part in self.parts]}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "JoinedTransform":
        """The transform that :meth:`settings` described."""
        return cls.of([Transform.from_settings(part) for part in settings["parts"]])

    def _rows(self) -> list[tuple[int, int]]:
        """First row of each part on the sheet, and the one after its last."""
        ends = np.cumsum([0, *(part.size for part in self.parts)]).tolist()
        return list(pairwise(ends))
