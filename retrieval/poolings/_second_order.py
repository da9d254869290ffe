"""What poolings of products of features share."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInputError

ROOT_FLOOR = 1e-8
"""Keeps the slope of the signed root finite at 0; values far above it are not affected."""


def check_sizes(pooling: str, most: int = 1 << 16, **sizes: int) -> None:
    """Raise unless every size is in 1..most."""
    for name, value in sizes.items():
        if not 1 <= value <= most:
            raise BadInputError(f"{name} of {pooling} must be in 1..{most}; got {value}.")


def reduction(pooling: str, channels: int, reduced: int) -> nn.Module:
    """Fewer channels before products of all pairs: 1 x 1 convolution, BatchNorm, ReLU.

    Args:
        pooling: For the message.
        channels: Of the map.
        reduced: Of what comes out; 0 leaves the map as it is.
    """
    check_sizes(pooling, channels=channels)
    if not 0 <= reduced <= 1 << 16:
        raise BadInputError(f"reduced of {pooling} must be in 0..{1 << 16}; got {reduced}.")
    if not reduced:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(channels, reduced, 1, bias=False),
        nn.BatchNorm2d(reduced),
        nn.ReLU(),
    )


def check_channels(pooling: str, own: int, channels: tuple[int, int]) -> None:
    """Raise unless a pooling was made for a last map of so many channels."""
    if channels[1] != own:
        raise BadInputError(
            f"channels of {pooling} must be those of the last map, {channels[1]}; got {own}. "
            "Leave the option out."
        )


def positions(features: Tensor) -> Tensor:
    """(B, C, h, w) to (B, N, C), the descriptor at each of N = hw positions."""
    return features.flatten(2).transpose(1, 2)


def second_moment(features: Tensor) -> Tensor:
    """Mean outer product of the descriptors: (B, C, h, w) to (B, C, C)."""
    columns = features.flatten(2)  # (B, C, N)
    return columns @ columns.transpose(1, 2) / columns.shape[2]


def upper_triangle(matrices: Tensor) -> Tensor:
    """Symmetric (B, C, C) to (B, C(C+1)/2), row by row, the diagonal included."""
    rows, columns = torch.triu_indices(*matrices.shape[1:], device=matrices.device)
    return matrices[:, rows, columns]


def off_diagonal_weights(channels: int, reference: Tensor) -> Tensor:
    r"""(C(C+1)/2,): 1 on the diagonal, :math:`\sqrt2` beside it.

    An upper triangle with these weights has the inner products of the whole matrix, in half the
    numbers.
    """
    rows, columns = torch.triu_indices(channels, channels, device=reference.device)
    one, root = reference.new_tensor(1.0), reference.new_tensor(2**0.5)
    return torch.where((rows == columns).to(reference.device), one, root)


def signed_root(values: Tensor) -> Tensor:
    r"""Elementwise :math:`\operatorname{sign}(z) \sqrt{|z|}`, with a finite slope at 0."""
    return values / (values.abs() + ROOT_FLOOR).sqrt()


def signed_root_and_norm(values: Tensor) -> Tensor:
    """Signed root, then rows of norm 1: (B, D) to (B, D)."""
    return F.normalize(signed_root(values))
