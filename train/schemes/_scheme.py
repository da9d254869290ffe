"""What every scheme offers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass

from torch import Tensor, nn

from retrieval.heads import Head, Maps

Describe = Callable[[Tensor], Tensor]
"""Positions of training pictures, (n,) int64, to their descriptors as they are now, (n, D)."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A batch as a scheme meets it.

    Attributes:
        inputs: Pictures (B, 3, S, S), normalised, for a scheme or a head that looks again; else
            what ``maps`` takes, the output of frozen layers, (B, C, h, w).
        targets: (B,) int64, the classes.
        positions: (B,) int64, which of the training pictures, on the CPU.
        maps: Inputs, or other pictures made of them, to the last and the early map, with gradients.
        epoch: From 0.
        progress: Share of the run that is done, in [0, 1).
    """

    inputs: Tensor
    targets: Tensor
    positions: Tensor
    maps: Maps
    epoch: int
    progress: float


class Scheme(nn.Module, ABC):
    """What is made small in a step, where that is more than a loss of logits.

    A scheme keeps what it learns beside the head (other classifiers, centres) in itself: it moves
    with ``optimizer.loss_learning_rate``, is written with the state of a run, and is left behind
    when the classifier is saved. It may ask in its ``__init__`` for what its builder knows:
    ``loss`` (the loss of logits and targets that the recipe names), ``num_classes``, ``channels``
    and ``early_channels`` of the maps, ``dim`` of the head's descriptor, ``count`` of the training
    pictures, ``superclasses`` (the superclass of each class; None where the benchmark has none).

    Attributes:
        head: The kind of head it trains.
        phases: How many times the weights move in a step; each phase has its own forward pass.
        looks_again: Whether it makes other pictures of those of a batch, and so needs pictures.
        needs_pairs: Whether a batch must have two pictures of a class.
    """

    head: type[Head] = Head  # type: ignore[type-abstract]
    phases: int = 1
    looks_again: bool = False
    needs_pairs: bool = False

    @abstractmethod
    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        """What is made small in a phase: a scalar."""

    def prepare(self, progress: float, targets: Tensor, describe: Describe) -> list[str]:
        """Look at the training part before an epoch; notes on what was found.

        What is found is kept in buffers: a run that goes on in the middle of an epoch does not
        prepare it again.

        Args:
            progress: Share of the run that is done, in [0, 1).
            targets: (N,) int64, of all training pictures, on the CPU.
            describe: What the head pools of whole pictures, in evaluation mode.
        """
        return []

    def learned(self, head: Head, phase: int) -> Collection[nn.Parameter] | None:
        """The weights that move in a phase; None for all of them."""
        return None
