r"""What sketches and the photos they show teach an encoder that is not trained.

Two steps, each learned from training pairs in closed form, make of any encoder a pair whose doors
share the network:

*Centring* takes from each modality its own mean, see :mod:`retrieval.centring`.

*Paired whitening* makes little of the directions in which a sketch and its photo differ. With unit
rows :math:`s_i` of sketches, :math:`p_i` of the photos they show, the means :math:`m_s` of all
sketches and :math:`m_p` of all distinct photos, and V the D principal directions of both modalities
together, each less its mean,

.. math::
    d_i = V^\top \big((s_i - m_s) - (p_i - m_p)\big), \quad C = \frac1N \sum_i d_i d_i^\top, \quad
    W = \Big(C + r\,\frac{\operatorname{tr} C}{D} I\Big)^{-1/2}

both doors get the projection :math:`V W` and their own mean. The ridge r keeps directions in which
few training pairs happen to agree from counting for everything; as it grows, W becomes a multiple
of :math:`I` and only V is left.

References:
    Mikolajczyk and Matas, Improving descriptors for fast tree matching by optimal linear
    projection, ICCV 2007 (whitening by the covariance of matching pairs).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from .centring import Centring
from .checks import check_shape, check_unit_rows
from .data import Modality, Split
from .encoder import Encoder
from .encoder_pair import EncoderPair
from .errors import BadInputError
from .images import ImageError
from .lanes import open_lanes
from .modalities import read_picture
from .tensors import device_of
from .whitening import Whitening, principal_directions

DIM, RIDGE = 256, 1.0
"""Of a paired whitening, where nothing else is asked for."""


def fit_centring(descriptors: NDArray[np.float32]) -> Centring:
    """Learn the mean of a modality.

    Args:
        descriptors: (N, D) of training pictures of one modality, as
            :meth:`retrieval.encoder.Encoder.projected` gives them.

    Raises:
        BadInputError: None, or one that is not finite.
    """
    check_shape("descriptors", descriptors, ("N", "D"), "Give one row for each training picture.")
    if not len(descriptors):
        raise BadInputError("descriptors must be of training pictures; got none. Give some.")
    mean = descriptors.mean(axis=0, dtype=np.float64)
    if not np.isfinite(mean).all():
        raise BadInputError("descriptors must be finite; got others. Leave those rows out.")
    centring = Centring(descriptors.shape[1])
    centring.mean.copy_(torch.from_numpy(mean))
    centring.seen.fill_(1)
    return centring.eval()


def fit_paired_whitening(
    photo_vectors: NDArray[np.float32],
    sketch_vectors: NDArray[np.float32],
    photo_rows: NDArray[np.int64],
    dim: int = DIM,
    ridge: float = RIDGE,
) -> tuple[Whitening, Whitening]:
    """Learn what a sketch and its photo disagree in; the definition is above.

    Args:
        photo_vectors: (P, C') of distinct training photos, as their door gives them without
            whitening.
        sketch_vectors: (N, C') of training sketches, likewise.
        photo_rows: (N,) row in ``photo_vectors`` of what each sketch shows.
        dim: D, 1..rank of all vectors together, each less the mean of its modality.
        ridge: r, above 0.

    Returns:
        For photos and for sketches.

    Raises:
        BadInputError: Vectors that are no unit rows or do not fit together, a ``dim`` above the
            rank, or sketches that do not differ from their photos.
    """
    check_pairs(len(photo_vectors), len(sketch_vectors), photo_rows)
    check_unit_rows("photo_vectors", photo_vectors)
    check_unit_rows("sketch_vectors", sketch_vectors)
    check_shape("sketch_vectors", sketch_vectors, ("N", photo_vectors.shape[1]))
    _check_ridge(ridge)
    doors = [Whitening(photo_vectors.shape[1], dim, "paired") for _ in range(2)]
    photos, sketches = (rows.astype(np.float64) for rows in (photo_vectors, sketch_vectors))
    means = photos.mean(axis=0), sketches.mean(axis=0)
    photos, sketches = photos - means[0], sketches - means[1]
    _, directions = principal_directions(np.concatenate([photos, sketches]), dim)
    differences = (sketches - photos[photo_rows]) @ directions  # (N, D)
    projection = directions @ _inverse_root(differences.T @ differences / len(differences), ridge)
    for door, mean in zip(doors, means, strict=True):
        door.mean.copy_(torch.from_numpy(mean))
        door.projection.copy_(torch.from_numpy(projection))
    return doors[0], doors[1]


def with_paired_whitening(
    encoder: Encoder | EncoderPair,
    photo_vectors: NDArray[np.float32],
    sketch_vectors: NDArray[np.float32],
    photo_rows: NDArray[np.int64],
    dim: int = DIM,
    ridge: float = RIDGE,
) -> EncoderPair:
    """The pair, or one encoder at both doors, with :func:`fit_paired_whitening` as last step.

    The doors share all else with what was given; the vectors are those it gives without whitening.
    """
    pair = _as_pair(encoder)
    photo, sketch = fit_paired_whitening(photo_vectors, sketch_vectors, photo_rows, dim, ridge)
    return EncoderPair(pair.photo.with_whitening(photo), pair.sketch.with_whitening(sketch))


def photo_rows_of(photos: Split, sketches: Split) -> NDArray[np.int64]:
    """(N,) the first photo with each sketch's target, as the training parts of a benchmark have it.

    Raises:
        BadInputError: A sketch shows none of the photos.
    """
    targets, first = np.unique(photos.targets, return_index=True)
    places = np.searchsorted(targets, sketches.targets)
    known = places < len(targets)
    known[known] = targets[places[known]] == sketches.targets[known]
    if not known.all():
        alone = sketches.paths[int(np.argmin(known))]
        raise BadInputError(f"sketches must show one of the photos; got {alone}, which does not.")
    return first[places].astype(np.int64)


def check_pairs(photos: int, sketches: int, photo_rows: NDArray[np.int64]) -> None:
    """Raise unless there are sketches and each has its row among so many photos.

    Args:
        photos: P.
        sketches: N.
        photo_rows: (N,) int64, the photo that each sketch shows.
    """
    check_shape("photo_rows", photo_rows, (sketches,), "Give the photo of each sketch.")
    if not sketches:
        raise BadInputError("pairs must be of training sketches and photos; got none. Give some.")
    if photo_rows.dtype != np.int64:
        raise BadInputError(f"photo_rows must be int64; got {photo_rows.dtype}.")
    outside = photo_rows[(photo_rows < 0) | (photo_rows >= photos)]
    if len(outside):
        raise BadInputError(f"photo_rows must be in 0..{photos - 1}; got {outside[0]}.")


def fit_pair(
    encoder: Encoder | EncoderPair,
    photos: Sequence[Path],
    sketches: Sequence[Path],
    photo_rows: NDArray[np.int64],
    *,
    whiten: tuple[int, float] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> EncoderPair:
    """Centre each modality of an encoder by training pairs and, if asked to, whiten it.

    A whitening and a centring that were there are replaced. Nothing else is learned.

    Args:
        encoder: In eval mode; one serves both doors.
        photos: Distinct training photos.
        sketches: Training sketches.
        photo_rows: (N,) which of the photos each sketch shows, see :func:`photo_rows_of`.
        whiten: Dimensions and ridge of a paired whitening.
        on_progress: Called with each count of pictures that got done.

    Raises:
        BadInputError: No pairs, an exported encoder, or one of :func:`fit_paired_whitening`.
        ImageError: A picture cannot be read or shows nothing.
    """
    check_pairs(len(photos), len(sketches), photo_rows)
    if whiten is not None:
        _check_ridge(whiten[1])
    pair, said = _as_pair(encoder), on_progress or (lambda count: None)
    photo, photo_vectors = _centred(pair.photo, photos, Modality.PHOTO, said)
    sketch, sketch_vectors = _centred(pair.sketch, sketches, Modality.SKETCH, said)
    centred = EncoderPair(photo, sketch)
    if whiten is None:
        return centred
    return with_paired_whitening(centred, photo_vectors, sketch_vectors, photo_rows, *whiten)


def _as_pair(encoder: Encoder | EncoderPair) -> EncoderPair:
    return encoder if isinstance(encoder, EncoderPair) else EncoderPair(encoder, encoder)


def _centred(
    encoder: Encoder, paths: Sequence[Path], modality: Modality, said: Callable[[int], None]
) -> tuple[Encoder, NDArray[np.float32]]:
    """The encoder of a door, centred on these pictures, and their vectors."""
    if encoder.training:
        raise BadInputError("encoder must be in eval mode; got train mode. Call .eval().")
    plain = encoder.with_whitening(None)  # an exported one says that it cannot
    descriptors = _descriptors(plain, paths, modality, said)
    centring = fit_centring(descriptors.numpy())
    vectors = F.normalize(centring(descriptors)).numpy()
    return plain.with_centring(centring.to(device_of(plain))), vectors


def _descriptors(
    encoder: Encoder, paths: Sequence[Path], modality: Modality, said: Callable[[int], None]
) -> Tensor:
    """(N, D) on the processor: what the centring of a door is given."""
    transform, device = encoder.transform, device_of(encoder)

    def described(path: Path) -> Tensor:
        pixels = transform.pixels(read_picture(path, modality, transform))
        with torch.inference_mode():
            images = transform.normalise(torch.from_numpy(pixels)[None].to(device))
            row = encoder.projected(images)[0].cpu()
        if not (torch.isfinite(row).all() and row.any()):
            raise ImageError(f"{path} must show something; got no usable features. Leave it out.")
        return row

    rows = []
    with open_lanes(torch.get_num_threads(), 1) as lanes:
        for row in lanes.map(described, paths):
            rows.append(row)
            said(1)
    return torch.stack(rows)


def _inverse_root(moments: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """(D, D) to the inverse square root of it with a ridge."""
    share = np.trace(moments) / len(moments)
    if not share > np.finfo(np.float32).eps ** 2:
        raise BadInputError(
            "sketch_vectors must differ from those of their photos; got the same ones. Check that "
            "sketches and photos are not one set of files."
        )
    eigenvalues, directions = np.linalg.eigh(moments)
    # A covariance has no eigenvalue below zero, but rounding does.
    roots = np.sqrt(np.maximum(eigenvalues, 0) + ridge * share)
    inverse: NDArray[np.float64] = (directions / roots) @ directions.T
    return inverse


def _check_ridge(ridge: float) -> None:
    if not 0 < ridge < np.inf:
        raise BadInputError(f"ridge must be above 0 and finite; got {ridge}. 1 is a good start.")
