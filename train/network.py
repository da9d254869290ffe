"""How a step computes an encoder or a classifier: what is learned, in the recipe's precision.

Layers that are not learned need no gradients: they run once, folded and rounded, and what comes out
of them can be kept (:mod:`train.cached`). Norms that are frozen are constants: they are folded into
the convolutions before them, with gradients, so that a step neither computes nor remembers them.
"""

import copy
import hashlib
from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from retrieval import heads
from retrieval.backbones import Backbone
from retrieval.classifier import Classifier
from retrieval.encoder import Encoder
from retrieval.errors import BadInputError
from retrieval.folding import TOLERANCE, folded, norm_pairs
from retrieval.tensors import device_of

Learner = Encoder | Classifier
"""What a backbone is a part of: it makes vectors, or logits, of maps."""

Maps = tuple[Tensor | None, Tensor]
"""Early map, where the pooling asks for it, and last map."""


class Network:
    """The frozen and the learned part of an encoder's backbone, as a step computes them.

    Args:
        encoder: On its device. Weights are read from it at every call and never copied, but for
            those of frozen layers.
        frozen_layers: First layers that are not learned. Their weights stop asking for gradients.
        fold: Whether all norms are frozen.
        bf16: Whether to compute in bfloat16.
        looks_again: Whether a head or a scheme makes other pictures of those of a batch: then
            :meth:`features` are the pictures, and the frozen layers run whenever they are looked
            at.

    Raises:
        BadInputError: More frozen layers than the network or its pooling allows.
    """

    def __init__(
        self,
        encoder: Learner,
        frozen_layers: int,
        *,
        fold: bool,
        bf16: bool,
        looks_again: bool = False,
    ) -> None:
        self.encoder, self.frozen_layers, self._bf16 = encoder, frozen_layers, bf16
        self._looks_again = looks_again
        self._dtype = torch.bfloat16 if bf16 else torch.float32
        self._device = device_of(encoder)
        self._frozen: nn.Module | None = None
        example = _example(encoder)
        if frozen_layers:
            frozen = nn.Sequential(*_checked_layers(encoder, frozen_layers)).eval()
            frozen.requires_grad_(False)
            self._frozen = folded(frozen, example).to(self._dtype)
            with torch.no_grad():
                example = frozen(example)
        self.learned = learned_part(encoder, frozen_layers)
        self._folded = FoldedNorms(self.learned, example, self._dtype) if fold else None

    def features(self, images: Tensor) -> Tensor:
        """What the frozen layers make of images: (B, 3, S, S) float32 to (B, C, h, w)."""
        images = images.to(self._device, non_blocking=True)
        return images if self._looks_again else self._past_frozen(images)

    def prepared(self, pixels: Tensor) -> Tensor:
        """Features of pictures as they are decoded, (B, S, S, 3), 0 to 255."""
        return self.features(self.encoder.transform.normalise(pixels))

    def embed(self, features: Tensor) -> Tensor:
        """Vectors, or logits, of :meth:`features`, (B, D) float32, with gradients."""
        return self._outputs(self.encoder, features, self.maps)

    def maps(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Last map and early one of :meth:`features`, float32, with gradients."""
        return self._maps(self.learned if self._folded is None else self._folded, features)

    def keep_frozen(self) -> None:
        """Put the frozen layers in evaluation mode, after everything was put in training mode."""
        if self.frozen_layers:
            for layer in self.encoder.backbone.layers()[0][: self.frozen_layers]:
                layer.eval()

    def vectors(self, encoder: Learner, features: Tensor) -> Tensor:
        """Like :meth:`embed` for an encoder with the same frozen layers, without gradients."""
        learned = learned_part(encoder, self.frozen_layers)
        with torch.no_grad():
            return self._outputs(encoder, features, lambda seen: self._maps(learned, seen))

    def descriptors(self, features: Tensor) -> Tensor:
        """What the pooling makes of :meth:`features`, (B, D'), without gradients."""
        with torch.no_grad():
            last, early = self._maps(learned_part(self.encoder, self.frozen_layers), features)
            described: Tensor = self.encoder.pooling(last, early)
        return described

    def frozen_fingerprint(self) -> str:
        """SHA-256 over the weights of the frozen layers."""
        layers = self.encoder.backbone.layers()[0][: self.frozen_layers]
        digest = hashlib.sha256()
        for name, tensor in sorted(nn.Sequential(*layers).state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)}".encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def compile(self) -> None:
        """Compile what is learned; the first step then takes its time."""
        (self.learned if self._folded is None else self._folded).compile()

    def _outputs(self, encoder: Learner, features: Tensor, maps: heads.Maps) -> Tensor:
        if isinstance(encoder, Classifier):
            return encoder.head.of_images(features, maps)
        return encoder.of_maps(*maps(features))

    def _maps(self, learned: nn.Module, features: Tensor) -> tuple[Tensor, Tensor | None]:
        if self._looks_again:
            features = self._past_frozen(features)
        folded = learned is self._folded
        with torch.autocast(
            features.device.type, torch.bfloat16, enabled=self._bf16 and not folded
        ):
            early, last = learned(features)
        return last.float(), None if early is None else early.float()

    def _past_frozen(self, images: Tensor) -> Tensor:
        if self._frozen is None:
            return images
        with torch.set_grad_enabled(torch.is_grad_enabled() and images.requires_grad):
            made: Tensor = self._frozen(images.to(self._dtype, memory_format=torch.channels_last))
            return made


class Chain(nn.Module):
    """Layers that run one after the other.

    Args:
        layers: In order.
        early: How many of them make the early map; None when it is not asked for.
    """

    def __init__(self, layers: list[nn.Module], early: int | None) -> None:
        super().__init__()
        self.layers, self.early = nn.ModuleList(layers), early

    def forward(self, features: Tensor) -> Maps:
        early = features if self.early == 0 else None
        for number, layer in enumerate(self.layers, 1):
            features = layer(features)
            if number == self.early:
                early = features
        return early, features


class Whole(nn.Module):
    """A backbone of any make."""

    def __init__(self, backbone: Backbone, *, needs_early: bool) -> None:
        super().__init__()
        self.backbone, self.needs_early = backbone, needs_early

    def forward(self, images: Tensor) -> Maps:
        if self.needs_early:
            maps: Maps = self.backbone.early_and_last(images)
            return maps
        return None, self.backbone(images)


class FoldedNorms(nn.Module):
    r"""A network with frozen norms, computed without norms and equal to it, gradients included.

    With the weights w and bias b of a convolution and the :math:`\gamma, \beta, \mu, \sigma^2` of
    the norm that reads it, the convolution is done with

    .. math::
        w' = w \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}}, \qquad
        b' = \beta + (b - \mu) \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}}

    Args:
        network: In a mode in which its norms are constants. Its weights are read at every call.
        example: What it takes.
        dtype: What to compute in. Weights stay in float32 and are rounded for each call.
    """

    def __init__(self, network: nn.Module, example: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self._network, self._dtype = [network], dtype  # in a list: not a part of this module
        modes = {module: module.training for module in network.modules()}
        network.eval()
        self._pairs = norm_pairs(network, example)
        self.plain = _without_norms(network, self._pairs)
        with torch.no_grad():
            want, got = network(example)[1], self._called(example.float(), torch.float32)[1]
        if not (want - got).norm() <= TOLERANCE * want.norm():
            self._pairs = []  # something else reads a convolution
            self.plain = copy.deepcopy(network)
        for module, training in modes.items():
            module.training = training
        self.plain.train()
        for module in self.plain.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
            if _is_slow_in_bf16(module, example.device):
                module.__class__ = _InFloat32

    def forward(self, features: Tensor) -> Maps:
        return self._called(features, self._dtype)

    def _called(self, features: Tensor, dtype: torch.dtype) -> Maps:
        features = features.to(dtype, memory_format=torch.channels_last)
        maps: Maps = functional_call(self.plain, dict(self._weights(dtype)), (features,))
        return maps

    def _weights(self, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
        network = self._network[0]
        done = set()
        for convolution, norm in self._pairs:
            first, second = network.get_submodule(convolution), network.get_submodule(norm)
            weight, bias = _folded_weights(cast(nn.Conv2d, first), cast(nn.BatchNorm2d, second))
            exact = isinstance(self.plain.get_submodule(convolution), _InFloat32)
            rounded = torch.float32 if exact else dtype
            yield f"{convolution}.weight", weight.to(rounded, memory_format=torch.channels_last)
            yield f"{convolution}.bias", bias.to(rounded)
            done |= {first, second}
        for name, module in network.named_modules():
            if module in done or isinstance(module, _BatchNorm):
                continue  # a norm that could not be folded takes float32 beside bfloat16
            exact = isinstance(self.plain.get_submodule(name), _InFloat32)
            for leaf, parameter in module.named_parameters(recurse=False):
                yield f"{name}.{leaf}".lstrip("."), parameter.to(torch.float32 if exact else dtype)


def _is_slow_in_bf16(module: nn.Module, device: torch.device) -> bool:
    """Whether a processor computes the gradients of a layer ten times slower in bfloat16."""
    strided = isinstance(module, nn.Conv2d) and module.groups > 1 and max(module.stride) > 1
    return strided and device.type == "cpu"


class _InFloat32(nn.Conv2d):
    """A convolution in float32 between others in bfloat16."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.float()).to(input.dtype)


def learned_part(encoder: Learner, frozen_layers: int) -> nn.Module:
    """What comes after the frozen layers, sharing the encoder's weights: features to :data:`Maps`.

    Without frozen layers the features are the images.
    """
    needs_early = encoder.pooling.needs_early
    if frozen_layers == 0:
        return Whole(encoder.backbone, needs_early=needs_early)
    layers, early = encoder.backbone.layers()
    return Chain(layers[frozen_layers:], early - frozen_layers if needs_early else None)


def _checked_layers(encoder: Learner, frozen_layers: int) -> list[nn.Module]:
    layers, early = encoder.backbone.layers()
    most, reason = len(layers), f"the layers of {encoder.backbone.name}"
    if encoder.pooling.needs_early:
        most, reason = early, f"after which {encoder.pooling.settings()['name']} takes a map"
    if frozen_layers > most:
        raise BadInputError(
            f"optimizer.frozen_layers must be at most {most}, {reason}; got {frozen_layers}."
        )
    return layers[:frozen_layers]


def _example(encoder: Learner) -> Tensor:
    """One image, always the same, on the encoder's device."""
    size = encoder.transform.size
    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    device = device_of(encoder.backbone)
    return image.to(device, memory_format=torch.channels_last)


def _without_norms(network: nn.Module, pairs: list[tuple[str, str]]) -> nn.Module:
    plain = copy.deepcopy(network)
    for convolution, norm in pairs:
        first, second = plain.get_submodule(convolution), plain.get_submodule(norm)
        if first.bias is None:
            first.bias = nn.Parameter(torch.zeros(first.weight.shape[0]))
        # timm joins normalisation and activation in one layer
        plain.set_submodule(norm, getattr(second, "act", nn.Identity()))
    return plain


def _folded_weights(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)  # (C,)
    shift = norm.bias - mean * scale
    if convolution.bias is not None:
        shift = shift + convolution.bias * scale
    return convolution.weight * scale[:, None, None, None], shift
