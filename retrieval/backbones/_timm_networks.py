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
    try:
        backbone.measure()
    except (RuntimeError, TypeError, AttributeError, ValueError) as error:
        raise BadInputError(
            f"{name} must give feature maps; got none that fgir understands: {error}. "
            "Choose another network."
        ) from error
    return backbone


class TimmNetwork(Backbone):
    """Any network of timm; the tokens of a transformer are laid back where they came from.

    Class, distillation and register tokens are left out. A transformer's last map has its final
    normalisation, as the classifier sees it.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network
        stages: Any = network.feature_info
        reductions = [int(stage["reduction"]) for stage in getattr(stages, "info", stages)]
        self.reduction = reductions[-1]
        finer = [number for number, value in enumerate(reductions) if value < self.reduction]
        self.early_stage = finer[-1] if finer else len(reductions) - 2
        self.prefix = int(getattr(network, "num_prefix_tokens", 0))
        self.channels_last_axis = getattr(network, "output_fmt", "NCHW") == "NHWC"

    def forward(self, images: Tensor) -> Tensor:
        return self._as_map(self.network.forward_features(images), images)

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        last, (early,) = self.network.forward_intermediates(
            images, indices=[self.early_stage], output_fmt="NCHW"
        )
        return early, self._as_map(last, images)

    def _as_map(self, features: Tensor, images: Tensor) -> Tensor:
        """Maps of either layout, or tokens (B, prefix + h w, C), to (B, C, h, w)."""
        if features.dim() == 4:
            return features.permute(0, 3, 1, 2) if self.channels_last_axis else features
        grid = self._grid(features.shape[1] - self.prefix, images)
        return features[:, self.prefix :].transpose(1, 2).reshape(len(images), -1, *grid)

    def _grid(self, patches: int, images: Tensor) -> tuple[int, int]:
        """Rows and columns of so many patches; networks round up or down at the border."""
        height, width = images.shape[2:]
        for rounding in (0, self.reduction - 1):
            grid = (height + rounding) // self.reduction, (width + rounding) // self.reduction
            if grid[0] * grid[1] == patches:
                return grid
        raise BadInputError(
            f"{self.name} must give one feature for every {self.reduction} pixels of an image; got "
            f"{patches} for one of {height} x {width}. Use a size that is a multiple of that."
        )


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
