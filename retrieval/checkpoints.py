"""An encoder as a folder: ``encoder.json`` says what it is, a safetensors file holds its weights.

``encoder.json`` is written last and names the weights file by its SHA-256, so a stop at any moment
leaves the encoder that was there before, or none, and no damaged byte loads unnoticed. Nothing in
the folder can run code.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as safetensors

from .encoder import Encoder
from .errors import BadInputError, DamagedDataError
from .files import write_atomically
from .tensors import check_tensors, parse_tensors

DESCRIPTION = "encoder.json"
FORMAT = "fgir-encoder"
VERSION = 1
MAX_DESCRIPTION_BYTES = 1 << 20


def save_encoder(encoder: Encoder, folder: Path, *, overwrite: bool = False) -> None:
    """Write an encoder to a folder, which is made.

    Raises:
        BadInputError: The folder holds an encoder already and ``overwrite`` is not given.
        StorageError: The disk is full or read-only. An encoder that was there still is.
    """
    if not overwrite and (folder / DESCRIPTION).exists():
        raise BadInputError(
            f"{folder} must hold no encoder yet; got one. Choose another folder or --overwrite."
        )
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: t.detach().cpu().contiguous() for name, t in encoder.state_dict().items()}
    data = safetensors.save(state)
    digest = hashlib.sha256(data).hexdigest()
    name = f"weights-{digest[:16]}.safetensors"
    description = {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": encoder.fingerprint(),
        "dim": encoder.dim,
        "settings": encoder.settings(),
        "weights": {"file": name, "bytes": len(data), "sha256": digest},
    }
    write_atomically(folder / name, data)
    write_atomically(folder / DESCRIPTION, json.dumps(description, indent=2).encode() + b"\n")
    for old in folder.glob("weights-*.safetensors"):
        if old.name != name:
            old.unlink()


def load_encoder(folder: Path) -> Encoder:
    """The encoder that :func:`save_encoder` wrote, in eval mode on the CPU.

    Raises:
        BadInputError: No encoder there, or one of a newer program.
        DamagedDataError: A file is missing or not what was written; the message names it.
    """
    description = _read_description(folder)
    path, data = _read_weights(folder, description["weights"])
    try:
        with torch.random.fork_rng(devices=[]):  # weights are drawn, then replaced
            encoder = Encoder.from_settings(description["settings"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedDataError(
            f"{folder / DESCRIPTION} must describe an encoder; got settings that do not: {error!r}."
        ) from error
    tensors = parse_tensors(data, path, DamagedDataError)
    check_tensors(tensors, encoder.state_dict(), path, DamagedDataError)
    encoder.load_state_dict(tensors)
    if encoder.fingerprint() != description["fingerprint"]:
        raise DamagedDataError(
            f"{folder / DESCRIPTION} must carry the fingerprint of the encoder it describes; got "
            f"{description['fingerprint']!r}. The file was changed after it was written."
        )
    return encoder


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(
            f"{folder} must hold an encoder; got no readable {DESCRIPTION}: {error.strerror}. "
            "Give the folder that save_encoder wrote."
        ) from error
    try:
        description = json.loads(data)
    except ValueError as error:  # of bytes that are no text, too
        raise DamagedDataError(f"{path} must be JSON; got {error}.") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise DamagedDataError(f"{path} must describe an encoder; got something else.")
    if description.get("version") != VERSION:
        raise BadInputError(
            f"{path} must have format version {VERSION}; got {description.get('version')!r}. "
            "Another version of this program wrote it."
        )
    return description


def _read_weights(folder: Path, entry: dict[str, Any]) -> tuple[Path, bytes]:
    path = folder / Path(entry["file"]).name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedDataError(
            f"{path} must be readable; got: {error.strerror}. Without it this encoder is lost."
        ) from error
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise DamagedDataError(
            f"{path} must be what was written; got {len(data)} bytes with another SHA-256 "
            f"(written: {entry['bytes']} bytes). Save or copy the encoder again."
        )
    return path, data
