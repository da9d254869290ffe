"""When to stop a run instead of training on: numbers that are none, vectors that are all one."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from retrieval.errors import FgirError

COLLAPSED = 0.01
"""Spread of validation vectors below which they have collapsed: a mean cosine above 0.9999. In 100
dimensions that is a standard deviation of 0.001 in each."""

NAMED_FILES = 8


class TrainingError(FgirError):
    """The run cannot go on. What it wrote before is whole, and the last state can be resumed."""

    identifier = "training-stopped"
    exit_code = 8


def first_bad_tensor(named: Iterable[tuple[str, Tensor]]) -> str | None:
    """Name of the first tensor that is not finite, with what is wrong with it."""
    for name, tensor in named:
        if not tensor.is_floating_point():
            continue
        bad = int((~tensor.isfinite()).sum())
        if bad:
            return f"{name} ({bad} of {tensor.numel()} values are NaN or infinite)"
    return None


def named_gradients(name: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Gradients of a module by the name of their parameter."""
    for parameter_name, parameter in module.named_parameters():
        if parameter.grad is not None:
            yield f"gradient of {name}.{parameter_name}", parameter.grad


def named_state(name: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Weights and buffers of a module by name."""
    for tensor_name, tensor in module.state_dict().items():
        yield f"{name}.{tensor_name}", tensor


def not_finite(what: str, epoch: int, step: int, files: list[Path]) -> TrainingError:
    """The error for a step whose numbers are none."""
    named = ", ".join(map(str, files[:NAMED_FILES]))
    more = f" and {len(files) - NAMED_FILES} more" if len(files) > NAMED_FILES else ""
    return TrainingError(
        f"training must stay finite; got {what} in epoch {epoch}, step {step}. "
        "Nothing of this step was written. Lower the learning rates, use precision fp32, or look "
        f"at the batch: {named}{more}."
    )


def no_memory(error: BaseException, pieces: int) -> TrainingError:
    """The error for a batch that does not fit."""
    first_line = str(error).strip().partition("\n")[0]
    return TrainingError(
        f"a batch must fit in memory; got {type(error).__name__}: {first_line} "
        f"Set run.pieces above {pieces} for the same loss in less memory, or lower sampler.classes "
        "or encoder.size."
    )


def is_no_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, in the ways torch and numpy say it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def collapsed(spread: float, epoch: int) -> TrainingError:
    """The error for an encoder that gives one vector to every picture."""
    return TrainingError(
        f"vectors must differ between pictures; got a spread of {spread:.2g} around their mean "
        f"after epoch {epoch}: the encoder has collapsed. Lower the learning rates, take an easier "
        "loss (triplet with easy_positive, multi_similarity, proxy_anchor) or a longer warm-up."
    )
