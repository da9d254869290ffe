"""Everything a run needs to go on as if it had never stopped, in one file that proves itself.

A state is a safetensors file, written atomically: tensors (weights, moments of the optimizer, the
random generator) and, in its header, numbers and history as JSON and a SHA-256 over names, shapes,
types, values and that JSON. No pickle: opening a state cannot run code, and a flipped bit anywhere
is found.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from retrieval.errors import BadInputError, DamagedDataError
from retrieval.files import write_atomically

FORMAT = 1
KEPT = 2
"""States kept in a run folder, the newest ones."""


@dataclass
class State:
    """A moment of a run.

    Attributes:
        tensors: By name, such as "encoder/backbone.conv.weight" or "optimizer/3/exp_avg".
        facts: Plain values: epoch, step, history.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def write_state(state: State, folder: Path) -> Path:
    """Write a state beside the older ones, then drop all but the newest few.

    The file is named by epoch and step, so an older state is whole until the new one is.

    Raises:
        StorageError: The disk is full or failing. Older states are untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = json.dumps({**state.facts, "format": FORMAT})
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    metadata = {"facts": facts, "sha256": _digest(tensors, facts)}
    path = folder / f"epoch-{state.facts['epoch']:05d}-step-{state.facts['step']:06d}.safetensors"
    write_atomically(path, save_tensors(tensors, metadata))
    for old in state_files(folder)[:-KEPT]:
        old.unlink()
    return path


def state_files(folder: Path) -> list[Path]:
    """States in a folder, oldest first."""
    return sorted(folder.glob("epoch-*-step-*.safetensors"))


def read_state(path: Path) -> State:
    """Read a state and check that it is what was written.

    Raises:
        DamagedDataError: A bit differs, the file was cut, or it never was a state.
    """
    try:
        data = path.read_bytes()
        tensors: dict[str, Tensor] = load_tensors(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        metadata = header["__metadata__"]
        facts, sha256 = metadata["facts"], metadata["sha256"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _damaged(path, f"one that cannot be read ({error})") from error
    if _digest(tensors, facts) != sha256:
        raise _damaged(path, "one whose content differs from what was written")
    parsed: dict[str, Any] = json.loads(facts)
    if parsed.get("format") != FORMAT:
        raise BadInputError(
            f"{path} must be a state of format {FORMAT}; got {parsed.get('format')}. "
            "Resume it with the version that wrote it."
        )
    return State(tensors, parsed)


def _damaged(path: Path, got: str) -> DamagedDataError:
    return DamagedDataError(
        f"{path} must be a whole state; got {got}. "
        "Resume from the state before it, or train anew into another folder."
    )


def _digest(tensors: Mapping[str, Tensor], facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers of a module under names with a prefix.

    What two parts of the module share is there twice, as the format wants it.
    """
    tensors: dict[str, Tensor] = {}
    places = set()
    for name, tensor in module.state_dict().items():
        tensors[f"{prefix}/{name}"] = tensor.clone() if tensor.data_ptr() in places else tensor
        places.add(tensor.data_ptr())
    return tensors


def load_module(prefix: str, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put back what :func:`module_tensors` took.

    Raises:
        BadInputError: The module has other tensors than the state.
    """
    found = {
        name.removeprefix(f"{prefix}/"): tensor
        for name, tensor in tensors.items()
        if name.startswith(f"{prefix}/")
    }
    want = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in found.items()}
    differing = sorted(set(want.items()) ^ set(got.items()))
    if differing:
        name = differing[0][0]
        raise BadInputError(
            f"state must hold the {prefix} of its run; {name!r} must be {want.get(name)}, "
            f"got {got.get(name)}. Resume with the version that wrote it."
        )
    module.load_state_dict(found)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and step counts of an optimizer by the number of their parameter."""
    return {
        f"optimizer/{number}/{key}": value
        for number, moments in optimizer.state_dict()["state"].items()
        for key, value in moments.items()
        if value is not None
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` took; learning rates come from the schedule."""
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "optimizer":
            number, _, key = rest.partition("/")
            moments.setdefault(int(number), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    for parameter, kept in optimizer.state.items():
        for key, moment in kept.items():
            # A moment lies in memory as its parameter does: otherwise the same sum is done in
            # another order and the last bit may differ.
            fits = moment.shape == parameter.shape
            kept[key] = torch.empty_like(parameter if fits else moment).copy_(moment)
