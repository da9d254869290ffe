"""Images (B, 3, H, W) to feature maps (B, C, h, w): own networks, torchvision's and timm's.

A file of this folder without a leading underscore is a network of our own and its name is the
file's; every classification network of torchvision and timm is reached by its library's name.
"""

import difflib
import importlib
import sys
from pathlib import Path

from .. import plugins
from ..errors import BadInputError
from ._backbone import Backbone
from ._first_layers import FirstLayers

__all__ = ["Backbone", "build_backbone"]

LIBRARIES = {"torchvision": "_torchvision_networks", "timm": "_timm_networks"}
"""Libraries in the order in which a bare name is looked for, and the file that knows each."""


def build_backbone(
    name: str,
    *,
    weights: Path | None = None,
    pretrained: bool = False,
    last_stride: int | None = None,
    keep_layers: int | None = None,
) -> Backbone:
    """Make the backbone called ``name``.

    Args:
        name: "torchvision:resnet50" or "timm:vit_small_patch16_224"; a bare name is looked for
            among our own networks, then in torchvision, then in timm.
        weights: A safetensors file with the state dict of the whole classifier, named as the
            library names it. Its classifier is not used and may be missing.
        pretrained: Download the library's weights; a network without any has nothing to download.
            Without both, weights are drawn from torch's random generator; seed it for the same
            ones again.
        last_stride: 1 keeps the resolution through the last stage of torchvision's ResNets: a map
            of twice the height and width, with the same weights.
        keep_layers: Cut the network after so many of its layers; the last map is then what the last
            kept one makes. Layers in the middle know less of what a thing is and more of its shape.

    Raises:
        BadInputError: Unknown name, weights that do not fit or cannot be fetched, or a network
            without such a stage.
    """
    if weights is not None and pretrained:
        raise BadInputError(
            f"weights of {name} must come from one place; got --pretrained and {weights}. "
            "Choose one."
        )
    backbone = _build(name, weights, pretrained)
    if last_stride is not None:
        backbone.set_last_stride(last_stride)
    return backbone if keep_layers is None else FirstLayers(backbone, keep_layers)


def _build(name: str, weights: Path | None, pretrained: bool) -> Backbone:
    library, _, network = name.rpartition(":")
    if library and library not in LIBRARIES:
        raise BadInputError(plugins.unknown("library of networks", library, LIBRARIES))
    own = plugins.names(sys.modules[__name__])
    if not library and network in own:
        return _build_own(network, weights, pretrained)
    known = [] if library else own
    for searched in [library] if library else LIBRARIES:
        # importing a library takes seconds: the next one only when the name was not in this one
        networks = importlib.import_module(f"{__name__}.{LIBRARIES[searched]}")
        if networks.has(network):
            backbone: Backbone = networks.build(network, weights=weights, pretrained=pretrained)
            return backbone
        known += networks.names()
    close = difflib.get_close_matches(network, known, n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    where = library or "our own networks, torchvision and timm"
    raise BadInputError(f"no backbone called {network!r} in {where} ({len(known)} names).{hint}")


def _build_own(name: str, weights: Path | None, pretrained: bool) -> Backbone:
    from ..tensors import read_tensors
    from ._weights import load_kept

    backbone: Backbone = plugins.find(sys.modules[__name__], name)()
    backbone.name = name
    if not backbone.state_dict():
        if weights is not None:
            raise BadInputError(f"{name} has no weights; got {weights}. Leave out --weights.")
        return backbone
    if pretrained:
        raise BadInputError(f"{name} has no published weights. Leave out --pretrained.")
    if weights is not None:
        state = backbone.state_dict(keep_vars=True)
        backbone.ignored = load_kept(state, backbone, read_tensors(weights), weights)
    return backbone
