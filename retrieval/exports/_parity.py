"""How near the vectors of an exported model are to those of the encoder it was made from."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..checks import UNIT_TOLERANCE
from ..encoder import Encoder
from ..errors import BadInputError
from ..provenance import provenance

MIN_COSINE = 0.9999
"""Least cosine of a picture's two vectors that an exact format must reach."""

K = 10
NEAR_TIE = 1e-5
"""Scores nearer to each other than this are taken as equal when rankings are compared."""

BATCH = 3
"""Pictures that also go through the model together: its batch must be open."""

Vectors = NDArray[np.float64]


@dataclass(frozen=True)
class Parity:
    """What a comparison found.

    Attributes:
        pictures: How many were compared.
        described: What they were.
        least_cosine: Of the two vectors of a picture, the least.
        k: Hits of each picture among the others that were compared; 10, or all there are.
        same_top_k: Pictures with the same first k hits: place by place, the picture that the model
            finds has the original score of the one that the encoder finds, within ``near_tie``.
        near_tie: See above.
        ms_original: Median milliseconds for one image with PyTorch, without decoding.
        ms_exported: Likewise with the exported model.
        run: Date, versions and hardware.
    """

    pictures: int
    described: str
    least_cosine: float
    k: int
    same_top_k: int
    near_tie: float
    ms_original: float
    ms_exported: float
    run: dict[str, Any]

    def __str__(self) -> str:
        return (
            f"least cosine {self.least_cosine:.7f} on {self.pictures} pictures ({self.described}); "
            f"same top {self.k} for "
            f"{self.same_top_k}/{self.pictures} ({self.same_top_k / self.pictures:.1%}, scores "
            f"within {self.near_tie:g} count as tied); {self.ms_original:.1f} ms an image before, "
            f"{self.ms_exported:.1f} ms exported"
        )

    def as_json(self) -> bytes:
        """The bytes of ``parity.json``."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()


def compared(
    original: Encoder,
    exported: Encoder,
    pictures: Iterable[Image.Image],
    described: str,
    on_progress: Callable[[int], None] | None = None,
) -> Parity:
    """Encode pictures with both and compare vectors, rankings and times."""
    images, pairs, seconds = [], [], []
    for number, picture in enumerate(pictures):
        image = original.transform(picture)[None]
        if number < BATCH:
            images.append(image)
        if number == 0:  # what runs for the first time is slower
            original.vectors(image), exported.vectors(image)
        timed = [_timed(encoder, image) for encoder in (original, exported)]
        pairs.append([vector for vector, _ in timed])
        seconds.append([one for _, one in timed])
        if on_progress:
            on_progress(1)
    if len(pairs) < 2:
        raise BadInputError(
            f"pictures must be two or more to compare rankings; got {len(pairs)}. Give more."
        )
    before, after = np.array(pairs, np.float64).transpose(1, 0, 2)  # (N, D) each
    together = exported.vectors(torch.cat(images)).astype(np.float64)
    k = min(K, len(pairs) - 1)
    ms = 1000 * np.median(seconds, axis=0)
    return Parity(
        pictures=len(pairs),
        described=described,
        least_cosine=float(
            np.concatenate([cosines(before, after), cosines(before[:BATCH], together)]).min()
        ),
        k=k,
        same_top_k=same_rankings(before, after, k),
        near_tie=NEAR_TIE,
        ms_original=round(float(ms[0]), 3),
        ms_exported=round(float(ms[1]), 3),
        run=provenance(),
    )


def cosines(before: Vectors, after: Vectors) -> NDArray[np.float64]:
    """(N,) of the rows of two (N, D), which are of norm 1 or zero; two zero rows agree."""
    lengths = np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)
    both_zero = (lengths[0] == 0) & (lengths[1] == 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (before * after).sum(axis=1) / (lengths[0] * lengths[1])
    found[abs(lengths[1] - 1) > UNIT_TOLERANCE] = 0  # no unit vector is no answer
    return np.where(both_zero, 1.0, found)


def same_rankings(before: Vectors, after: Vectors, k: int, near_tie: float = NEAR_TIE) -> int:
    """Rows of (N, D) whose first ``k`` others are the same in both, see :class:`Parity`."""
    same = 0
    for row in range(len(before)):
        scores, others = before @ before[row], after @ after[row]
        scores[row] = others[row] = -np.inf
        want = np.sort(scores)[::-1][:k]
        got = scores[np.argsort(-others, kind="stable")[:k]]
        same += bool((abs(want - got) <= near_tie).all())
    return same


def _timed(encoder: Encoder, image: Tensor) -> tuple[NDArray[np.float32], float]:
    started = time.perf_counter()
    (vector,) = encoder.vectors(image)
    return vector, time.perf_counter() - started
