"""Named tensors in a safetensors file: read without trusting it, compared with what a network has.

Safetensors holds numbers only, so a hostile file costs an error and never runs code. It does not
notice a flipped bit, so names, shapes, types and finiteness are compared here with the network
that will carry the numbers, and a checkpoint adds a SHA-256.
"""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

from .errors import BadInputError, FgirError

PICKLES = (".pt", ".pth", ".pkl", ".bin", ".ckpt", ".tar")
"""Suffixes under which weights travel as pickle, a format that runs code when it is opened."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file by name, on the CPU.

    Raises:
        BadInputError: No such file, a pickle, or not a whole safetensors file.
    """
    if path.suffix.lower() in PICKLES:
        raise BadInputError(
            f"weights must be a safetensors file; got {path}. Opening a {path.suffix} file can run "
            "code: convert it once where you trust it, with safetensors.torch.save_file(state)."
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(
            f"weights must be a readable safetensors file; got {path}: {error.strerror}. "
            "Give the path of the file."
        ) from error
    return parse_tensors(data, path)


def parse_tensors(
    data: bytes, path: Path, failure: type[FgirError] = BadInputError
) -> dict[str, Tensor]:
    """Every tensor in the bytes of a safetensors file.

    Args:
        data: The whole file. Bytes, not a mapping: a file cut while it is mapped ends the process.
        path: Where the bytes come from, for the message.
        failure: The error to raise.
    """
    try:
        return safetensors.load(data)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise failure(
            f"{path} must be a whole safetensors file; got {len(data)} bytes, not one: {error}. "
            "Fetch or convert it again."
        ) from error


def device_of(module: nn.Module) -> torch.device:
    """Where a module's parameters and buffers lie; the processor for one that has none."""
    tensors = chain(module.parameters(), module.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def check_tensors(
    got: Mapping[str, Tensor],
    want: Mapping[str, Tensor],
    path: Path,
    failure: type[FgirError] = BadInputError,
) -> None:
    """Raise unless ``got`` has exactly the names, shapes and types of ``want``, all finite.

    Args:
        got: What the file holds.
        want: What the network has.
        path: The file, for the message.
        failure: The error to raise.
    """
    for words, names in (
        ("lacks", sorted(want.keys() - got.keys())),
        ("has the unknown", sorted(got.keys() - want.keys())),
    ):
        if names:
            raise failure(
                f"{path} must hold the tensors of this network; it {words} {names[0]!r} "
                f"({len(names)} such, beside {len(want)} known). It is of another network."
            )
    for name, tensor in want.items():
        _check_tensor(got[name], tensor, f"{path}: tensor {name!r}", failure)


def _check_tensor(got: Tensor, want: Tensor, name: str, failure: type[FgirError]) -> None:
    if got.shape != want.shape or got.dtype != want.dtype:
        raise failure(
            f"{name} must be {_kind(want)}; got {_kind(got)}. The file is of another network."
        )
    if not torch.isfinite(got).all():
        bad = int((~torch.isfinite(got)).sum())
        raise failure(
            f"{name} must be finite; got {bad} of {got.numel()} values NaN or infinite. "
            "The training diverged or the file is damaged."
        )


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
