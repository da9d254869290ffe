"""Pictures of the same class together, of others apart: photo encoders."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import cast

import torch

from retrieval.data import Benchmark
from retrieval.encoder import Encoder, build_encoder
from retrieval.errors import BadInputError

from ..cached import CachedMaps
from ..config import TrainConfig
from ..data import TrainingData, prepare
from ..network import Network
from ..optimization import AnyEncoder
from ..pictures import Batches, Pictures
from ..ranks import Ranks, synchronous_norms
from ..validation import ValidationScore
from ._task import MadeBatches, Task


class Classes(Task):
    """One encoder, learned from pictures with class labels, validated on classes held out."""

    encoder: Encoder
    data: TrainingData[Pictures]
    figures = ("Recall@1", "MAP@R")

    def __init__(
        self, config: TrainConfig, benchmark: Benchmark, device: torch.device, ranks: Ranks
    ) -> None:
        super().__init__(config, benchmark, device, ranks)
        if config.sampler.images < 2:
            raise BadInputError(
                f"sampler.images must be 2 or more; got {config.sampler.images}. A class with one "
                "image in a batch has nothing to be pulled to."
            )
        if config.encoder.start:
            raise BadInputError(
                f"encoder.start must be left out where classes are learned; got "
                f"{config.encoder.start!r}. Only pairs go on from another encoder."
            )
        self.encoder = made_encoder(config).to(device).to(memory_format=torch.channels_last)
        if ranks.count > 1 and device.type == "cuda":
            synchronous_norms(self.encoder)
        self.data = prepare(config, benchmark, self.encoder)

    @cached_property
    def network(self) -> Network:
        run = self.config.run
        return Network(
            self.encoder,
            self.config.optimizer.frozen_layers,
            fold=run.freeze_batch_norm,
            bf16=run.precision == "bf16",
        )

    def batches(self, on_step: Callable[[int, int], None]) -> MadeBatches:
        config, pictures = self.config, self.data.pictures
        if not config.run.cached_views:
            transform, threads = self.encoder.transform, config.run.threads
            return Batches(pictures, transform, config.augment, config.seed, threads, self.ranks)
        if self.data.validation is not None:
            self.data.validation.keep(self.network)
        return CachedMaps(pictures, self.network, config, self.ranks, on_step)

    def score(self, encoder: AnyEncoder) -> ValidationScore:
        if self.data.validation is None:
            return ValidationScore(0, 0, 1.0)
        return self.data.validation.score(cast(Encoder, encoder), self.network)


def made_encoder(config: TrainConfig) -> Encoder:
    """The encoder of a recipe, as it starts."""
    chosen = config.encoder
    return build_encoder(
        chosen.backbone,
        chosen.pooling,
        weights=Path(chosen.weights) if chosen.weights else None,
        pretrained=chosen.pretrained,
        size=chosen.size,
        fit=chosen.fit,
        dim=chosen.dim,
        last_stride=chosen.last_stride,
        keep_layers=chosen.keep_layers,
        centred=chosen.centred,
        seed=config.seed,
    )
