"""The square root of symmetric matrices by their eigenvalues, with a gradient that is safe."""

from typing import Any

import torch
from torch import Tensor

EIGENVALUE_FLOOR = 1e-12
"""Of eigenvalues over the largest one: below it they count as this much."""


def matrix_root(matrices: Tensor) -> Tensor:
    r"""Positive semidefinite (B, C, C) to their square roots, computed in float64.

    The gradient solves the Lyapunov equation :math:`Z X + X Z = \partial L / \partial Z`, which the
    derivative of :math:`Z Z = A` is. With eigenvectors Q and roots :math:`\sqrt{\lambda_i}`

    .. math:: X = Q \Big[ \frac{(Q^\top G Q)_{ij}}{\sqrt{\lambda_i} + \sqrt{\lambda_j}} \Big]
        Q^\top

    No difference of eigenvalues is divided by, as the derivative of single eigenvectors would:
    equal ones, which every map with fewer positions than channels has, do no harm.

    A matrix that is not finite has a root of NaN, and the others of the batch are not affected.

    References:
        Lin, Maji, Improved bilinear pooling with CNNs, BMVC 2017, section 3.2.
    """
    root: Tensor = _Root.apply(matrices.double())
    return root.to(matrices.dtype)


class _Root(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, matrices: Tensor) -> Tensor:  # noqa: ANN401
        usable = matrices.isfinite().flatten(1).all(dim=1)[:, None, None]
        identity = torch.eye(matrices.shape[1], dtype=matrices.dtype, device=matrices.device)
        values, vectors = torch.linalg.eigh(torch.where(usable, matrices, identity))
        least = EIGENVALUE_FLOOR * values[:, -1:].clamp(min=EIGENVALUE_FLOOR)
        roots = values.clamp(min=0).maximum(least).sqrt()
        ctx.save_for_backward(roots, vectors)
        made = vectors * roots[:, None] @ vectors.transpose(1, 2)
        return torch.where(usable, made, torch.nan)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        roots, vectors = ctx.saved_tensors
        turned = vectors.transpose(1, 2) @ gradients[0] @ vectors
        solved = turned / (roots[:, :, None] + roots[:, None, :])
        symmetric: Tensor = vectors @ (solved + solved.transpose(1, 2)) @ vectors.transpose(1, 2)
        return symmetric / 2
