"""Two doors into one space: photos enter by one encoder, sketches by the other."""

import hashlib
import json
from typing import Any

from torch import Tensor, nn

from .data import Modality
from .encoder import Encoder
from .energy import energy_layers
from .errors import BadInputError

REVISION = 1
"""Raised when the same two encoders come to mean another pair. Part of fingerprints."""


class EncoderPair(nn.Module):
    """An encoder of photos and one of sketches whose vectors can be compared.

    Both may be the same object (a siamese pair), or share some of their tensors.

    Attributes:
        photo: What photos go through.
        sketch: What sketches go through.
        dim: D, length of a vector of either.

    Raises:
        BadInputError: The two have vectors of different lengths.
    """

    def __init__(self, photo: Encoder, sketch: Encoder) -> None:
        super().__init__()
        if photo.dim != sketch.dim:
            raise BadInputError(
                "photo and sketch encoder must have vectors of one length; got "
                f"{photo.dim} and {sketch.dim}. Project both to the same number of dimensions."
            )
        self.photo, self.sketch, self.dim = photo, sketch, photo.dim
        self.training = photo.training

    @property
    def siamese(self) -> bool:
        """Whether one encoder serves both doors."""
        return self.photo is self.sketch

    def door(self, modality: Modality) -> Encoder:
        """The encoder of pictures of this kind."""
        return self.sketch if modality == Modality.SKETCH else self.photo

    def with_energy(self, weight: Tensor) -> "EncoderPair":
        """The same pair, sharing its weights, that ranks by a learned energy.

        Args:
            weight: W, (D, D), see :mod:`retrieval.energy`.
        """
        photo, sketch = energy_layers(weight)
        return EncoderPair(self.photo.with_energy(photo), self.sketch.with_energy(sketch))

    def settings(self) -> dict[str, Any]:
        """Of each door, as :meth:`retrieval.encoder.Encoder.settings` has them."""
        return {str(modality): self.door(modality).settings() for modality in Modality}

    def fingerprint(self) -> str:
        """SHA-256 over the doors' fingerprints and which is which: swapped doors are another."""
        doors = {str(modality): self.door(modality).fingerprint() for modality in Modality}
        canonical = json.dumps({"pair": REVISION, **doors}, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def fingerprint_for(encoder: Encoder | EncoderPair, made_with: str) -> str:
    """What an encoder is called where vectors of another one, or of its own, are waiting for it.

    Photos that its photo door alone has encoded lie in the space of a pair, too.

    Args:
        encoder: Who asks.
        made_with: Fingerprint of what made the vectors.

    Returns:
        ``made_with`` where scores between the two mean something, else the encoder's own.
    """
    if isinstance(encoder, EncoderPair) and encoder.photo.fingerprint() == made_with:
        return made_with
    return encoder.fingerprint()


def door_of(encoder: Encoder | EncoderPair, modality: Modality | None) -> tuple[Encoder, Modality]:
    """The encoder that pictures of this kind go through, and the kind.

    Args:
        encoder: A pair, or one encoder, through which everything goes.
        modality: Of the pictures. One encoder takes them for photos where nothing is said; a pair
            must be told.

    Raises:
        BadInputError: A pair, and no modality.
    """
    if not isinstance(encoder, EncoderPair):
        return encoder, modality or Modality.PHOTO
    if modality is None:
        raise BadInputError(
            "modality must be photo or sketch where an encoder has a door for each; got none. "
            "Say which with modality=Modality.PHOTO or modality=Modality.SKETCH."
        )
    return encoder.door(modality), modality
