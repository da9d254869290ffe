"""Layers once more, position by position."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

Numbers = NDArray[np.float64]


def numbers(layer: nn.Module, name: str = "weight") -> Numbers:
    """A tensor that a layer keeps."""
    made: Numbers = getattr(layer, name).detach().double().numpy()
    return made


def linear(x: Numbers, layer: nn.Module) -> Numbers:
    """A linear layer of one vector, or of the rows of a matrix."""
    made: Numbers = x @ numbers(layer).T + numbers(layer, "bias")
    return made


def surprise(logits: Numbers, target: int) -> float:
    """Cross-entropy of one picture."""
    return float(np.log(np.exp(logits).sum()) - logits[target])


def convolved(x: Numbers, weight: Numbers) -> Numbers:
    """One map (C, h, w) with odd kernels (D, C, k, k), padded with 0: (D, h, w)."""
    reach = weight.shape[2] // 2
    made = np.zeros((len(weight), *x.shape[1:]))
    for i, j in np.ndindex(*x.shape[1:]):
        for a, b in np.ndindex(*weight.shape[2:]):
            y, z = i + a - reach, j + b - reach
            if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                made[:, i, j] += weight[:, :, a, b] @ x[:, y, z]
    return made
