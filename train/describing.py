"""Descriptors of training pictures while they are learned from."""

import numpy as np
import torch
from torch import Tensor

from .augment import Augmentation
from .network import Network
from .pictures import Pictures

CHUNK = 64
"""Pictures that go through the network at once."""

_AS_IT_IS = Augmentation((0.0, 0.0, 1.0, 1.0), False, 1.0, 1.0, 1.0, 0.0, None)


def described(pictures: Pictures, network: Network, positions: Tensor) -> Tensor:
    """What the pooling makes of whole pictures as it is now, in evaluation mode.

    Args:
        pictures: Of a training part.
        network: Left in the mode in which it was.
        positions: (n,) int64, which of the pictures.

    Returns:
        (n, D') float32.
    """
    encoder = network.encoder
    was_training = encoder.training
    encoder.eval()
    size, mean = encoder.transform.size, encoder.transform.mean
    rows = []
    for chunk in torch.split(positions, CHUNK):
        pixels = [_AS_IT_IS(pictures[position], size, mean) for position in chunk.tolist()]
        features = network.prepared(torch.from_numpy(np.stack(pixels)))
        rows.append(network.descriptors(features))
    encoder.train(was_training)
    return torch.cat(rows)
