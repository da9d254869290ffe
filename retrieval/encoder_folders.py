"""Encoders in folders, whatever wrote them: what ``--encoder`` takes and a collection carries.

A pair is a folder of folders::

    PAIR/
      pair.json     which folder serves which door, and the pair's fingerprint; written last
      photo/        an encoder as it is saved or exported alone
      sketch/       another; one folder ``both/`` where one encoder serves both doors

``pair.json`` is swapped in one step and names its folders, and a folder that is in use is never
written to, so a stop at any moment leaves the pair that was there before, or none.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from .checkpoints import DESCRIPTION, PAIR, load_encoder, save_encoder
from .data import Modality
from .descriptions import parse_description
from .encoder import Encoder
from .encoder_pair import EncoderPair
from .errors import BadInputError, DamagedDataError
from .exports import ExportedEncoder, is_export, load_export
from .files import sync_folder, write_atomically

FORMAT = "fgir-encoder-pair"
VERSION = 1

_DOORS = tuple(str(modality) for modality in Modality)
_BOTH = "both"
_SUFFIXES = {".json", ".safetensors", ".onnx", ".xml", ".bin", ".md", ".partial"}
"""Of the files that an encoder in a folder may have."""

_OTHER = "-2"
"""Ends the name of a door's folder where the plain name is in use by the pair being replaced."""


def open_encoder(folder: Path) -> Encoder | EncoderPair:
    """The encoder, or the pair, that was saved or exported there, in eval mode on the CPU.

    Raises:
        BadInputError: No encoder there, one of another version, or a package that is missing.
        DamagedDataError: A file is missing or not what was written; the message names it.
        EncoderMismatchError: Under the libraries installed now it gives other vectors than before.
    """
    return _open_pair(folder) if is_pair(folder) else _open_one(folder)


def keep_encoder(encoder: Encoder | EncoderPair, folder: Path) -> None:
    """Write an encoder, saved or exported, or a pair, so that :func:`open_encoder` gives it back.

    Raises:
        BadInputError: There is an encoder already.
        StorageError: The disk is full or read-only.
    """
    if isinstance(encoder, EncoderPair):
        save_pair(encoder, folder)
    else:
        _keep_one(encoder, folder)


def is_pair(folder: Path) -> bool:
    """Whether a folder says that it holds a pair of encoders."""
    return (folder / PAIR).exists()


def save_pair(pair: EncoderPair, folder: Path, *, overwrite: bool = False) -> None:
    """Write a pair to a folder, which is made.

    Args:
        pair: Its doors may be exported ones.
        folder: Where to.
        overwrite: Replace a pair that is there.

    Raises:
        BadInputError: The folder holds a pair already and ``overwrite`` is not given, or it holds
            an encoder that is none, or a weight is not finite.
        StorageError: The disk is full or read-only. A pair that was there still is.
    """
    if (folder / DESCRIPTION).exists() or is_export(folder):
        raise BadInputError(
            f"{folder} must hold no encoder of another kind; got one without doors. "
            "Choose another folder."
        )
    used = _folders_in_use(folder)
    if used is not None and not overwrite:
        raise BadInputError(
            f"{folder} must hold no pair of encoders yet; got one. "
            "Choose another folder or --overwrite."
        )
    parts = {_BOTH: pair.photo} if pair.siamese else {d: pair.door(Modality(d)) for d in _DOORS}
    names = {part: f"{part}{_OTHER}" if part in (used or ()) else part for part in parts}
    for name in names.values():
        _clear(folder / name)  # what a save that was stopped has left
    for part, encoder in parts.items():
        _keep_one(encoder, folder / names[part])
    sync_folder(folder)
    doors = {door: names[_BOTH] if pair.siamese else names[door] for door in _DOORS}
    write_pair(folder, pair.fingerprint(), doors)
    for name in (used or set()) - set(doors.values()):
        _clear(folder / name)


def write_pair(folder: Path, fingerprint: str, doors: dict[str, str]) -> None:
    """Make a pair of the encoders that lie in folders of ``folder``.

    Args:
        folder: Of the pair.
        fingerprint: Of the pair.
        doors: The folder, by its name, that serves each modality.
    """
    description = {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": fingerprint,
        "doors": doors,
    }
    write_atomically(folder / PAIR, json.dumps(description, indent=2).encode() + b"\n")


def _clear(folder: Path) -> None:
    """Remove the folder of a door, if there is one.

    Raises:
        BadInputError: It holds what no encoder has, such as somebody's pictures.
    """
    if not folder.exists():
        return
    strange = [path.name for path in folder.iterdir() if path.suffix not in _SUFFIXES]
    if folder.is_symlink() or strange:
        raise BadInputError(
            f"{folder} must be free for an encoder; got a folder in use"
            f"{f', with {strange[0]!r} in it' if strange else ''}. Choose another folder."
        )
    shutil.rmtree(folder)


def _folders_in_use(folder: Path) -> set[str] | None:
    """Folders that the pair there is made of; None where there is none."""
    if not is_pair(folder):
        return None
    try:
        return set(_read(folder)["doors"].values())
    except (BadInputError, DamagedDataError):  # it is replaced because it is damaged
        return set()


def _open_one(folder: Path) -> Encoder:
    return load_export(folder) if is_export(folder) else load_encoder(folder)


def _keep_one(encoder: Encoder, folder: Path) -> None:
    if isinstance(encoder, ExportedEncoder):
        encoder.save(folder)
    else:
        save_encoder(encoder, folder)


def _open_pair(folder: Path) -> EncoderPair:
    description = _read(folder)
    names = description["doors"]
    opened = {name: _open_door(folder / name) for name in sorted(set(names.values()))}
    photo, sketch = (opened[names[door]] for door in _DOORS)
    try:
        pair = EncoderPair(photo, sketch)
    except BadInputError as error:
        raise DamagedDataError(f"{folder / PAIR} must join a pair; got: {error}") from error
    described = description.get("fingerprint")
    if pair.fingerprint() != described:
        raise DamagedDataError(
            f"{folder / PAIR} must carry the fingerprint of the pair it describes; got "
            f"{described!r}. A door was changed after the pair was written; copy or save the pair "
            "again."
        )
    return pair.eval()


def _open_door(folder: Path) -> Encoder:
    if not (is_export(folder) or (folder / DESCRIPTION).is_file()):
        raise DamagedDataError(
            f"{folder} must hold the encoder that {PAIR} names; got none. "
            "Copy or save the whole pair again."
        )
    return _open_one(folder)


def _read(folder: Path) -> dict[str, Any]:
    path = folder / PAIR
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedDataError(f"{path} must be readable; got: {error.strerror}.") from error
    description = parse_description(
        path, data, "a pair of encoders", format=FORMAT, version=VERSION, keys={}
    )
    doors = description.get("doors")
    if not isinstance(doors, dict) or set(doors) != set(_DOORS):
        raise DamagedDataError(f"{path} must name a folder for each of {', '.join(_DOORS)}.")
    for name in doors.values():
        if not isinstance(name, str) or name in ("", "..") or Path(name).name != name:
            raise DamagedDataError(f"{path} must name folders beside it; got {name!r}.")
    return description
