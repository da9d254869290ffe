"""One squeeze, several excitations: parts as channels that are let through together."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._pooling import Pooling
from ._second_order import check_channels, check_sizes


class Osme(Pooling):
    r"""What several gates of channels let through, each read by a layer of its own, added up.

    .. math::
        z = \frac1{hw} \sum_p x_p, \qquad m^p = \sigma(W_2^p \max(0, W_1^p z)), \qquad
        f^p = W_3^p \operatorname{vec}(m^p \odot x), \qquad f = \sum_p f^p

    :math:`W_3` reads every place of the map, which is first brought to ``side`` x ``side`` by the
    mean over cells (a map of that size stays as it is). ``side = 1`` reads the average alone: far
    fewer weights, and no positions kept. Whether the parts are added, as here and in others' code,
    or joined, is not known of the paper.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        parts: P; 2 in the paper.
        dim: D, of each part; 1024 in the paper.
        ratio: Of C to the rows of :math:`W_1`; 16 as in squeeze-and-excitation.
        side: Of the map that :math:`W_3` reads.

    Shape:
        (B, C, h, w) to (B, D).

    References:
        Sun, Yuan, Zhou, Ding, Multi-attention multi-class constraint for fine-grained image
        recognition, ECCV 2018.
    """

    def __init__(
        self, channels: int, parts: int = 2, dim: int = 1024, ratio: int = 16, side: int = 7
    ) -> None:
        super().__init__()
        check_sizes("osme", channels=channels, parts=parts, dim=dim, ratio=ratio, side=side)
        self.channels, self.parts, self.dim = channels, parts, dim
        self.ratio, self.side = ratio, side
        self.keeps_positions = side > 1
        self.gates = nn.ModuleList(_gate(channels, ratio) for _ in range(parts))
        self.readers = nn.ModuleList(nn.Linear(channels * side * side, dim) for _ in range(parts))

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return self.of_parts(last).sum(dim=1)

    def of_parts(self, last: Tensor) -> Tensor:
        """What each part says, (B, C, h, w) to (B, P, D)."""
        squeezed = last.mean(dim=(2, 3))  # (B, C)
        cells = F.adaptive_avg_pool2d(last, self.side)  # gates are the same everywhere
        made = [
            reader((gate(squeezed)[:, :, None, None] * cells).flatten(1))
            for gate, reader in zip(self.gates, self.readers, strict=True)
        ]
        return torch.stack(made, dim=1)

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("osme", self.channels, channels)
        return self.dim


def _gate(channels: int, ratio: int) -> nn.Sequential:
    narrow = max(1, channels // ratio)
    return nn.Sequential(
        nn.Linear(channels, narrow), nn.ReLU(), nn.Linear(narrow, channels), nn.Sigmoid()
    )
