"""An encoder as a folder that others can use without this program.

A file of this folder without a leading underscore is a format and its name is the file's. An
exported folder holds the model, ``preprocessing.json`` (what a picture needs before it),
``parity.json`` (how near its vectors are to the encoder's), ``README.md`` (the model card, not
checked: it may be edited) and ``export.json``, which is written last and names every other file by
its SHA-256. Nothing in it can run code.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import plugins
from ..checkpoints import MAX_DRIFT, probe_pictures
from ..encoder import Encoder
from ..errors import BadInputError, DamagedDataError, EncoderMismatchError, FgirError
from ..files import new_folder, write_atomically
from ..joined import JoinedEncoder
from ._card import Training, card
from ._description import CARD, DESCRIPTION, Description
from ._encoder import ExportedEncoder
from ._format import Format
from ._parity import MIN_COSINE, Parity, compared, cosines
from ._preprocessing import preprocessing

__all__ = [
    "ExportedEncoder",
    "Format",
    "Parity",
    "ParityError",
    "Training",
    "export_encoder",
    "is_export",
    "load_export",
]


class ParityError(FgirError):
    """An exported model gives other vectors than the encoder it was made from."""

    identifier = "no-parity"


def export_encoder(
    encoder: Encoder,
    out: Path,
    kind: str,
    pictures: Iterable[Image.Image],
    described: str,
    *,
    training: Training | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Parity:
    """Write an encoder in another format, compare the two, and write down what came out.

    Args:
        encoder: In eval mode, on the CPU.
        out: A new or empty folder. It appears when it is complete.
        kind: Name of a file in this folder.
        pictures: On which the two are compared, two or more.
        described: What they are, for the reader.
        training: What is known of how the encoder was trained, for the model card.
        on_progress: Called with 1 for each picture compared.

    Raises:
        BadInputError: Unknown format, a package that is missing, an encoder that is no fixed graph,
            or a folder in use.
        ParityError: A vector has less than the least cosine to the encoder's.
        StorageError: The disk is full or read-only.
    """
    form = _form(kind)
    _check_exportable(encoder, form, kind)
    packages = dict.fromkeys(("torch", "pillow", *form.to_write))
    with new_folder(out) as folder:
        form.write(encoder, folder)
        write_atomically(folder / "preprocessing.json", preprocessing(encoder.transform))

        def description(probe: Sequence[float] = ()) -> Description:
            return Description.of(encoder, kind, folder, form.reduced, packages, probe)

        exported, probe = _opened(form, folder, description())
        parity = compared(encoder, exported, pictures, described, on_progress)
        if not form.reduced and not parity.least_cosine >= MIN_COSINE:
            raise ParityError(
                f"{kind} must give the encoder's vectors, cosine {MIN_COSINE} or more; got "
                f"{parity.least_cosine:.6f} on {parity.pictures} pictures ({described}). Nothing "
                "was written. Export to another format."
            )
        write_atomically(folder / "parity.json", parity.as_json())
        whole = description(probe.tolist())
        write_atomically(folder / CARD, card(encoder, form, whole, parity, training).encode())
        whole.write(folder)
    return parity


def is_export(folder: Path) -> bool:
    """Whether a folder says that it holds an exported encoder."""
    return (folder / DESCRIPTION).exists()


def load_export(folder: Path) -> Encoder:
    """The encoder in an exported folder, in eval mode on the CPU.

    A graph comes back as an :class:`ExportedEncoder`, of the space of the encoder it was made from
    unless its precision is reduced. The ``torch`` format comes back as that very encoder.

    Raises:
        BadInputError: No export there, one of another version, or a package that is missing.
        DamagedDataError: A file is missing or not what was written; the message names it.
        EncoderMismatchError: Under the libraries installed now it gives other vectors than when it
            was exported.
    """
    description = Description.read(folder)
    form = _form(description.kind, DamagedDataError)
    _check_packages(description.kind, form.to_read, form.extra)
    encoder, got = _opened(form, folder, description)
    if encoder.fingerprint() != description.fingerprint:
        raise DamagedDataError(
            f"{folder} must hold the encoder that its export.json describes; got another one. "
            "Export it again."
        )
    want = np.array(description.probe, np.float64)
    drift = 1 - cosines(want[None], got[None])[0] if want.shape == got.shape else np.inf
    if not drift <= MAX_DRIFT:
        raise EncoderMismatchError(
            f"{folder} must give the vectors it gave when it was exported; got vectors {drift:.2g} "
            f"away from them. It was exported under {_listed(description.libraries)}; install "
            "those versions, or export it again."
        )
    return encoder


def _form(kind: str, failure: type[FgirError] = BadInputError) -> Format:
    formats = sys.modules[__name__]
    if kind not in plugins.names(formats):
        raise failure(plugins.unknown("format", kind, plugins.names(formats)))
    form: Format = plugins.build(formats, {"name": kind})
    return form


def _check_exportable(encoder: Encoder, form: Format, kind: str) -> None:
    if isinstance(encoder, ExportedEncoder):
        raise BadInputError(
            "what is exported must be a run or an encoder; got a graph that was exported already. "
            "Export the encoder that it was made from."
        )
    if isinstance(encoder, JoinedEncoder):
        raise BadInputError(
            "what is exported must be one encoder; got a joined one, whose parts prepare pictures "
            "each in its own way. Export the encoders that were joined, each on its own."
        )
    if encoder.transform.fit == "native":
        raise BadInputError(
            "fit must make squares for an export; got native. Save the encoder with squash, crop "
            "or pad."
        )
    _check_packages(kind, form.to_write, form.extra)


def _check_packages(kind: str, packages: Sequence[str], extra: str) -> None:
    missing = [package for package in packages if not _is_installed(package)]
    if missing:
        raise BadInputError(
            f"{kind} must have {', '.join(packages)} installed; got no {', '.join(missing)}. "
            f"Run pip install 'fine-grained-image-retrieval[{extra}]'."
        )


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _opened(
    form: Format, folder: Path, description: Description
) -> tuple[Encoder, NDArray[np.float64]]:
    """The encoder in a folder, and its vector of a made-up picture that never changes."""
    files = description.contents(folder)
    try:
        encoder = form.load(folder, files, description)
        image = encoder.transform(probe_pictures()[0])[None]
        (vector,) = encoder.vectors(image)
    except FgirError:
        raise
    except Exception as error:  # a runtime refuses a graph in any way it likes
        raise DamagedDataError(
            f"{folder} must hold a model that can be used; got: {error}. It was exported under "
            f"{_listed(description.libraries)}; install those versions, or export it again."
        ) from error
    return encoder, vector.astype(np.float64).round(7)


def _listed(libraries: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in libraries.items())
