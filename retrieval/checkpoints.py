"""An encoder as a folder: ``encoder.json`` says what it is, a safetensors file holds its weights.

``encoder.json`` is written last and names the weights file by its SHA-256, so a stop at any moment
leaves the encoder that was there before, or none, and no damaged byte loads unnoticed. Nothing in
the folder can run code.

Beside the weights lie the vectors of a few made-up pictures. Where another version of a library
loads the encoder, they are computed again, and an encoder that would no longer meet its own vectors
in a collection is refused.
"""

import hashlib
import json
import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import torch as safetensors
from torch import Tensor

from .descriptions import parse_description
from .encoder import Encoder
from .errors import BadInputError, DamagedDataError, EncoderMismatchError
from .files import write_atomically
from .joined import encoder_from_settings
from .tensors import check_tensors, parse_tensors

LOG = logging.getLogger(__name__)

DESCRIPTION = "encoder.json"
PAIR = "pair.json"
_KEYS = {"fingerprint": str, "settings": dict, "weights": dict, "libraries": dict}
"""Makes a folder one of two encoders, see :mod:`retrieval.encoder_folders`."""

FORMAT = "fgir-encoder"
VERSION = 1

PROBES = "probe_vectors"
"""Name, in the weights file, of the vectors of :func:`probe_pictures`."""

MAX_DRIFT = 1e-3
"""How far the cosine of a probe to its stored vector may be from 1."""

LIBRARIES = ("torch", "torchvision", "timm", "pillow")
"""What an encoder's arithmetic depends on."""


def save_encoder(encoder: Encoder, folder: Path, *, overwrite: bool = False) -> None:
    """Write an encoder to a folder, which is made.

    Raises:
        BadInputError: The folder holds an encoder already and ``overwrite`` is not given, or it
            holds a pair of them, or a weight is not finite.
        StorageError: The disk is full or read-only. An encoder that was there still is.
    """
    if not overwrite and (folder / DESCRIPTION).exists():
        raise BadInputError(
            f"{folder} must hold no encoder yet; got one. Choose another folder or --overwrite."
        )
    if (folder / PAIR).exists():
        raise BadInputError(
            f"{folder} must hold no pair of encoders; got one. Choose another folder."
        )
    state = {name: t.detach().cpu().contiguous() for name, t in encoder.state_dict().items()}
    check_tensors(state, state, folder)
    data = safetensors.save({**state, PROBES: torch.from_numpy(_probe(encoder))})
    digest = hashlib.sha256(data).hexdigest()
    name = f"weights-{digest[:16]}.safetensors"
    description = {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": encoder.fingerprint(),
        "dim": encoder.dim,
        "settings": encoder.settings(),
        "weights": {"file": name, "bytes": len(data), "sha256": digest},
        "libraries": {library: version(library) for library in LIBRARIES},
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / name, data)
    write_atomically(folder / DESCRIPTION, json.dumps(description, indent=2).encode() + b"\n")
    for old in folder.glob("weights-*.safetensors"):
        if old.name != name:
            old.unlink()


def load_encoder(folder: Path) -> Encoder:
    """The encoder that :func:`save_encoder` wrote, in eval mode on the CPU.

    Raises:
        BadInputError: No encoder there, or one of another version of this program.
        DamagedDataError: A file is missing or not what was written; the message names it.
        EncoderMismatchError: Under the libraries installed now it gives other vectors than when it
            was saved.
    """
    description = _read_description(folder / DESCRIPTION)
    path, data = _read_weights(folder, description["weights"])
    tensors = parse_tensors(data, path, DamagedDataError)
    probes = tensors.pop(PROBES, None)
    encoder = _rebuild(folder / DESCRIPTION, description["settings"])
    check_tensors(tensors, encoder.state_dict(), path, DamagedDataError)
    encoder.load_state_dict(tensors)
    if encoder.fingerprint() != description["fingerprint"]:
        raise DamagedDataError(
            f"{folder / DESCRIPTION} must carry the fingerprint of the encoder it describes; got "
            f"{description['fingerprint']!r}. The file was changed after it was written."
        )
    changed = _changed_libraries(description["libraries"])
    if changed:
        _check_drift(encoder, probes, path, changed)
    return encoder


def probe_pictures() -> list[Image.Image]:
    """Four made-up pictures that never change: waves of colour, larger than most inputs."""
    row, column = np.mgrid[0:300, 0:400].astype(np.float64)
    pictures = []
    for number in range(1, 5):
        waves = [
            np.sin(row / (5 * number + 3 * channel)) * np.cos(column / (9 * number - channel))
            for channel in range(3)
        ]
        pixels = np.rint(127.5 + 127.5 * np.stack(waves, axis=2)).astype(np.uint8)
        pictures.append(Image.fromarray(pixels))
    return pictures


def _probe(encoder: Encoder) -> NDArray[np.float32]:
    was_training = encoder.training
    images = torch.stack([encoder.transform(picture) for picture in probe_pictures()])
    vectors = encoder.eval().vectors(images)
    encoder.train(was_training)
    return vectors


def _check_drift(encoder: Encoder, probes: Tensor | None, path: Path, changed: str) -> None:
    now = _probe(encoder)
    if probes is None or tuple(probes.shape) != now.shape:
        raise DamagedDataError(f"{path} must hold {PROBES} of shape {now.shape}; got other ones.")
    cosines = (probes.double().numpy() * now).sum(axis=1)
    drift = float(1 - cosines.min())
    if not drift <= MAX_DRIFT:
        raise EncoderMismatchError(
            f"{path} must give the vectors it gave when it was saved; got vectors {drift:.2g} away "
            f"from them, under {changed}. Install those versions, or save the encoder again and "
            "build its collections again."
        )
    LOG.warning("%s: vectors are within %.1e of the saved ones, under %s", path, drift, changed)


def _changed_libraries(saved: dict[str, str]) -> str:
    now = {library: version(library) for library in LIBRARIES}
    return ", ".join(
        f"{library} {now[library]} (was {saved.get(library)})"
        for library in LIBRARIES
        if saved.get(library) != now[library]
    )


def _rebuild(path: Path, settings: dict[str, Any]) -> Encoder:
    try:
        with torch.random.fork_rng(devices=[]):  # weights are drawn here, then replaced
            return encoder_from_settings(settings)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise DamagedDataError(
            f"{path} must hold the settings of an encoder; got ones that make none: {error!r}."
        ) from error


def _read_description(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(
            f"{path.parent} must hold an encoder; got no readable {path.name}: {error.strerror}. "
            "Give the folder that training or saving made."
        ) from error
    return parse_description(path, data, "an encoder", format=FORMAT, version=VERSION, keys=_KEYS)


def _read_weights(folder: Path, entry: dict[str, Any]) -> tuple[Path, bytes]:
    name, digest = str(entry.get("file")), entry.get("sha256")
    if Path(name).name != name:
        raise DamagedDataError(f"{folder / DESCRIPTION} must name weights beside it; got {name!r}.")
    path = folder / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedDataError(
            f"{path} must be readable; got: {error.strerror}. Copy the whole folder again."
        ) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise DamagedDataError(
            f"{path} must be what was written; got {len(data)} bytes with another SHA-256. "
            "Copy or save the encoder again."
        )
    return path, data
