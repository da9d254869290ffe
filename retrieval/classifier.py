"""A picture in, the probability of each class out."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from . import heads, plugins
from .backbones import Backbone
from .calibration import probabilities
from .checks import check_shape
from .encoder import Encoder, build_encoder
from .errors import BadInputError
from .heads import Head, Maps
from .poolings import Pooling
from .tensors import device_of
from .transforms import Transform

REVISION = 1
"""Raised when the same weights and settings come to give other logits. Part of fingerprints."""


class Classifier(nn.Module):
    """Backbone and head: ``forward`` gives logits, :meth:`probabilities` what they mean.

    Attributes:
        classes: Names of the K classes, in the order of the logits.
        temperature: What logits are divided by before the softmax,
            see :mod:`retrieval.calibration`; 1 until it is fitted.
        transform: What a picture needs before ``forward``.

    Raises:
        BadInputError: A name occurs twice, there are fewer than two, or the temperature is not
            above 0.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: Head,
        transform: Transform,
        classes: Sequence[str],
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.transform = backbone, head, transform
        self.classes, self.temperature = tuple(classes), temperature
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            twice = next((n for n in self.classes if self.classes.count(n) > 1), None)
            got = f"{len(self.classes)}" if twice is None else f"{twice!r} twice"
            raise BadInputError(f"classes must be two names or more, all different; got {got}.")
        if not 0 < temperature < math.inf:
            raise BadInputError(f"temperature must be above 0 and finite; got {temperature}.")

    @property
    def pooling(self) -> Pooling:
        """Of the head: what makes the descriptor of a picture."""
        return self.head.pooling

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float32 to logits (B, K) float32."""
        check_shape("images", images, ("B", 3, "H", "W"), "One image is a batch of one: x[None].")
        with torch.autocast(images.device.type, enabled=False):
            logits: Tensor = self.head.of_images(images, self._maps_in_this_precision(images))
        return logits

    def of_maps(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        """Logits of maps of any precision, (B, K) float32.

        Of a head that looks again they are what its first look alone says.
        """
        last, early = last.float(), None if early is None else early.float()
        with torch.autocast(last.device.type, enabled=False):
            logits: Tensor = self.head(last, early)
        return logits

    def _maps_in_this_precision(self, images: Tensor) -> Maps:
        kind = images.device.type
        autocast, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)

        def maps(images: Tensor) -> tuple[Tensor, Tensor | None]:
            with torch.autocast(kind, dtype, enabled=autocast):
                if not self.pooling.needs_early:
                    return self.backbone(images).float(), None
                early, last = self.backbone.early_and_last(images)
            return last.float(), early.float()

        return maps

    @torch.inference_mode()
    def logits(self, images: Tensor) -> NDArray[np.float64]:
        """What ``forward`` gives, as numpy: (B, 3, H, W) to (B, K).

        Raises:
            BadInputError: The classifier is in training mode, where logits depend on chance and on
                the rest of the batch.
        """
        self._check_mode()
        rows: NDArray[np.float64] = self(images.to(device_of(self))).cpu().double().numpy()
        return rows

    def probabilities(self, images: Tensor) -> NDArray[np.float64]:
        """Of each class, (B, 3, H, W) to (B, K), rows of sum 1."""
        return probabilities(self.logits(images), self.temperature)

    @torch.inference_mode()
    def attention(self, images: Tensor) -> NDArray[np.float64]:
        """Where the head looks, (B, 3, H, W) to (B, h, w), 0 or more.

        Raises:
            BadInputError: The classifier is in training mode.
        """
        self._check_mode()
        check_shape("images", images, ("B", 3, "H", "W"), "One image is a batch of one: x[None].")
        last, early = self._maps_in_this_precision(images)(images.to(device_of(self)))
        found: NDArray[np.float64] = self.head.attention(last, early).cpu().double().numpy()
        return found

    def _check_mode(self) -> None:
        if self.training:
            raise BadInputError("classifier must be in eval mode; got train mode. Call .eval().")

    def encoder(self) -> Encoder:
        """The encoder that shares these weights: what the head pools, as unit vectors."""
        return Encoder(self.backbone, self.pooling, self.transform).train(self.training)

    def with_temperature(self, temperature: float) -> "Classifier":
        """The same classifier, sharing its weights."""
        return Classifier(
            self.backbone, self.head, self.transform, self.classes, temperature
        ).train(self.training)

    def settings(self) -> dict[str, Any]:
        """Plain values that, beside the encoder's, make this classifier again."""
        return {
            "revision": REVISION,
            "head": self.head.settings(),
            "classes": list(self.classes),
            "temperature": self.temperature,
        }

    def own_tensors(self) -> dict[str, Tensor]:
        """Weights of the head that are not of its pooling, by name."""
        state = self.head.state_dict()
        return {name: state[name] for name in state if not name.startswith("pooling.")}

    def fingerprint(self) -> str:
        """SHA-256 over encoder, settings and weights: equal only if the probabilities are."""
        canonical = json.dumps(self.settings(), sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(f"{self.encoder().fingerprint()}\n{canonical}".encode())
        for name, tensor in sorted(self.own_tensors().items()):
            digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def build_head(options: Mapping[str, Any], channels: tuple[int, int], num_classes: int) -> Head:
    """The head of a name and options.

    Args:
        options: ``name`` of a file in ``retrieval/heads``, and its options.
        channels: Of the early and of the last map.
        num_classes: K.

    Raises:
        BadInputError: Unknown name or option.
    """
    made: Head = plugins.build(
        heads,
        options,
        channels=channels[1],
        early_channels=channels[0],
        num_classes=num_classes,
    )
    return made


def build_classifier(
    classes: Sequence[str],
    backbone: str = "mobilenet_v2",
    head: Mapping[str, Any] | str = "softmax",
    *,
    weights: Path | None = None,
    pretrained: bool = False,
    size: int | None = None,
    fit: str = "squash",
    last_stride: int | None = None,
    keep_layers: int | None = None,
    seed: int = 0,
) -> Classifier:
    """Make a classifier whose head is still to be trained, in eval mode.

    Args:
        classes: Names, in the order of the logits.
        backbone: See :func:`retrieval.encoder.build_encoder`, like all that follow but ``head``.
        head: Name of a file in ``retrieval/heads``, or its name and options.
        weights: Safetensors file of the backbone's whole classifier.
        pretrained: Download the backbone's weights.
        size: Side of the network input in pixels.
        fit: How a picture meets the square.
        last_stride: Of the backbone.
        keep_layers: Likewise.
        seed: Of every weight that is not loaded.

    Raises:
        BadInputError: Unknown name or option, or weights that do not fit.
    """
    made = build_encoder(
        backbone,
        weights=weights,
        pretrained=pretrained,
        size=size,
        fit=fit,
        last_stride=last_stride,
        keep_layers=keep_layers,
        seed=seed,
    )
    chosen = {"name": head} if isinstance(head, str) else head
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        part = build_head(chosen, made.backbone.channels, len(classes))
    return Classifier(made.backbone, part, made.transform, classes).eval()
