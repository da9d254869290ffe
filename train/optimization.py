"""Which weights move how fast, and when."""

import math
from collections.abc import Iterator

import torch
from torch import nn

from retrieval.backbones import Backbone
from retrieval.classifier import Classifier
from retrieval.encoder import Encoder
from retrieval.encoder_pair import EncoderPair

from .config import OptimizerConfig, ScheduleConfig

MOMENTUM = 0.9


AnyEncoder = Encoder | EncoderPair | Classifier
"""What a run may train."""


def doors_of(encoder: AnyEncoder) -> list[Encoder | Classifier]:
    """The encoders of a pair, or the one."""
    if isinstance(encoder, EncoderPair):
        return [encoder.photo] if encoder.siamese else [encoder.photo, encoder.sketch]
    return [encoder]


def backbones_of(encoder: AnyEncoder) -> list[Backbone]:
    """The different backbones of an encoder or a pair."""
    found = [door.backbone for door in doors_of(encoder)]
    return found[:1] if found[0] is found[-1] else found


def make_optimizer(
    encoder: AnyEncoder, loss: nn.Module, config: OptimizerConfig
) -> torch.optim.Optimizer:
    """An optimizer over backbone, head and loss, each with its own peak learning rate.

    Weight decay pulls weights to zero, which means something only where a weight multiplies an
    input: biases, norms and other vectors are left alone, and so are the loss's proxies. A group
    whose learning rate is 0 is frozen.
    """
    backbones = backbones_of(encoder)
    head = [
        (name, module)
        for door in doors_of(encoder)
        for name, module in door.named_children()
        if all(module is not backbone for backbone in backbones)
    ]
    shared: set[nn.Parameter] = set()  # of two doors, counted once
    groups = [
        *(
            group
            for backbone in backbones
            for group in _groups(
                "backbone", backbone, config.backbone_learning_rate, config, shared
            )
        ),
        *(g for n, m in head for g in _groups(n, m, config.head_learning_rate, config, shared)),
        *_groups("loss", loss, config.loss_learning_rate, config, shared, decay=False),
    ]
    if config.name == "sgd":
        return torch.optim.SGD(groups, momentum=MOMENTUM, nesterov=True)
    return torch.optim.AdamW(groups)


def _groups(
    name: str,
    module: nn.Module,
    learning_rate: float,
    config: OptimizerConfig,
    shared: set[nn.Parameter],
    decay: bool = True,
) -> Iterator[dict[str, object]]:
    learned = [p for p in module.parameters() if p.requires_grad and p not in shared]
    shared.update(learned)
    if learning_rate == 0:
        for parameter in learned:
            parameter.requires_grad_(False)
        return
    multiplying = [p for p in learned if decay and p.ndim > 1]
    others = [p for p in learned if not decay or p.ndim <= 1]
    for parameters, weight_decay in ((multiplying, config.weight_decay), (others, 0.0)):
        if parameters:
            yield {
                "name": name,
                "params": parameters,
                "lr": learning_rate,
                "peak": learning_rate,
                "weight_decay": weight_decay,
            }


def learning_rate_share(step: int, steps_per_epoch: int, config: ScheduleConfig) -> float:
    """Share of the peak learning rate at a step: a straight rise, then half a cosine or steps.

    Example:
        >>> config = ScheduleConfig(epochs=10, warmup=1)
        >>> [round(learning_rate_share(step, 4, config), 3) for step in (0, 3, 4, 22, 39)]
        [0.25, 1.0, 1.0, 0.5, 0.002]
    """
    warmup = round(config.warmup * steps_per_epoch)
    if step < warmup:
        return (step + 1) / warmup
    if config.decay_epochs is not None:
        return config.decay ** (step // steps_per_epoch // config.decay_epochs)
    progress = (step - warmup) / max(1, config.epochs * steps_per_epoch - warmup)
    falling = (1 + math.cos(math.pi * progress)) / 2
    return config.final_share + (1 - config.final_share) * falling


def set_learning_rates(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Set every group to this share of its peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share


def rest_backbone(optimizer: torch.optim.Optimizer, *, rest: bool) -> None:
    """Leave the weights of the backbone out of what learns, or take them in again."""
    for group in optimizer.param_groups:
        if group["name"] == "backbone":
            for parameter in group["params"]:
                parameter.requires_grad_(not rest)


def keep_norms(module: nn.Module) -> None:
    """Put every BatchNorm in evaluation mode and stop learning its scale and shift."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()
            part.requires_grad_(False)
