"""Batch normalisation folded into the convolution before it."""

import copy
from collections import Counter
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .backbones import Backbone
from .tensors import device_of

Network = TypeVar("Network", bound=nn.Module)

TOLERANCE = 1e-3
"""Largest relative change of the last map: rounding makes about 1e-6, a wrong fold about 1."""


def folded_backbone(backbone: Backbone) -> Backbone:
    """A copy with fewer layers and the same maps, channels last in memory."""
    device = device_of(backbone)
    random = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, backbone.size, backbone.size, generator=random).to(device)
    return folded(backbone, image)


def folded(network: Network, example: Tensor) -> Network:
    """A copy with fewer layers and the same result, channels last in memory.

    At test time a batch normalisation is ``a x + b`` for each channel, which the convolution
    before it can do by itself. What reads what is seen by running one example; where the fold
    would change the result, because something else reads the convolution too, the copy stays
    unfolded.

    Args:
        network: In eval mode; gives one tensor.
        example: What it takes, a batch of one.
    """
    candidate = copy.deepcopy(network)
    with torch.no_grad():
        for convolution, normalisation in norm_pairs(candidate, example):
            _fold(candidate, convolution, normalisation)
        want, got = network(example), candidate(example)
    if not (want - got).norm() <= TOLERANCE * want.norm():
        candidate = copy.deepcopy(network)
    return candidate.to(memory_format=torch.channels_last)


@torch.no_grad()
def norm_pairs(network: nn.Module, example: Tensor) -> list[tuple[str, str]]:
    """Names of the convolutions whose result a batch normalisation reads, and its name."""
    return _Watched(network).pairs(example)


class _Watched:
    """A network whose convolutions and batch normalisations note what they make and read."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._names = {module: name for name, module in network.named_modules()}
        self._made: dict[int, tuple[str, Tensor]] = {}  # holds the tensor: no id is used twice
        self._pairs: list[tuple[str, str]] = []
        self._calls: Counter[str] = Counter()

    def pairs(self, image: Tensor) -> list[tuple[str, str]]:
        """Names of the convolutions whose result a batch normalisation reads, and its name."""
        hooks = [
            module.register_forward_hook(self._after_convolution)
            for module in self._names
            if isinstance(module, nn.Conv2d)
        ] + [
            module.register_forward_pre_hook(self._before_normalisation)
            for module in self._names
            if isinstance(module, nn.BatchNorm2d)
        ]
        self._network(image)
        for hook in hooks:
            hook.remove()
        return [pair for pair in self._pairs if all(self._calls[name] == 1 for name in pair)]

    def _after_convolution(self, module: nn.Module, _: object, made: Tensor) -> None:
        self._calls[self._names[module]] += 1
        self._made[id(made)] = self._names[module], made

    def _before_normalisation(self, module: nn.Module, read: tuple[Tensor, ...]) -> None:
        self._calls[self._names[module]] += 1
        if id(read[0]) in self._made:
            self._pairs.append((self._made[id(read[0])][0], self._names[module]))


def _fold(network: nn.Module, convolution: str, normalisation: str) -> None:
    first, second = network.get_submodule(convolution), network.get_submodule(normalisation)
    network.set_submodule(convolution, fuse_conv_bn_eval(first, second))  # type: ignore[type-var, arg-type]
    # timm joins normalisation and activation in one layer
    network.set_submodule(normalisation, getattr(second, "act", nn.Identity()))
