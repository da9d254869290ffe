"""How a training step computes a pair of encoders: each half of a batch through its door."""

import torch
from torch import Tensor

from retrieval.encoder_pair import EncoderPair

from .network import Network


class PairNetwork:
    """Two networks, which may share their weights, behind the doors of a pair.

    A batch is B sketches followed by their B photos.

    Args:
        pair: On its device.
        frozen_layers: See :class:`train.network.Network`.
        fold: Likewise.
        bf16: Likewise.
    """

    def __init__(self, pair: EncoderPair, frozen_layers: int, *, fold: bool, bf16: bool) -> None:
        self.encoder, self.frozen_layers = pair, frozen_layers
        self.sketch = Network(pair.sketch, frozen_layers, fold=fold, bf16=bf16)
        self.photo = (
            self.sketch
            if pair.siamese
            else Network(pair.photo, frozen_layers, fold=fold, bf16=bf16)
        )

    def prepared(self, pixels: Tensor) -> Tensor:
        """(2B, S, S, 3), 0 to 255, to what the frozen layers make of them."""
        sketches, photos = pixels.chunk(2)
        return torch.cat([self.sketch.prepared(sketches), self.photo.prepared(photos)])

    def embed(self, features: Tensor) -> Tensor:
        """Vectors of :meth:`prepared` pictures, (2B, D) float32, with gradients."""
        sketches, photos = features.chunk(2)
        return torch.cat([self.sketch.embed(sketches), self.photo.embed(photos)])

    def keep_frozen(self) -> None:
        """See :meth:`train.network.Network.keep_frozen`."""
        self.sketch.keep_frozen()
        self.photo.keep_frozen()

    def compile(self) -> None:
        """See :meth:`train.network.Network.compile`."""
        self.sketch.compile()
        if self.photo is not self.sketch:
            self.photo.compile()
