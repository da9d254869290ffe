"""What :mod:`retrieval.localising` found, drawn over the picture."""

import numpy as np
from PIL import Image, ImageDraw

from .explanation_pictures import overlay
from .localising import Localised

SIDE = 480
"""Longer side of what is drawn, in pixels."""

_FRAME = (0, 114, 178)


def drawn(localised: Localised) -> Image.Image:
    """The picture in grey, what the head looks at in orange, and the box in blue.

    The place with the least attention is left grey, that with the most is strongest: pictures do
    not compare with each other.
    """
    picture = localised.picture
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    heat = localised.attention - localised.attention.min()
    # From the middles of the cells: that a map has few of them shows in how soft it is.
    smooth = Image.fromarray(heat.astype(np.float32)).resize(
        (SIDE, SIDE), Image.Resampling.BILINEAR
    )
    shown = overlay(
        picture.resize(size, Image.Resampling.BICUBIC),
        np.asarray(smooth, np.float64),
        localised.placement,
    )
    left, top = (round(place * side) for place, side in zip(localised.box[:2], size, strict=True))
    right, bottom = (
        round(place * side) - 1 for place, side in zip(localised.box[2:], size, strict=True)
    )
    corners = (left, top, max(left, right), max(top, bottom))
    ImageDraw.Draw(shown).rectangle(corners, outline=_FRAME, width=max(2, SIDE // 160))
    return shown
