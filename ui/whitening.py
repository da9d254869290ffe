"""Fit the last steps of an encoder to training pictures for a command of ``fgir``."""

from collections.abc import Sequence
from pathlib import Path

from retrieval.data import Benchmark
from retrieval.encoder import Encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.errors import BadInputError
from retrieval.paired import RIDGE, fit_pair, photo_rows_of
from retrieval.whitening import fit_whitening
from ui.options import without_doors
from ui.progress import progress

PAIRED = "paired"


def whitened(
    chosen: Encoder | EncoderPair, how: str, paths: Sequence[Path], *, runtime: str, batch_size: int
) -> Encoder:
    """The encoder with a whitening fitted on photos.

    Args:
        chosen: One without whitening.
        how: "pca:256": the method and the number of dimensions to keep.
        paths: Photos to fit on; never those of a test part.
        runtime: See :func:`retrieval.encoding.encode_files`.
        batch_size: Pictures encoded at once.
    """
    encoder = without_doors(chosen, "--whiten")
    method, _, dim = how.partition(":")
    if not dim.isdigit():
        raise BadInputError(f"--whiten must be method:dimensions, such as pca:256; got {how!r}.")
    if not paths:
        raise BadInputError("--whiten must have training photos to fit on; got none.")
    with progress("Encoding training photos", len(paths)) as advance:
        encoded = encode_files(
            encoder, paths, runtime=runtime, batch_size=batch_size, on_progress=advance
        )
    return encoder.with_whitening(fit_whitening(encoded.vectors, int(dim), method))


def needs_pairs(how: str | None, centred: bool) -> bool:
    """Whether ``--whiten`` and ``--centred`` are learned from sketches and their photos."""
    paired = how is not None and how.split(":")[0] == PAIRED
    if centred and how is not None and not paired:
        raise BadInputError(f"--whiten must be paired with --centred; got {how!r}. Leave out one.")
    return paired or centred


def fitted_pair(chosen: Encoder | EncoderPair, how: str | None, data: Benchmark) -> EncoderPair:
    """The encoder with each modality centred and, if asked to, whitened by training pairs.

    Args:
        chosen: Serves both doors where it is one.
        how: "paired:256" or "paired:256:0.3", dimensions and ridge; None centres only.
        data: Whose training part the pairs are.
    """
    whiten = None if how is None else _dimensions_and_ridge(how)
    photos, sketches = data.train, data.train_sketches
    if not len(sketches):
        raise BadInputError(
            f"--centred and --whiten {PAIRED} must have training pairs to learn from; "
            f"{data.name} has none. Take a benchmark of sketches with a training part."
        )
    with progress("Encoding training pairs", len(photos) + len(sketches)) as advance:
        return fit_pair(
            chosen,
            photos.paths,
            sketches.paths,
            photo_rows_of(photos, sketches),
            whiten=whiten,
            on_progress=advance,
        )


def _dimensions_and_ridge(how: str) -> tuple[int, float]:
    _, _, rest = how.partition(":")
    dim, colon, ridge = rest.partition(":")
    try:
        return int(dim), float(ridge) if colon else RIDGE
    except ValueError:
        raise BadInputError(
            f"--whiten must be {PAIRED}:dimensions or {PAIRED}:dimensions:ridge, such as "
            f"{PAIRED}:256; got {how!r}."
        ) from None
