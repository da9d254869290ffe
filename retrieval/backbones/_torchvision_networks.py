"""Classification networks of torchvision, cut before their global pooling."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models

from ..errors import BadInputError
from ..tensors import read_tensors
from ._backbone import Backbone
from ._weights import load_kept

LIBRARY = "torchvision"

CONTAINERS = ("features", "layers", "blocks", "trunk_output")
"""Names under which the library keeps layers that run one after the other."""

CLASSIFIER = ("avgpool", "flatten", "dropout", "classifier", "fc", "head")
"""Names of what comes after the last map."""

SIDE_BRANCHES = ("aux1", "aux2", "AuxLogits")
"""Classifiers that only help training."""

TRIAL_SIZE = 224
"""Side of the picture that shows what comes out of each layer; every network takes it."""


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
        backbone = CutNetwork(network)
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
    return backbone


class CutNetwork(Backbone):
    """A network whose layers run one after the other, cut in two: ``early``, then ``rest``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        layers = list(_layers(network))
        maps = _shapes(layers)
        sides = [shape[-2] for shape in maps]  # of (C, h, w) as of (h, w, C)
        if isinstance(network, models.VGG):
            cut = _relu5_2(layers)
        else:
            cut = max(number for number, side in enumerate(sides) if side > sides[-1])
        self.early, self.rest = nn.Sequential(*layers[: cut + 1]), nn.Sequential(*layers[cut + 1 :])
        # Swin keeps channels in the last axis until its very end.
        self.channels_last_axis = isinstance(network, models.SwinTransformer)
        self.channels = (maps[cut][-1 if self.channels_last_axis else -3], maps[-1][-3])
        self.stride = 2 ** round(math.log2(TRIAL_SIZE / sides[-1]))
        self.is_resnet = isinstance(network, models.ResNet)

    def set_last_stride(self, stride: int) -> None:
        if not self.is_resnet or stride != 1:
            return super().set_last_stride(stride)
        for layer in self.rest.modules():
            if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2):
                layer.stride = (1, 1)
        self.stride, self.last_stride = self.stride // 2, stride
        return None

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        early = self.early(images)
        last = self.rest(early)
        return (early.permute(0, 3, 1, 2) if self.channels_last_axis else early), last

    def layers(self) -> tuple[list[nn.Module], int]:
        if self.channels_last_axis:
            return super().layers()
        return [*self.early, *self.rest], len(self.early)


class PatchTransformer(Backbone):
    """A vision transformer; its patch tokens are laid back where they came from.

    Other sizes than the trained one work: the position embedding is resized (bicubic).
    """

    def __init__(self, network: models.VisionTransformer) -> None:
        super().__init__()
        self.patches, self.class_token = network.conv_proj, network.class_token
        self.encoder: Any = network.encoder
        self.channels, self.stride = (network.hidden_dim, network.hidden_dim), network.patch_size

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        patches = self.patches(images)  # (B, C, h, w)
        grid = patches.shape[2:]
        tokens = patches.flatten(2).transpose(1, 2)  # (B, h w, C)
        first = self.class_token.expand(images.shape[0], -1, -1)
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
    return tokens[:, 1:].transpose(1, 2).reshape(tokens.shape[0], -1, *grid)


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


@torch.no_grad()
def _shapes(layers: Sequence[nn.Module]) -> list[torch.Size]:
    """Shape of one image's features after each layer."""
    network = nn.Sequential(*layers).eval()
    features = torch.zeros(1, 3, TRIAL_SIZE, TRIAL_SIZE)
    shapes = []
    for layer in network:
        features = layer(features)
        shapes.append(features.shape)
    return shapes


def _relu5_2(layers: Sequence[nn.Module]) -> int:
    """Number of the second ReLU in a VGG's fifth group."""
    pools = [number for number, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
    relus = [
        number
        for number, layer in enumerate(layers)
        if isinstance(layer, nn.ReLU) and number > pools[-2]
    ]
    return relus[1]


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
