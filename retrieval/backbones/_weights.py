"""Weights of a whole classifier into the part of it that a backbone keeps."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..tensors import check_tensors

LOG = logging.getLogger(__name__)

COUNTER = "num_batches_tracked"
"""Batches a normalisation layer has seen. Older files lack it and no answer depends on it."""


def load_kept(
    whole: Mapping[str, Tensor], kept: nn.Module, tensors: Mapping[str, Tensor], path: Path
) -> tuple[str, ...]:
    """Copy ``tensors``, named as in a whole classifier, into the part ``kept`` of it.

    Every tensor of the kept part must be there with its name, shape and type, and finite. Tensors
    of the part that was cut off may be there, in any shape, or not; no others may.

    Args:
        whole: The classifier's own tensors by name: ``state_dict(keep_vars=True)``.
        kept: The backbone, whose layers are layers of the classifier.
        tensors: A state dict in the library's naming.
        path: Where it comes from, for messages.

    Returns:
        Names of the tensors that were ignored because their layers were cut off.
    """
    alive = {id(tensor) for tensor in kept.state_dict(keep_vars=True).values()}
    want = {name: tensor for name, tensor in whole.items() if id(tensor) in alive}
    cut_off = {_layer(name) for name in whole.keys() - want.keys()}
    cut_off -= {_layer(name) for name in want}
    ignored = tuple(
        sorted(
            name
            for name in tensors
            if name not in want and (name in whole or _layer(name) in cut_off)
        )
    )
    got = {name: tensor for name, tensor in tensors.items() if name not in ignored}
    for name, tensor in want.items():
        if name.endswith(COUNTER):
            got.setdefault(name, tensor.detach())
    check_tensors(got, want, path)
    with torch.no_grad():
        for name, tensor in want.items():
            tensor.copy_(got[name])
    if ignored:
        LOG.info("%s: ignored %s, which belong to the classifier", path, ", ".join(ignored))
    return ignored


def _layer(name: str) -> str:
    return name.split(".", 1)[0]
