"""What a run asks of a task."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from retrieval import plugins
from retrieval.data import Benchmark
from retrieval.errors import BadInputError

from .. import losses
from ..config import TrainConfig
from ..data import TrainingData
from ..network import Network
from ..optimization import AnyEncoder
from ..pair_network import PairNetwork
from ..pictures import Batch
from ..ranks import Ranks
from ..samplers import PKSampler
from ..validation import ValidationScore

AnyNetwork = Network | PairNetwork


class MadeBatches(Protocol):
    """Where the batches of an epoch come from."""

    def epoch(
        self, epoch: int, batches: Sequence[NDArray[np.int64]], start: int = 0
    ) -> Generator[Batch, None, None]:
        """Batches ``start`` and later of an epoch, in order."""
        ...


class Task(ABC):
    """The parts of a run that depend on what is learned; the loop over epochs does not.

    Attributes:
        encoder: What is trained and kept.
        data: What it is trained on.
        figures: What the two validation figures are called in the line of an epoch.
        pictures: How many a position of a batch stands for.
        has_head: Whether the recipe's ``head`` and ``scheme`` are read.

    Args:
        config: The recipe.
        benchmark: The data it names.
        device: Where to train.
        ranks: Who else works on a step.
    """

    encoder: AnyEncoder
    data: TrainingData[Any]
    figures: tuple[str, str]
    pictures: int = 1
    has_head: bool = False

    def __init__(
        self, config: TrainConfig, benchmark: Benchmark, device: torch.device, ranks: Ranks
    ) -> None:
        self.config, self.benchmark, self.device, self.ranks = config, benchmark, device, ranks
        for name, table in (("head", config.head), ("scheme", config.scheme)):
            if table and not self.has_head:
                raise BadInputError(
                    f"{name} must be left out with task {config.task}, which learns vectors; got "
                    f'{table}. Set task = "recognition".'
                )
        ranks.check_batch(config.sampler.classes * config.sampler.images)

    @cached_property
    @abstractmethod
    def network(self) -> AnyNetwork:
        """The encoder as a step computes it, made when norms are as they will be in training."""

    @abstractmethod
    def batches(self, on_step: Callable[[int, int], None]) -> MadeBatches:
        """Varied training pictures.

        Args:
            on_step: Told how far what is computed beforehand has got.
        """

    @abstractmethod
    def score(self, encoder: AnyEncoder) -> ValidationScore:
        """How well the encoder, or its running average, does on what was held out."""

    def loss(self) -> nn.Module:
        """What is made small, on embeddings and targets of a batch."""
        made: nn.Module = plugins.build(
            losses,
            self.config.loss,
            num_classes=self.data.num_classes,
            dim=self.encoder.dim,
            superclasses=self.data.superclasses,
        )
        return made

    def sampler(self) -> PKSampler:
        """Which pictures meet in a batch."""
        chosen = self.config.sampler
        return PKSampler(
            self.data.targets, chosen.classes, chosen.images, chosen.steps, self.config.seed
        )

    def prepare(self, progress: float) -> list[str]:
        """Look at the training part before an epoch; notes on what was found.

        Args:
            progress: Share of the run that is done, in [0, 1).
        """
        return []

    def kept(self, encoder: AnyEncoder) -> AnyEncoder:
        """What is validated and written for an encoder, or its running average, as it is now."""
        return encoder

    def finish(self, best: Path) -> list[str]:
        """What is left to do to the best encoder, in its folder, at the end; notes on it."""
        return []


class Halves(nn.Module):
    """A loss of sketches against photos on a batch that is the one half and then the other.

    Args:
        loss: Takes references, see :class:`train.losses.Loss`.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.between = loss

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        """(2B, D) and (B,) to a scalar."""
        sketches, photos = embeddings.chunk(2)
        loss: Tensor = self.between(sketches, targets, photos, targets)
        return loss
