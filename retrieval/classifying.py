"""Image files in, logits out: decoding beside computing, a batch at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from . import runtimes
from .classifier import Classifier
from .data import Modality
from .encoding import Rejection
from .errors import BadInputError
from .images import ImageError
from .modalities import read_picture

_DECODERS = 2


@dataclass(frozen=True, eq=False)
class Classified:
    """What became of some files.

    Attributes:
        logits: (N, K) float64, in the order of the files.
        kept: (N,) int64, the position of each row's file among all that were given.
        rejected: The other files, in their order.
    """

    logits: NDArray[np.float64]
    kept: NDArray[np.int64]
    rejected: list[Rejection]


def classify_files(
    classifier: Classifier,
    paths: Sequence[Path],
    *,
    batch_size: int = 32,
    on_progress: Callable[[int], None] | None = None,
) -> Classified:
    """Logits of image files; one that cannot be read is rejected by name.

    Args:
        classifier: In eval mode; it is moved to the graphics card where there is one.
        paths: The files.
        batch_size: Pictures computed at once.
        on_progress: Called with each count of files that got done.

    Raises:
        BadInputError: ``batch_size`` is below 1, or the classifier in training mode.
    """
    if batch_size < 1:
        raise BadInputError(f"batch_size must be at least 1; got {batch_size}.")
    one_shape = classifier.transform.fit != "native"
    step = batch_size if one_shape else 1
    classifier = classifier.to(runtimes.default_device())
    rows, kept, rejected = [np.empty((0, len(classifier.classes)))], [], []
    with ThreadPoolExecutor(_DECODERS) as pool:
        decoded = pool.map(lambda path: _pixels(classifier, path), paths)
        for start in range(0, len(paths), step):
            pixels = []
            for position, path in enumerate(paths[start : start + step], start):
                found = next(decoded)
                if isinstance(found, str):
                    rejected.append(Rejection(str(path), found))
                else:
                    pixels.append(found)
                    kept.append(position)
            if pixels:
                images = classifier.transform.normalise(torch.from_numpy(np.stack(pixels)))
                rows.append(classifier.logits(images))
            if on_progress is not None:
                on_progress(min(step, len(paths) - start))
    return Classified(np.concatenate(rows), np.array(kept, np.int64), rejected)


def _pixels(classifier: Classifier, path: Path) -> NDArray[np.uint8] | str:
    try:
        return classifier.transform.read_pixels(
            lambda wanted: read_picture(path, Modality.PHOTO, wanted)
        )
    except ImageError as error:
        return str(error)
