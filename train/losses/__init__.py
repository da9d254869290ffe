"""Embeddings and targets to a scalar. One loss a file; the file's name is its name in a recipe."""

from typing import Protocol, runtime_checkable

from torch import Tensor


class Loss(Protocol):
    """What the trainer calls. Photo-only training leaves the references out.

    Sketch training passes sketches as embeddings and photos as references.
    """

    def __call__(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        """(B, D) float, (B,) int64 [, (R, D), (R,)] to a scalar, the mean over what it counts."""
        ...


@runtime_checkable
class LearnedEnergy(Protocol):
    """A loss that ranks by an energy it learned, not by cosine."""

    def energy_weight(self) -> Tensor:
        """W, (D, D), see :mod:`retrieval.energy`."""
        ...
