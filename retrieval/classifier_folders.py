"""A classifier as a folder: an encoder as it is saved alone, and what tells classes apart.

::

    FOLDER/
      encoder.json, weights-*.safetensors      see :mod:`retrieval.checkpoints`
      classifier.json                          head, names of classes, temperature; written last
      classifier-*.safetensors                 weights of the head beyond its pooling

So the folder of a classifier is one of an encoder too: what indexes and searches takes it as it is.
``classifier.json`` names its weights by their SHA-256 and the encoder by its fingerprint, and is
taken away before anything it names is replaced: a stop at any moment leaves a whole classifier, or
none. Nothing in the folder can run code.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as safetensors

from .checkpoints import load_encoder, save_encoder
from .classifier import Classifier, build_head
from .descriptions import parse_description
from .encoder import Encoder
from .errors import BadInputError, DamagedDataError
from .files import write_atomically
from .heads import Head
from .tensors import check_tensors, parse_tensors

DESCRIPTION = "classifier.json"
FORMAT = "fgir-classifier"
VERSION = 1

_KEYS = {"fingerprint": str, "encoder": str, "settings": dict, "weights": dict}


def is_classifier(folder: Path) -> bool:
    """Whether a folder says that it holds a classifier."""
    return (folder / DESCRIPTION).exists()


def save_classifier(classifier: Classifier, folder: Path, *, overwrite: bool = False) -> None:
    """Write a classifier to a folder, which is made.

    Raises:
        BadInputError: The folder holds an encoder already and ``overwrite`` is not given, or it
            holds a pair of them, or a weight is not finite.
        StorageError: The disk is full or read-only.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in classifier.own_tensors().items()
    }
    check_tensors(tensors, tensors, folder)
    data = safetensors.save(tensors)
    digest = hashlib.sha256(data).hexdigest()
    name = f"classifier-{digest[:16]}.safetensors"
    if overwrite:
        (folder / DESCRIPTION).unlink(missing_ok=True)
    save_encoder(classifier.encoder(), folder, overwrite=overwrite)
    description = {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": classifier.fingerprint(),
        "encoder": classifier.encoder().fingerprint(),
        "settings": classifier.settings(),
        "weights": {"file": name, "bytes": len(data), "sha256": digest},
    }
    write_atomically(folder / name, data)
    text = json.dumps(description, indent=2, ensure_ascii=False)
    write_atomically(folder / DESCRIPTION, text.encode() + b"\n")
    for old in folder.glob("classifier-*.safetensors"):
        if old.name != name:
            old.unlink()


def load_classifier(folder: Path) -> Classifier:
    """The classifier that :func:`save_classifier` wrote, in eval mode on the CPU.

    Raises:
        BadInputError: No classifier there, or one of another version of this program.
        DamagedDataError: A file is missing or not what was written; the message names it.
        EncoderMismatchError: Under the libraries installed now its encoder gives other vectors than
            when it was saved.
    """
    path = folder / DESCRIPTION
    description = _read(path)
    encoder = load_encoder(folder)
    if encoder.fingerprint() != description["encoder"]:
        raise DamagedDataError(
            f"{path} must name the encoder beside it; got another one's fingerprint. "
            "Copy or train the classifier again."
        )
    classifier = _rebuilt(path, encoder, description["settings"])
    weights, data = _read_weights(folder, description["weights"])
    tensors = parse_tensors(data, weights, DamagedDataError)
    check_tensors(tensors, classifier.own_tensors(), weights, DamagedDataError)
    classifier.head.load_state_dict(tensors, strict=False)
    if classifier.fingerprint() != description["fingerprint"]:
        raise DamagedDataError(
            f"{path} must carry the fingerprint of the classifier it describes; got "
            f"{description['fingerprint']!r}. The file was changed after it was written."
        )
    return classifier.eval()


def _rebuilt(path: Path, encoder: Encoder, settings: dict[str, Any]) -> Classifier:
    """A classifier with the encoder's weights, those of its own still by chance."""
    try:
        classes = [str(name) for name in settings["classes"]]
        with torch.random.fork_rng(devices=[]):
            head: Head = build_head(settings["head"], encoder.backbone.channels, len(classes))
        if head.pooling.settings() != encoder.pooling.settings():
            raise ValueError(f"the head pools by {head.pooling.settings()}, the encoder does not")
        head.pooling = encoder.pooling
        return Classifier(
            encoder.backbone, head, encoder.transform, classes, float(settings["temperature"])
        )
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise DamagedDataError(
            f"{path} must hold the settings of a classifier; got ones that make none: {error!r}."
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(
            f"{path.parent} must hold a classifier; got no readable {path.name}: "
            f"{error.strerror}. Give the folder that fgir train made of a recipe with "
            'task = "recognition".'
        ) from error
    return parse_description(path, data, "a classifier", format=FORMAT, version=VERSION, keys=_KEYS)


def _read_weights(folder: Path, entry: dict[str, Any]) -> tuple[Path, bytes]:
    name = str(entry.get("file"))
    if Path(name).name != name:
        raise DamagedDataError(f"{folder / DESCRIPTION} must name weights beside it; got {name!r}.")
    path = folder / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedDataError(
            f"{path} must be readable; got: {error.strerror}. Copy the whole folder again."
        ) from error
    if hashlib.sha256(data).hexdigest() != entry.get("sha256"):
        raise DamagedDataError(
            f"{path} must be what was written; got {len(data)} bytes with another SHA-256. "
            "Copy or train the classifier again."
        )
    return path, data
