"""How much of the score each of two joined encoders should have, found from pairs.

The share is that of the grid 0, 0.05 ... 1 under which pairs find one another best: the mean, over
sketches, of 1/rank of the photo that each one shows, among all photos given. Of shares that are
equally good it is the one nearest to one half.

The pairs must be ones that neither encoder has learned from. A network ranks the photos it was
trained on far better than any other, and the share would believe it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape
from .data import Modality
from .encoder_pair import EncoderPair
from .encoding import encode_files
from .images import ImageError
from .paired import check_pairs

GRID = tuple(step / 20 for step in range(21))
"""Shares of the first encoder that are tried."""

_ROWS = 1024
"""Sketches whose scores are in memory at once."""

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Shares:
    """What was found.

    Attributes:
        share: Of the first encoder; the second has the rest.
        reciprocal_ranks: The mean of 1/rank under each share of ``GRID``, in its order: under 0 of
            the second encoder alone, under 1 of the first.
    """

    share: float
    reciprocal_ranks: tuple[float, ...]


def fit_shares(
    first: EncoderPair,
    second: EncoderPair,
    photos: Sequence[Path],
    sketches: Sequence[Path],
    photo_rows: NDArray[np.int64],
    *,
    runtime: str = "auto",
    on_progress: Callable[[int], None] | None = None,
) -> Shares:
    """The share of ``first`` with which the two, joined, find these pairs best.

    Args:
        first: In eval mode.
        second: Likewise.
        photos: P distinct photos, of pairs that neither has learned from.
        sketches: N sketches of them.
        photo_rows: (N,) which photo each sketch shows, see :func:`retrieval.paired.photo_rows_of`.
        runtime: See :func:`retrieval.encoding.encode_files`.
        on_progress: Called with each count of pictures encoded, 2 (P + N) in all.

    Raises:
        BadInputError: Pairs that do not fit together.
        ImageError: A picture cannot be read, or neither encoder sees anything in it.
    """
    check_pairs(len(photos), len(sketches), photo_rows)

    def rows(pair: EncoderPair, paths: Sequence[Path], modality: Modality) -> Rows:
        encoded = encode_files(
            pair, paths, modality=modality, runtime=runtime, on_progress=on_progress
        )
        found = np.zeros((len(paths), pair.dim), np.float32)
        found[encoded.kept] = encoded.vectors
        return found

    photo_vectors, sketch_vectors = (
        (rows(first, paths, kind), rows(second, paths, kind))
        for paths, kind in ((photos, Modality.PHOTO), (sketches, Modality.SKETCH))
    )
    for paths, vectors in ((photos, photo_vectors), (sketches, sketch_vectors)):
        seen = _sees(vectors[0]) | _sees(vectors[1])
        if not seen.all():
            raise ImageError(
                f"{paths[int(np.argmin(seen))]} must show something; got no usable features of "
                "either encoder. Leave it out."
            )
    return best_shares(photo_vectors, sketch_vectors, photo_rows)


def best_shares(
    photo_vectors: tuple[Rows, Rows],
    sketch_vectors: tuple[Rows, Rows],
    photo_rows: NDArray[np.int64],
) -> Shares:
    """:func:`fit_shares` of vectors at hand.

    Args:
        photo_vectors: (P, D) of the first encoder and (P, D') of the second, rows of norm 1, or of
            zeros where it sees nothing.
        sketch_vectors: (N, D) and (N, D'), likewise.
        photo_rows: (N,) row of the photo that each sketch shows.

    Raises:
        BadInputError: Vectors or pairs that do not fit together.
    """
    photos, sketches = len(photo_vectors[0]), len(sketch_vectors[0])
    check_pairs(photos, sketches, photo_rows)
    for photo, sketch in zip(photo_vectors, sketch_vectors, strict=True):
        check_shape("photo_vectors", photo, (photos, "D"))
        check_shape("sketch_vectors", sketch, (sketches, photo.shape[1]))
    totals = np.zeros(len(GRID))
    for start in range(0, sketches, _ROWS):
        block = slice(start, start + _ROWS)
        one, other = (
            sketch[block].astype(np.float64) @ photo.T.astype(np.float64)
            for sketch, photo in zip(sketch_vectors, photo_vectors, strict=True)
        )
        for place, share in enumerate(GRID):
            scores = share * one + (1 - share) * other
            scores /= _norms(sketch_vectors, share)[block, None] * _norms(photo_vectors, share)
            totals[place] += (1 / _ranks(scores, photo_rows[block])).sum()
    means = totals / sketches
    best = max(range(len(GRID)), key=lambda place: (means[place], -abs(GRID[place] - 0.5)))
    return Shares(GRID[best], tuple(means.tolist()))


def _sees(vectors: Rows) -> NDArray[np.bool_]:
    return np.asarray(vectors.any(axis=1))


def _norms(vectors: tuple[Rows, Rows], share: float) -> NDArray[np.float64]:
    """Norm of joined rows before they are scaled; 1 for one of zeros, which scores 0 with all."""
    squares = share * _sees(vectors[0]) + (1 - share) * _sees(vectors[1])
    norms: NDArray[np.float64] = np.sqrt(np.where(squares > 0, squares, 1.0))
    return norms


def _ranks(scores: NDArray[np.float64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N, P) and (N,) to (N,), from 1; ties by position."""
    own = scores[np.arange(len(right)), right][:, None]
    before = np.arange(scores.shape[1]) < right[:, None]
    ranks: NDArray[np.int64] = 1 + ((scores > own) | ((scores == own) & before)).sum(axis=1)
    return ranks
