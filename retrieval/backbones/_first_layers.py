"""The first layers of a network as a network."""

import math

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ._backbone import Backbone


class FirstLayers(Backbone):
    """A chain of layers, cut before its end.

    The early map is the last one of a finer resolution than what is kept ends with, or the first
    layer's where all have one resolution.

    Args:
        whole: A network whose layers run one after the other.
        keep: How many of them stay, 1 or more.

    Raises:
        BadInputError: No such chain, or it has fewer layers.
    """

    def __init__(self, whole: Backbone, keep: int) -> None:
        super().__init__()
        layers, _ = whole.layers()
        if not 1 <= keep <= len(layers):
            raise BadInputError(
                f"keep_layers must be in 1..{len(layers)} for {whole.name}; got {keep}."
            )
        self.first = nn.ModuleList(layers[:keep])
        self.name, self.size, self.fixed_size = whole.name, whole.size, whole.fixed_size
        self.mean, self.std, self.ignored = whole.mean, whole.std, whole.ignored
        self.last_stride, self.keep_layers = whole.last_stride, keep
        shapes = self._shapes()
        finer = [number for number, shape in enumerate(shapes) if shape[2] > shapes[-1][2]]
        self._early = finer[-1] if finer else 0
        self.channels = (shapes[self._early][1], shapes[-1][1])
        self.stride = 2 ** round(math.log2(whole.size / shapes[-1][2]))

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self._maps(images)
        return maps[self._early], maps[-1]

    def forward(self, images: Tensor) -> Tensor:
        for layer in self.first:
            images = layer(images)
        return images

    def layers(self) -> tuple[list[nn.Module], int]:
        return list(self.first), self._early + 1

    def _maps(self, images: Tensor) -> list[Tensor]:
        maps = []
        for layer in self.first:
            images = layer(images)
            maps.append(images)
        return maps

    @torch.no_grad()
    def _shapes(self) -> list[torch.Size]:
        training = self.training
        maps = self.eval()._maps(torch.zeros(1, 3, self.size, self.size))
        self.train(training)
        return [found.shape for found in maps]
