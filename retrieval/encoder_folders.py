"""Encoders in folders, whatever wrote them: what ``--encoder`` takes and a collection carries."""

from pathlib import Path

from .checkpoints import load_encoder, save_encoder
from .encoder import Encoder
from .exports import ExportedEncoder, is_export, load_export


def open_encoder(folder: Path) -> Encoder:
    """The encoder that was saved or exported there, in eval mode on the CPU.

    Raises:
        BadInputError: No encoder there, one of another version, or a package that is missing.
        DamagedDataError: A file is missing or not what was written; the message names it.
        EncoderMismatchError: Under the libraries installed now it gives other vectors than before.
    """
    return load_export(folder) if is_export(folder) else load_encoder(folder)


def keep_encoder(encoder: Encoder, folder: Path) -> None:
    """Write an encoder, saved or exported, so that :func:`open_encoder` gives it back.

    Raises:
        BadInputError: There is an encoder already.
        StorageError: The disk is full or read-only.
    """
    if isinstance(encoder, ExportedEncoder):
        encoder.save(folder)
    else:
        save_encoder(encoder, folder)
