"""Classification networks of torchvision, cut before their global pooling."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models

from ..errors import BadInputError
from ..tensors import read_tensors
from ._backbone import Backbone, run_without_numbers
from ._weights import load_kept

LIBRARY = "torchvision"

CONTAINERS = ("features", "layers", "blocks", "trunk_output")
"""Names under which the library keeps layers that run one after the other."""

CLASSIFIER = ("avgpool", "flatten", "dropout", "classifier", "fc", "head")
"""Names of what comes after the last map."""

SIDE_BRANCHES = ("aux1", "aux2", "AuxLogits")
"""Classifiers that only help training."""


def names() -> list[str]:
    """Classification networks of the installed torchvision."""
    return list(models.list_models(module=models))


def has(name: str) -> bool:
    """Whether this library has such a network."""
    return name in names()


def build(name: str, *, weights: Path | None, pretrained: bool) -> Backbone:
    """The network ``name``, cut, with weights from a file, downloaded, or random."""
    published = models.get_model_weights(name).DEFAULT
    preset = published.transforms()
    size = preset.crop_size[0]
    network = _network(name, size)
    state = network.state_dict(keep_vars=True)
    backbone: Backbone
    if isinstance(network, models.VisionTransformer):
        backbone = PatchTransformer(network)
    else:
        backbone = CutNetwork(network, size)
    backbone.name, backbone.size = f"{LIBRARY}:{name}", size
    if isinstance(network, models.GoogLeNet | models.Inception3):
        backbone.mean = backbone.std = (0.5, 0.5, 0.5)  # their weights were trained that way
    else:
        backbone.mean, backbone.std = tuple(preset.mean), tuple(preset.std)
    backbone.fixed_size = isinstance(network, models.MaxVit)
    if weights is not None:
        backbone.ignored = load_kept(state, backbone, read_tensors(weights), weights)
    elif pretrained:
        backbone.ignored = load_kept(state, backbone, _download(published), Path(published.url))
    backbone.measure()
    return backbone


class CutNetwork(Backbone):
    """A network whose layers run one after the other, cut in two: ``early``, then ``rest``."""

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        layers = list(_layers(network))
        cut = _relu5_2(layers) if isinstance(network, models.VGG) else _coarsest(layers, size)
        self.early, self.rest = nn.Sequential(*layers[:cut]), nn.Sequential(*layers[cut:])
        # Swin keeps channels in the last axis until its very end
        self.channels_last_axis = isinstance(network, models.SwinTransformer)

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        early = self.early(images)
        last = self.rest(early)
        return (early.permute(0, 3, 1, 2) if self.channels_last_axis else early), last


class PatchTransformer(Backbone):
    """A vision transformer; its patch tokens are laid back where they came from.

    Other sizes than the trained one work: the position embedding is resized (bicubic).
    """

    def __init__(self, network: models.VisionTransformer) -> None:
        super().__init__()
        self.patches, self.class_token = network.conv_proj, network.class_token
        self.encoder: Any = network.encoder

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        patches = self.patches(images)  # (B, C, h, w)
        grid = patches.shape[2:]
        tokens = patches.flatten(2).transpose(1, 2)  # (B, h w, C)
        first = self.class_token.expand(len(images), -1, -1)
        tokens = torch.cat([first, tokens], dim=1) + self._positions(grid)
        *blocks, final = self.encoder.layers
        for block in blocks:
            tokens = block(tokens)
        last = self.encoder.ln(final(tokens))
        return _as_map(tokens, grid), _as_map(last, grid)

    def _positions(self, grid: Sequence[int]) -> Tensor:
        positions: Tensor = self.encoder.pos_embedding  # (1, 1 + n n, C)
        side = round((positions.shape[1] - 1) ** 0.5)
        if tuple(grid) == (side, side):
            return positions
        resized = F.interpolate(
            _as_map(positions, (side, side)), tuple(grid), mode="bicubic", antialias=True
        )
        return torch.cat([positions[:, :1], resized.flatten(2).transpose(1, 2)], dim=1)


def _as_map(tokens: Tensor, grid: Sequence[int]) -> Tensor:
    """(B, 1 + h w, C) to (B, C, h, w) without the class token."""
    return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, *grid)


def _network(name: str, size: int) -> nn.Module:
    options: dict[str, Any] = {}
    if name.startswith("vit_"):
        options["image_size"] = size
    elif name in ("googlenet", "inception_v3"):
        options["init_weights"] = True  # the default of those two, which warns that it may change
    network: nn.Module = models.get_model(name, weights=None, **options)
    return network


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    for name, layer in network.named_children():
        if name in CONTAINERS:
            yield from layer.children()
        elif name not in CLASSIFIER + SIDE_BRANCHES:
            yield layer
    if isinstance(network, models.DenseNet):
        yield nn.ReLU(inplace=True)  # the library has it in forward


def _coarsest(layers: Sequence[nn.Module], size: int) -> int:
    """Number of layers before the map reaches its final, coarsest resolution."""
    network = nn.Sequential(*layers)

    def sides(images: Tensor) -> list[int]:
        maps = accumulate(network, lambda features, layer: layer(features), initial=images)
        return [features.shape[-2] for features in maps][1:]  # of (C, h, w) as of (h, w, C)

    found = run_without_numbers(network, sides, size)
    return max(number for number, side in enumerate(found, 1) if side > found[-1])


def _relu5_2(layers: Sequence[nn.Module]) -> int:
    """Number of layers up to and with the second ReLU of a VGG's fifth group."""
    pools = [number for number, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
    relus = [
        number
        for number, layer in enumerate(layers)
        if isinstance(layer, nn.ReLU) and number > pools[-2]
    ]
    return relus[1] + 1


def _download(published: Any) -> dict[str, Tensor]:  # noqa: ANN401
    """The published state dict; only tensors are read from the file, never code."""
    try:
        state = published.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:  # urllib's errors are OSError
        raise BadInputError(
            f"pretrained weights of {published} must be downloaded from {published.url}; "
            f"got {error}. Fetch them elsewhere and give a safetensors file with --weights."
        ) from error
    return dict(state)
