"""Learned spatial attention and coarse-fine fusion, in the style of DSSA."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInputError
from ._pooling import Pooling


class AttentionStyle(Pooling):
    r"""A part that says where to look beside a part that sees the whole.

    .. math::
        a = \operatorname{softmax}_{y,x}\big( v^\top [U X_{yx} + b]_+ \big), \qquad
        X'_{yx} = X_{yx} + g \, a_{yx} X_{yx}, \qquad
        f = \Big[\tfrac{m(X')}{\|m(X')\|}; \tfrac{\bar X}{\|\bar X\|}\Big]

    with m the means in the cells of a grid (see ``grid``) and :math:`\bar X` the mean over the map.
    Two 1 x 1 convolutions U and v give each position one score. The map itself is added to the
    attended one: where attention errs, or looks at another place in a sketch than in its photo,
    everything is still there. v starts at zero: attention is then uniform and the first part is
    exactly what ``grid`` finds, so that training starts from there.

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        cells: n, along each side; 1 takes the mean over the attended map.
        hidden: Scores are computed from so many features, the rows of U.
        gain: g, how much attention adds. a sums to 1, so 1 adds at most the map at one position;
            h w adds as much as the map on average.

    Shape:
        (B, C, h, w) to (B, C n n + C), two halves of norm 1; the cells of channel 0 first.

    Note:
        *In the style of* the paper. The text of its equations could not be had; that there are two
        1 x 1 convolutions, the first to 256 features with ReLU, a softmax over positions, the
        shortcut, a sum over the attended map and a concatenation of two parts of unit norm is
        what stored implementations of it have. There the network is Sketch-a-Net, both parts see
        the attended map, and the coarse one passes two fully connected layers; here a network ends
        where ``keep_layers`` cuts it, and the coarse part is the mean of the map without
        attention. The grid, g and the start at zero are ours. Do not print a figure of it as the
        paper's. Its other half is the loss ``holef_style``.

    References:
        Song, Yu, Song, Xiang, Hospedales, Deep Spatial-Semantic Attention for Fine-Grained
        Sketch-Based Image Retrieval, ICCV 2017.
    """

    def __init__(self, channels: int, cells: int = 7, hidden: int = 256, gain: float = 1.0) -> None:
        super().__init__()
        for name, value, most in (
            ("channels", channels, 1 << 16),
            ("cells", cells, 64),
            ("hidden", hidden, 1 << 16),
        ):
            if not 1 <= value <= most:
                raise BadInputError(f"{name} of attention_style must be in 1..{most}; got {value}.")
        if not gain >= 0:
            raise BadInputError(f"gain of attention_style must be 0 or more; got {gain}.")
        self.channels, self.cells, self.hidden, self.gain = channels, cells, hidden, gain
        self.keeps_positions = cells > 1
        self.features = nn.Conv2d(channels, hidden, 1)  # U, b
        self.scores = nn.Conv2d(hidden, 1, 1, bias=False)  # v; softmax takes no notice of a bias
        nn.init.zeros_(self.scores.weight)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        attended = last + self.gain * self.attention(last)[:, None] * last
        fine = F.adaptive_avg_pool2d(attended, self.cells).flatten(1)  # (B, C n n)
        coarse = last.mean(dim=(2, 3))  # (B, C)
        return torch.cat([F.normalize(fine), F.normalize(coarse)], dim=1)

    def attention(self, last: Tensor) -> Tensor:
        """Where it looks: (B, C, h, w) to (B, h, w), 0 or more, sum 1."""
        scores: Tensor = self.scores(F.relu(self.features(last)))[:, 0]  # (B, h, w)
        return scores.flatten(1).softmax(dim=1).view_as(scores)

    def out_dim(self, channels: tuple[int, int]) -> int:
        if channels[1] != self.channels:
            raise BadInputError(
                f"channels of attention_style must be those of the last map, {channels[1]}; got "
                f"{self.channels}. Leave the option out."
            )
        return self.channels * (self.cells**2 + 1)
