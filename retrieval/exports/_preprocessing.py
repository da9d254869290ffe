"""``preprocessing.json``: what becomes of a picture before it meets the model, in plain words."""

import json
from dataclasses import asdict

from ..transforms import TO_OBJECT, Transform

_OBJECT = (
    "Background: white where three quarters of the outermost pixels are within 24 of it in every "
    "channel, else their median colour, by the same test; take the smallest box with all pixels "
    "further from it. "
)

FITS = {
    "squash": "Resize the whole picture to size x size, ignoring its aspect ratio.",
    "crop": "Cut a centred square with crop_share of the shorter side, resize it to size x size.",
    "pad": "Resize so that the longer side is size, rounding the shorter one; paste it in the "
    "middle (offsets rounded down) of a white square of size x size.",
    "object": _OBJECT + "Cut it out and resize it so that its longer side is size less twice "
    "round(margin x size), rounding the shorter one; paste it in the middle (offsets rounded down) "
    "of a square of the background. No plain background, or nothing on it: resize the whole "
    "picture so that the longer side is size and paste it in the middle of a white square.",
    "stretch": _OBJECT
    + "Cut it out and resize it, ignoring its aspect ratio, to a square with the "
    "side size less twice round(margin x size); paste it in the middle of a square of the "
    "background. No plain background, or nothing on it: resize the whole picture to size x size.",
}


def preprocessing(transform: Transform) -> bytes:
    """The file's bytes."""
    facts = asdict(transform)
    used = {name: facts[name] for name in ("size", "fit", "mean", "std")}
    used |= {"crop_share": transform.crop_share} if transform.fit == "crop" else {}
    used |= {"margin": transform.margin} if transform.fit in TO_OBJECT else {}
    steps = [
        "Decode; turn as the EXIF orientation says; lay transparency on white; convert to RGB, "
        "8 bits a channel.",
        FITS[transform.fit],
        "Values to float32: (value / 255 - mean) / std, by channel.",
        "Order axes as (batch, channel, row, column).",
    ]
    whole = {
        **used,
        "fit_in_words": FITS[transform.fit],
        "colour_order": "RGB",
        "resampling": "bicubic with antialiasing (Pillow: Image.resize, BICUBIC)",
        "input_shape": ["batch", 3, transform.size, transform.size],
        "input_type": "float32",
        "steps": steps,
    }
    return (json.dumps(whole, indent=2) + "\n").encode()
