"""``README.md``: the model card of an exported encoder."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from ..encoder import Encoder
from ..statistics import wilson
from ..transforms import Transform
from ._description import Description
from ._format import Format
from ._parity import MIN_COSINE, Parity
from ._preprocessing import FITS


@dataclass(frozen=True)
class Training:
    """How an encoder was trained.

    Attributes:
        benchmark: Name of the data.
        classes: That were learned; None where the run did not write it down.
        pictures: Likewise.
        recipe: Resolved, as the run wrote it.
        epoch: Of the encoder that was kept.
        epochs: Of the recipe.
        hits: Validation queries whose nearest other picture is of their class.
        queries: Validation pictures, of classes that were not learned; 0 without validation.
        finished: Whether the run came to its end.
    """

    benchmark: str
    classes: int | None
    pictures: int | None
    recipe: Mapping[str, Any]
    epoch: int
    epochs: int
    hits: int
    queries: int
    finished: bool


def card(
    encoder: Encoder,
    form: Format,
    description: Description,
    parity: Parity,
    training: Training | None,
) -> str:
    """The whole page. Folders of this machine are named nowhere."""
    parts = [
        f"# Image encoder: {encoder.backbone.name}, {_words(encoder.pooling.settings())}",
        "It turns a picture into a vector of norm 1; pictures of the same thing have vectors with "
        "a large cosine. Made by fgir (fine-grained image retrieval) and exported to "
        f"{form.summary}.",
        _facts(encoder, description),
        "## Training",
        _training(training),
        "## Parity",
        _parity(form, parity),
        "## Preprocessing",
        _preprocessing(encoder.transform),
        "## Use with fgir",
        _with_fgir(form),
        f"## Use without fgir ({description.kind})",
        form.usage(encoder),
        "## Limits and licence",
        "- Cosines say which picture is nearer, not how likely two show the same thing.\n"
        "- Kinds of pictures that training did not show may be told apart worse than the figures "
        "above say; measure on your own.\n"
        "- fgir itself is under Apache-2.0. That says nothing about these weights: the terms of "
        "the weights it started from and of the training pictures apply, and this program does "
        "not know them. Whoever passes this folder on should add them here.",
    ]
    return "\n\n".join(parts) + "\n"


def snippet(transform: Transform, install: str, library: str, model: str) -> str:
    """A program that encodes a picture with nothing of ours, as Markdown."""
    code = f"""
{library}
import numpy as np
from PIL import Image, ImageOps

S = {transform.size}
MEAN = np.array({list(transform.mean)}, np.float32)
STD = np.array({list(transform.std)}, np.float32)

{inspect.cleandoc(model)}

def prepared(path):  # a picture to (3, S, S) float32
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGBA")
    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture = picture.convert("RGB")
{_RESIZING[transform.fit].format(share=transform.crop_share, margin=transform.margin)}
    pixels = np.asarray(picture, np.float32) / 255
    return ((pixels - MEAN) / STD).transpose(2, 0, 1).astype(np.float32)

def encoded(paths):  # cosine of two pictures: encoded([a, b])[0] @ encoded([a, b])[1]
    return vectors(np.stack([prepared(path) for path in paths]))
"""
    return f"`{install}`, then in this folder:\n\n```python\n{code.strip()}\n```"


_BOX = """    pixels = np.asarray(picture).astype(int)
    sides = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    box, longer, paper = (0, 0, *picture.size), S, (255, 255, 255)
    for colour in (paper, tuple(np.median(sides, axis=0).astype(int).tolist())):
        if (abs(sides - np.array(colour)) <= 24).all(axis=1).mean() >= 0.75:
            rows, columns = np.nonzero((abs(pixels - np.array(colour)) > 24).any(axis=2))
            if len(rows):
                box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                longer, paper = S - 2 * round({margin} * S), colour
            break
