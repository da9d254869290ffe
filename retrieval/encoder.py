"""A picture in, a unit vector out."""

import hashlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from . import plugins, poolings
from .backbones import Backbone, build_backbone
from .centring import Centring
from .checks import check_shape
from .energy import Energy, energy_of_door
from .errors import BadInputError
from .poolings import Pooling
from .tensors import device_of
from .transforms import Transform
from .whitening import Whitening

REVISION = 1
"""Raised when the same weights and settings come to give other vectors. Part of fingerprints."""


class Encoder(nn.Module):
    """Backbone, pooling, projection, centring, whitening, unit norm: ``forward`` is the figure.

    A door of a pair that learned an energy has that as a last layer, see :mod:`retrieval.energy`.

    Attributes:
        dim: D, length of a vector.
        transform: What a picture needs before ``forward``. It travels with the weights, so that
            training, index and search cannot disagree on it.
        flip: Whether a descriptor is followed by that of the mirrored picture.
    """

    def __init__(
        self,
        backbone: Backbone,
        pooling: Pooling,
        transform: Transform,
        *,
        projection: nn.Linear | None = None,
        centring: Centring | None = None,
        whitening: Whitening | None = None,
        energy: Energy | None = None,
        flip: bool = False,
    ) -> None:
        super().__init__()
        self.backbone, self.pooling, self.transform = backbone, pooling, transform
        self.projection, self.centring = projection, centring
        self.whitening, self.energy, self.flip = whitening, energy, flip
        self.dim = self._chain_of_sizes()

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float32 to (B, dim) float32, rows of norm 1.

        The row of an image without features, whose last map is zero everywhere, is all zeros.
        """
        return self.finish(*self._describe(images))

    def of_maps(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        """Vectors of maps that were computed elsewhere; the mirrored picture is not among them.

        Args:
            last: (B, C, h, w), of any precision.
            early: (B, C_early, h', w'), if the pooling asks for it.

        Returns:
            (B, dim) float32, as ``forward`` gives them.

        Raises:
            BadInputError: The encoder appends the descriptor of the mirrored picture.
        """
        if self.flip:
            raise BadInputError("flip needs the picture; got its maps only. Call the encoder.")
        last, early = last.float(), None if early is None else early.float()
        with torch.autocast(last.device.type, enabled=False):
            return self.finish(self.pooling(last, early), _has_features(last))

    def descriptors(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to what pooling gives, (B, C'), neither projected nor normalised."""
        return self._describe(images)[0]

    @torch.inference_mode()
    def vectors(self, images: Tensor) -> NDArray[np.float32]:
        """What ``forward`` gives, as numpy: (B, 3, H, W) to (B, dim). See :func:`unusable`.

        Raises:
            BadInputError: The encoder is in training mode, where vectors depend on chance and on
                the rest of the batch.
        """
        if self.training:
            raise BadInputError("encoder must be in eval mode; got train mode. Call .eval().")
        rows: NDArray[np.float32] = self(images.to(device_of(self))).cpu().numpy()
        return rows

    def projected(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to what centring is given, (B, D): descriptors, projected."""
        descriptors = self.descriptors(images)
        return descriptors if self.projection is None else self.projection(descriptors)

    def mask(self, images: Tensor) -> Tensor:
        """Positions of the last map that enter the descriptor: (B, 3, H, W) to (B, h, w) bool.

        Raises:
            BadInputError: The pooling uses all of them.
        """
        select = getattr(self.pooling, "mask", None)
        if select is None:
            name = self.pooling.settings()["name"]
            raise BadInputError(
                f"a mask needs a pooling that selects, such as scda; got {name}. "
                "Encode with another pooling."
            )
        selected: Tensor = select(self.maps(images)[0])
        return selected

    def settings(self) -> dict[str, Any]:
        """Plain values that make this encoder again, except its weights."""
        projection, whitening = self.projection, self.whitening
        return {
            "revision": REVISION,
            "backbone": self.backbone.name,
            **self._changed_backbone(),
            "pooling": self.pooling.settings(),
            "transform": self.transform.settings(),
            "flip": self.flip,
            "projection": None
            if projection is None
            else {"out_features": projection.out_features, "bias": projection.bias is not None},
            "whitening": None
            if whitening is None
            else {"dim": whitening.dim, "method": whitening.method},
            **({} if self.centring is None else {"centring": True}),
            **({} if self.energy is None else {"energy": str(self.energy.door)}),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Encoder":
        """The encoder that :meth:`settings` described, in eval mode, with random weights."""
        backbone = build_backbone(
            settings["backbone"],
            last_stride=settings.get("last_stride"),
            keep_layers=settings.get("keep_layers"),
        )
        pooling = plugins.build(poolings, settings["pooling"])
        transform, flip = Transform.from_settings(settings["transform"]), settings["flip"]
        dim = pooling.out_dim(backbone.channels) * (2 if flip else 1)
        projection = whitening = None
        if settings["projection"] is not None:
            projection = nn.Linear(dim, **settings["projection"])
            dim = projection.out_features
        if settings["whitening"] is not None:
            whitening = Whitening(dim, **settings["whitening"])
        door = settings.get("energy")
        length = dim if whitening is None else whitening.dim
        return cls(
            backbone,
            pooling,
            transform,
            projection=projection,
            centring=Centring(dim) if settings.get("centring") else None,
            whitening=whitening,
            energy=None if door is None else energy_of_door(length, door),
            flip=flip,
        ).eval()

    def fingerprint(self) -> str:
        """SHA-256 over settings and weights: equal only if the vectors are."""
        canonical = json.dumps(self.settings(), sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy())
        return digest.hexdigest()

    def with_parts(self, **parts: Any) -> "Encoder":  # noqa: ANN401
        """The same encoder, sharing all parts but those that are given by the constructor's names.

        Whatever builds an encoder from another one does it here, so that no part is forgotten.
        """
        own = {
            name: getattr(self, name)
            for name in inspect.signature(Encoder.__init__).parameters
            if name != "self"
        }
        return Encoder(**{**own, **parts}).train(self.training)

    def with_whitening(self, whitening: Whitening | None) -> "Encoder":
        """The same encoder, sharing its weights, with another last step and no energy.

        Example:
            ``encoder.with_whitening(fit_whitening(vectors, 256))`` where ``vectors`` are those
            that ``encoder``, which has no whitening, gave for training images.
        """
        return self.with_parts(whitening=whitening, energy=None)

    def with_centring(self, centring: Centring) -> "Encoder":
        """The same encoder, sharing its weights, with another centring and no step after it."""
        return self.with_parts(centring=centring, whitening=None, energy=None)

    def with_energy(self, energy: Energy) -> "Encoder":
        """The same encoder, sharing its weights, as a door of a pair that ranks by an energy."""
        return self.with_parts(energy=energy)

    def with_pooling(self, pooling: Pooling) -> "Encoder":
        """The same encoder, sharing its backbone, with another pooling.

        Raises:
            BadInputError: A projection or a whitening was made for the descriptors of the pooling
                that it has.
        """
        made_for = {
            "projection": self.projection,
            "centring": self.centring,
            "whitening": self.whitening,
            "learned energy": self.energy,
        }
        for name, part in made_for.items():
            if part is not None:
                raise BadInputError(
                    "pooling can be changed only where nothing was made for its descriptors; got "
                    f"an encoder with a {name}, which was made for "
                    f"{self.pooling.settings()['name']}. Keep its pooling, or take an encoder "
                    "without one (trained with encoder.dim left out)."
                )
        return self.with_parts(pooling=pooling)

    def _changed_backbone(self) -> dict[str, int]:
        """Named only where it is set, so that fingerprints from before it could be set hold."""
        changed = {
            "last_stride": self.backbone.last_stride,
            "keep_layers": self.backbone.keep_layers,
        }
        return {name: value for name, value in changed.items() if value is not None}

    def _describe(self, images: Tensor) -> tuple[Tensor, Tensor]:
        check_shape("images", images, ("B", 3, "H", "W"), "One image is a batch of one: x[None].")
        last, early = self.maps(images)
        has_features = _has_features(last)
        with torch.autocast(images.device.type, enabled=False):
            descriptors = self.pooling(last, early)
        if self.flip:
            last, early = self.maps(images.flip(3))
            with torch.autocast(images.device.type, enabled=False):
                descriptors = torch.cat([descriptors, self.pooling(last, early)], dim=1)
        return descriptors, has_features

    def finish(self, descriptors: Tensor, has_features: Tensor) -> Tensor:
        """What follows pooling: (B, C') descriptors and (B, 1) bool to (B, dim) vectors."""
        with torch.autocast(descriptors.device.type, enabled=False):  # rounding here costs recall
            if self.projection is not None:
                descriptors = self.projection(descriptors)
            if self.centring is not None:
                descriptors = self.centring(descriptors)
            vectors = F.normalize(descriptors)  # (B, D)
            if self.whitening is not None:
                vectors = F.normalize(self.whitening(vectors))
            if self.energy is not None:
                vectors = self.energy(vectors)
            return vectors * has_features

    def maps(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Last and, if the pooling asks for it, early map, float32 under any autocast.

        Args:
            images: (B, 3, H, W).

        Returns:
            (B, C, h, w), and (B, C_early, h', w') or None.
        """
        if not self.pooling.needs_early:
            return self.backbone(images).float(), None
        early, last = self.backbone.early_and_last(images)
        return last.float(), early.float()

    def _chain_of_sizes(self) -> int:
        if self.backbone.fixed_size and self.transform.fit == "native":
            raise BadInputError(
                f"fit must make squares for {self.backbone.name}; got native. Use squash or crop."
            )
        dim = self.pooling.out_dim(self.backbone.channels) * (2 if self.flip else 1)
        if self.projection is not None:
            check_shape("projection", self.projection.weight, ("D", dim))
            dim = self.projection.out_features
        if self.centring is not None:
            check_shape("centring", self.centring.mean, (dim,))
        if self.whitening is not None:
            check_shape("whitening", self.whitening.projection, (dim, "D"))
            dim = self.whitening.dim
        if self.energy is not None:
            if self.energy.given != dim:
                raise BadInputError(
                    f"energy must be of vectors of {dim} numbers; got one of {self.energy.given}."
                )
            dim = self.energy.dim
        return dim


def _has_features(last: Tensor) -> Tensor:
    """(B, C, h, w) to (B, 1) bool."""
    return (last != 0).flatten(1).any(dim=1, keepdim=True)


def unusable(vectors: NDArray[np.float32]) -> dict[int, str]:
    """Rows of encoder output that nothing can be compared with, and the reason of each.

    Example:
        >>> unusable(np.array([[0.6, 0.8], [0, 0], [np.nan, 1]], np.float32))
        {1: 'no usable features', 2: 'the vector is not finite'}
    """
    finite = np.isfinite(vectors).all(axis=1)
    some = np.abs(vectors).sum(axis=1) > 0  # False for NaN
    reasons = {int(row): "no usable features" for row in np.flatnonzero(finite & ~some)}
    reasons |= {int(row): "the vector is not finite" for row in np.flatnonzero(~finite)}
    return dict(sorted(reasons.items()))


def build_pooling(options: Mapping[str, Any], channels: tuple[int, int]) -> Pooling:
    """The pooling of a name and options, for an early and a last map of this many channels.

    Raises:
        BadInputError: Unknown name or option.
    """
    known = {"channels": channels[1], "early_channels": channels[0]}
    facts = {name: value for name, value in known.items() if name not in options}
    made: Pooling = plugins.build(poolings, options, **facts)
    return made


def build_encoder(
    backbone: str = "mobilenet_v2",
    pooling: Mapping[str, Any] | str = "average",
    *,
    weights: Path | None = None,
    pretrained: bool = False,
    size: int | None = None,
    fit: str = "squash",
    flip: bool = False,
    dim: int | None = None,
    last_stride: int | None = None,
    keep_layers: int | None = None,
    centred: bool = False,
    seed: int = 0,
) -> Encoder:
    """Make an encoder, in eval mode.

    Args:
        backbone: Name, as :func:`retrieval.backbones.build_backbone` takes it.
        pooling: Name of a file in ``retrieval/poolings``, or its name and options, such as
            ``{"name": "scda", "plus": True}``.
        weights: Safetensors file of the backbone's whole classifier.
        pretrained: Download the backbone's weights.
        size: Side of the network input in pixels; what the weights were trained with if left out.
        fit: How a picture of any shape meets the square, see :class:`Transform`.
        flip: Append the descriptor of the mirrored picture.
        dim: Project descriptors to this many numbers; a random projection that training adapts.
            As many as they have: the projection that changes nothing, as an adapter starts.
        last_stride: Of the backbone, see :func:`retrieval.backbones.build_backbone`.
        keep_layers: Likewise.
        centred: Subtract a mean from descriptors, which training or
            :func:`retrieval.paired.fit_centring` finds; zero until then.
        seed: Of every weight that is not loaded. The caller's random generator is left alone.

    Raises:
        BadInputError: Unknown name or option, or weights that do not fit.
    """
    chosen = {"name": pooling} if isinstance(pooling, str) else pooling
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_backbone(
            backbone,
            weights=weights,
            pretrained=pretrained,
            last_stride=last_stride,
            keep_layers=keep_layers,
        )
        part = build_pooling(chosen, network.channels)
        projection = None
        if dim is not None:
            projection = nn.Linear(part.out_dim(network.channels) * (2 if flip else 1), dim)
            if projection.in_features == dim:
                nn.init.eye_(projection.weight)
                nn.init.zeros_(projection.bias)
    if size is not None:
        network.check_size(size)
    transform = Transform(size or network.size, fit, mean=network.mean, std=network.std)
    encoder = Encoder(network, part, transform, projection=projection, flip=flip).eval()
    return encoder.with_centring(Centring(encoder.dim).eval()) if centred else encoder
