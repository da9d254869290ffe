"""Each picture into its class: a backbone, a head and cross-entropy."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from retrieval import plugins
from retrieval.calibration import calibration_error, fit_temperature, probabilities, surprise
from retrieval.classifier import Classifier, build_classifier
from retrieval.classifier_folders import load_classifier, save_classifier
from retrieval.data import Benchmark
from retrieval.errors import BadInputError
from retrieval.heads import Head

from .. import logit_losses, schemes
from ..blending import Blended
from ..cached import CachedMaps
from ..config import EncoderConfig, TrainConfig
from ..data import TrainingData, sha256_of, superclasses_of
from ..describing import described
from ..network import Network
from ..optimization import AnyEncoder
from ..pictures import Batches, Pictures
from ..ranks import Ranks, synchronous_norms
from ..schemes import Scheme
from ..validation import ClassValidation, ValidationScore, split_pictures
from ._task import MadeBatches, Task

_OWN_SETTINGS = ("pooling", "dim", "centred", "start")
"""Of ``encoder``, that a head takes the place of."""


class Recognition(Task):
    """One classifier, learned from pictures with class labels.

    Validated on other pictures of the same classes, the benchmark's own or some that are held out:
    top-1 and top-5. At the end the temperature of
    the best epoch's classifier is fitted to them.
    """

    encoder: Classifier
    data: TrainingData[Pictures]
    figures = ("top-1", "top-5")
    has_head = True

    def __init__(
        self, config: TrainConfig, benchmark: Benchmark, device: torch.device, ranks: Ranks
    ) -> None:
        super().__init__(config, benchmark, device, ranks)
        _check(config, benchmark, ranks)
        split = benchmark.train
        numbers, targets = np.unique(split.targets, return_inverse=True)
        names = [split.names.get(number, str(number)) for number in numbers.tolist()]
        made = made_classifier(config, names)
        self.encoder = made.to(device).to(memory_format=torch.channels_last)
        if ranks.count > 1 and device.type == "cuda":
            synchronous_norms(self.encoder)
        self.validation, self.data = _divided(config, benchmark, targets.astype(np.int64), made)

    @cached_property
    def scheme(self) -> Scheme | None:
        """None where nothing but the loss is learned from."""
        chosen = self.config.scheme or _scheme_of(self.encoder.head)
        if not chosen:
            return None
        channels, early_channels = self.encoder.backbone.channels[::-1]
        made: Scheme = plugins.build(
            schemes,
            chosen,
            loss=self._logit_loss(),
            num_classes=self.data.num_classes,
            channels=channels,
            early_channels=early_channels,
            dim=self.encoder.pooling.out_dim(self.encoder.backbone.channels),
            count=len(self.data.targets),
            superclasses=self.data.superclasses,
        )
        _check_scheme(made, chosen["name"], self.encoder.head, self.config, self.ranks)
        return made

    @cached_property
    def network(self) -> Network:
        run = self.config.run
        looks_again = self.encoder.head.looks_again or (
            self.scheme is not None and self.scheme.looks_again
        )
        if looks_again and run.cached_views:
            raise BadInputError(
                f"run.cached_views must be 0 with {self.config.head['name']}, which makes other "
                f"pictures of those of a batch; got {run.cached_views}. Leave it out."
            )
        return Network(
            self.encoder,
            self.config.optimizer.frozen_layers,
            fold=run.freeze_batch_norm,
            bf16=run.precision == "bf16",
            looks_again=looks_again,
        )

    def loss(self) -> nn.Module:
        return self._logit_loss() if self.scheme is None else self.scheme

    def _logit_loss(self) -> nn.Module:
        made: nn.Module = plugins.build(
            logit_losses, self.config.loss, num_classes=self.data.num_classes
        )
        return made

    def batches(self, on_step: Callable[[int, int], None]) -> MadeBatches:
        config, pictures = self.config, self.data.pictures
        if config.run.cached_views:
            if self.validation is not None:
                self.validation.keep(self.network)
            return CachedMaps(pictures, self.network, config, self.ranks, on_step)
        transform, threads = self.encoder.transform, config.run.threads
        made = Batches(pictures, transform, config.augment, config.seed, threads, self.ranks)
        mixup = config.recognition.mixup
        return Blended(made, mixup, config.seed) if mixup else made

    def prepare(self, progress: float) -> list[str]:
        if self.scheme is None:
            return []
        targets = torch.from_numpy(self.data.targets)
        describe = partial(described, self.data.pictures, self.network)
        return self.scheme.prepare(progress, targets, describe)

    def score(self, encoder: AnyEncoder) -> ValidationScore:
        if self.validation is None:
            return ValidationScore(0, 0, 1.0)
        return self.validation.score(cast(Classifier, encoder), self.network)

    def finish(self, best: Path) -> list[str]:
        """Fit the temperature, and say what it does to the probabilities."""
        if self.validation is None:
            return ["temperature not fitted: nothing is held out. Set validation_share."]
        classifier = load_classifier(best).with_temperature(1.0)
        logits, targets = self.validation.logits(classifier), self.validation.targets
        temperature = fit_temperature(logits, targets)
        save_classifier(classifier.with_temperature(temperature), best, overwrite=True)
        before, after = (
            f"{surprise(logits, targets, one):.3f} nats, ECE "
            f"{calibration_error(probabilities(logits, one), targets):.1%}"
            for one in (1.0, temperature)
        )
        return [
            f"temperature {temperature:.3f} fitted to {len(targets)} validation pictures: "
            f"{before} before, {after} after, on these pictures themselves"
        ]


def made_classifier(config: TrainConfig, names: Sequence[str]) -> Classifier:
    """The classifier of a recipe, as it starts."""
    chosen = config.encoder
    return build_classifier(
        names,
        chosen.backbone,
        config.head,
        weights=Path(chosen.weights) if chosen.weights else None,
        pretrained=chosen.pretrained,
        size=chosen.size,
        fit=chosen.fit,
        last_stride=chosen.last_stride,
        keep_layers=chosen.keep_layers,
        seed=config.seed,
    )


def _scheme_of(head: Head) -> dict[str, Any]:
    """The scheme that a head is trained with where the recipe names none."""
    name = head.settings()["name"]
    if name in plugins.names(schemes):
        return {"name": name}
    return {"name": "plain"} if head.looks_again else {}


def _check_scheme(scheme: Scheme, name: str, head: Head, config: TrainConfig, ranks: Ranks) -> None:
    if not isinstance(head, scheme.head):
        raise BadInputError(
            f"scheme {name} must train {scheme.head.__name__}, a kind of head; got head "
            f"{config.head['name']!r}. See docs/recognition.md for the head that it trains."
        )
    if scheme.needs_pairs and config.sampler.images < 2:
        raise BadInputError(
            f"sampler.images must be 2 or more with scheme {name}, which compares pictures of a "
            f"class; got {config.sampler.images}."
        )
    for setting, value, plain in (
        ("run.pieces", config.run.pieces, 1),
        ("recognition.mixup", config.recognition.mixup, 0),
        ("the number of processes", ranks.count, 1),
    ):
        if value != plain:
            raise BadInputError(
                f"{setting} must be {plain} with scheme {name}, which sees the pictures of a batch "
                f"themselves, all of them; got {value:g}."
            )


def _divided(
    config: TrainConfig,
    benchmark: Benchmark,
    targets: NDArray[np.int64],
    classifier: Classifier,
) -> tuple[ClassValidation | None, TrainingData[Pictures]]:
    transform, split = classifier.transform, benchmark.train
    chosen, own = benchmark.validation, len(benchmark.validation)
    learned, held_out = split_pictures(targets, 0 if own else config.validation_share, config.seed)
    pictures = Pictures(
        [split.paths[i] for i in learned], transform, config.run.cache_mib, config.run.threads
    )
    shown = targets[learned][pictures.kept]
    missing = np.setdiff1d(np.arange(len(classifier.classes)), shown)
    if len(missing):
        raise BadInputError(
            "every class must have a readable picture to learn from; got none of "
            f"{classifier.classes[missing[0]]!r}. Mend its pictures or leave the class out."
        )
    validation = None
    if own:
        numbers = np.unique(split.targets)
        validation = ClassValidation(
            chosen.paths, np.searchsorted(numbers, chosen.targets), transform
        )
    elif len(held_out):
        held = [split.paths[i] for i in held_out]
        validation = ClassValidation(held, targets[held_out], transform)
    notes = tuple(f"left out: {sentence}" for sentence in pictures.rejected)
    sha256 = sha256_of(split)
    count = len(classifier.classes)
    above = superclasses_of(split, np.arange(len(targets)))
    return validation, TrainingData(pictures, shown, count, above, None, sha256, notes)


def _check(config: TrainConfig, benchmark: Benchmark, ranks: Ranks) -> None:
    if not len(benchmark.train):
        raise BadInputError(
            f"{benchmark.name} must have a training part; got none. Take a benchmark with one."
        )
    if not isinstance(config.head.get("name"), str):
        raise BadInputError(
            f"head must be a table with a name; got {config.head}. "
            'Write [head] and name = "softmax" in the recipe.'
        )
    plain = {one.name: one.default for one in fields(EncoderConfig)}
    for name in _OWN_SETTINGS:
        value = getattr(config.encoder, name)
        if value != plain[name]:
            raise BadInputError(
                f"encoder.{name} must be left out where classes are recognised; got {value!r}. "
                "The head makes descriptors and logits: give its options in [head]."
            )
    if config.recognition.mixup and (config.run.cached_views or ranks.count > 1):
        other = "run.cached_views" if config.run.cached_views else "several processes"
        raise BadInputError(
            f"recognition.mixup must be 0 with {other}; got {config.recognition.mixup:g}. "
            "Pictures are blended before the network sees them, all of a batch."
        )