"""
"""What "object" and "stretch" cut out."""

_RESIZING = {
    "squash": "    picture = picture.resize((S, S), Image.Resampling.BICUBIC)",
    "crop": """    side = min(picture.size) * {share}
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    box = (left, top, left + side, top + side)
    picture = picture.resize((S, S), Image.Resampling.BICUBIC, box)""",
    "pad": """    scale = S / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    small = picture.resize((width, height), Image.Resampling.BICUBIC)
    picture = Image.new("RGB", (S, S), "white")
    picture.paste(small, ((S - width) // 2, (S - height) // 2))""",
    "object": _BOX
    + """    picture = picture.crop(box)
    width, height = (max(1, round(side * longer / max(picture.size))) for side in picture.size)
    small = picture.resize((width, height), Image.Resampling.BICUBIC)
    picture = Image.new("RGB", (S, S), paper)
    picture.paste(small, ((S - width) // 2, (S - height) // 2))""",
    "stretch": _BOX
    + """    small = picture.crop(box).resize((longer, longer), Image.Resampling.BICUBIC)
    picture = Image.new("RGB", (S, S), paper)
    picture.paste(small, ((S - longer) // 2, (S - longer) // 2))""",
}


def _words(settings: Mapping[str, Any]) -> str:
    """A pooling and its options.

    Example:
        >>> _words({"name": "gem", "p": 3.0, "eps": 1e-06})
        'gem (p=3.0, eps=1e-06)'
    """
    options = ", ".join(f"{name}={value}" for name, value in settings.items() if name != "name")
    return f"{settings['name']} ({options})" if options else str(settings["name"])


def _facts(encoder: Encoder, description: Description) -> str:
    size = encoder.transform.size
    last = ["projection to " + str(encoder.projection.out_features)] if encoder.projection else []
    if encoder.whitening is not None:
        last.append(f"{encoder.whitening.method} whitening to {encoder.whitening.dim}")
    if encoder.energy is not None:
        last.append("learned energy")
    rows = {
        "backbone": encoder.backbone.name,
        "pooling": _words(encoder.pooling.settings()),
        "after pooling": ", ".join([*last, "unit norm"]),
        "mirrored picture": "its descriptor is appended" if encoder.flip else "not used",
        "input": f"(B, 3, {size}, {size}) float32, B open",
        "output": f"(B, {encoder.dim}) float32, rows of norm 1; zeros where nothing was seen",
        "format": description.kind,
        "space": description.fingerprint,
        "made from": description.source,
        "exported under": ", ".join(f"{k} {v}" for k, v in description.libraries.items()),
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _training(training: Training | None) -> str:
    if training is None:
        return "Not known: a saved encoder was exported, not a training run."
    classes = "an unrecorded number of" if training.classes is None else f"{training.classes:,}"
    pictures = "" if training.pictures is None else f" ({training.pictures:,} pictures)"
    words = [f"Trained on {classes} classes{pictures} of the benchmark {training.benchmark!r}."]
    words.append(f"Kept: epoch {training.epoch} of {training.epochs}.")
    if not training.finished:
        words.append("The run had not come to its end.")
    if training.queries:
        low, high = wilson(training.hits, training.queries)
        words.append(
            f"Validation Recall@1 {training.hits / training.queries:.1%} "
            f"({training.hits}/{training.queries}, 95 % interval {low:.1%} to {high:.1%}) on "
            "classes that were not learned from. The epoch was chosen by this figure, so it is "
            "rather too high."
        )
    else:
        words.append("No class was held out, so nothing says how good it is.")
    recipe = json.dumps(_without_folders(training.recipe), indent=2)
    return " ".join(words) + f"\n\nThe recipe:\n\n```json\n{recipe}\n```"


def _without_folders(value: Any) -> Any:  # noqa: ANN401
    """The value, of every path in it only the last name.

    Example:
        >>> _without_folders({"root": "/home/me/birds", "sizes": [64], "backbone": "timm:vit"})
        {'root': 'birds', 'sizes': [64], 'backbone': 'timm:vit'}
    """
    if isinstance(value, Mapping):
        return {name: _without_folders(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(one) for one in value]
    if isinstance(value, str) and ("/" in value or "\\" in value):
        return PureWindowsPath(value).name
    return value


def _parity(form: Format, parity: Parity) -> str:
    rule = (
        "Its precision is reduced: its vectors must not be mixed with those of the encoder."
        if form.reduced
        else f"An export below a cosine of {MIN_COSINE} fails. Vectors of both may be mixed."
    )
    return (
        f"Against the encoder in PyTorch, on {parity.pictures} pictures ({parity.described}):\n\n"
        f"- least cosine of a picture's two vectors: {parity.least_cosine:.7f}\n"
        f"- pictures with the same first {parity.k} of the others: {parity.same_top_k} of "
        f"{parity.pictures} (place by place; pictures whose scores differ by at most "
        f"{parity.near_tie:g} may change places)\n"
        f"- milliseconds an image, median, without decoding: {parity.ms_original:.1f} before, "
        f"{parity.ms_exported:.1f} exported\n\n{rule} More is in `parity.json`."
    )


def _preprocessing(transform: Transform) -> str:
    return (
        f"{FITS[transform.fit]} Size {transform.size}, bicubic with antialiasing, RGB, "
        f"(value / 255 - mean) / std with mean {list(transform.mean)} and std "
        f"{list(transform.std)}. `preprocessing.json` has all of it."
    )


def _with_fgir(form: Format) -> str:
    return (
        f"`pip install 'fine-grained-image-retrieval[{form.extra}]'`, then give this folder to "
        "`--encoder`:\n\n"
        "```\n"
        "fgir index PHOTOS --out COLLECTION --encoder FOLDER\n"
        "fgir search COLLECTION PHOTO --encoder FOLDER\n"
        "fgir evaluate folder PHOTOS --encoder FOLDER\n"
        "```"
    )
