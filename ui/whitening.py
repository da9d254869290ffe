"""Fit a whitening to an encoder for a command of ``fgir``."""

from collections.abc import Sequence
from pathlib import Path

from retrieval.encoder import Encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.errors import BadInputError
from retrieval.whitening import fit_whitening
from ui.options import without_doors
from ui.progress import progress


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
