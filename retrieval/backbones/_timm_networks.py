"""Classification networks of timm, up to the features that their classifier pools."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
from torch import Tensor, nn

from ..errors import BadInputError
from ..tensors import read_tensors
from ._backbone import Backbone
from ._weights import load_kept

LIBRARY = "timm"

ANY_SIZE: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False})
"""Options under which transformers take other sizes than their own, by family."""


def names() -> list[str]:
    """Networks of the installed timm, without the tags of their weights."""
    return list(timm.list_models())


def has(name: str) -> bool:
    """Whether this library has such a network; a tag may follow, as in "resnet50.a1_in1k"."""
    known: bool = timm.is_model(name)
    return known


def build(name: str, *, weights: Path | None, pretrained: bool) -> Backbone:
    """The network ``name`` without its classifier, weights from a file, downloaded, or random."""
    network, any_size = _network(name, pretrained)
    facts = network.pretrained_cfg
    state = network.state_dict(keep_vars=True)
    network.reset_classifier(0)
    backbone = TimmNetwork(network)
    backbone.name = f"{LIBRARY}:{name}"
    backbone.mean, backbone.std = tuple(facts["mean"]), tuple(facts["std"])
    backbone.size = facts["input_size"][-1]
    backbone.fixed_size = bool(facts.get("fixed_input_size")) and not any_size
    if weights is not None:
        backbone.ignored = load_kept(state, backbone, read_tensors(weights), weights)
    return backbone


class TimmNetwork(Backbone):
    """Any network of timm; the tokens of a transformer are laid back where they came from.

    Class, distillation and register tokens are left out. A transformer's last map has its final
    normalisation, as the classifier sees it.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network
        described: Any = network.feature_info
        width: Any = network.num_features
        stages = list(getattr(described, "info", described))
        reductions = [int(stage["reduction"]) for stage in stages]
        self.stride = reductions[-1]
        finer = [number for number, value in enumerate(reductions) if value < self.stride]
        self.early_stage = finer[-1] if finer else len(reductions) - 2
        self.channels = (int(stages[self.early_stage]["num_chs"]), int(width))
        self.prefix = int(getattr(network, "num_prefix_tokens", 0))
        self.channels_last_axis = getattr(network, "output_fmt", "NCHW") == "NHWC"

    def forward(self, images: Tensor) -> Tensor:
        return self._as_map(self.network.forward_features(images), images)

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        last, (early,) = self.network.forward_intermediates(
            images, indices=[self.early_stage], output_fmt="NCHW"
        )
        return early, self._as_map(last, images)

    def _as_map(self, features: Any, images: Tensor) -> Tensor:  # noqa: ANN401
        """Maps of either layout, or tokens (B, prefix + h w, C), to (B, C, h, w)."""
        result: Tensor | None = None
        if isinstance(features, Tensor) and features.dim() == 4:
            result = features.permute(0, 3, 1, 2) if self.channels_last_axis else features
        elif isinstance(features, Tensor) and features.dim() == 3:
            grid = self._grid(features.shape[1] - self.prefix, images)
            if grid is not None:
                patches = features[:, self.prefix :]
                result = patches.transpose(1, 2).reshape(images.shape[0], -1, *grid)
        if result is None or result.shape[1] != self.channels[1]:
            raise BadInputError(
                f"{self.name} must give one feature for every {self.stride} pixels; it does not "
                f"for an image of {tuple(images.shape[2:])}. Use a size that is a multiple of "
                f"{self.stride}, or another network."
            )
        return result

    def _grid(self, patches: int, images: Tensor) -> tuple[int, int] | None:
        """Rows and columns of so many patches; networks round up or down at the border."""
        height, width = images.shape[2:]
        for rounding in (0, self.stride - 1):
            grid = (height + rounding) // self.stride, (width + rounding) // self.stride
            if grid[0] * grid[1] == patches:
                return grid
        return None


def _network(name: str, pretrained: bool) -> tuple[Any, bool]:
    """The whole classifier, and whether an option made it take any size."""
    for options in ANY_SIZE:
        try:
            return _create(name, pretrained, options), True
        except TypeError:  # not an option of this family
            continue
    return _create(name, pretrained, {}), False


def _create(name: str, pretrained: bool, options: Mapping[str, Any]) -> Any:  # noqa: ANN401
    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except (OSError, RuntimeError) as error:  # no network, no such tag, no published weights
        if not pretrained:
            raise BadInputError(
                f"{name} must be a network that timm can make; got {error}"
            ) from error
        raise BadInputError(
            f"pretrained weights of {name} must be downloaded; got {error} "
            "Fetch them elsewhere and give a safetensors file with --weights."
        ) from error
