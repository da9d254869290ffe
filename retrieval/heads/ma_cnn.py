"""A classifier for each part that a group of channels finds."""

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ..poolings.channel_grouping import ChannelGrouping
from ._head import Head


class MaCnn(Head):
    r"""The mean of linear classifiers, one for each part.

    .. math:: z = \frac1N \sum_i z_i, \qquad z_i = W_i p_i + b_i

    with the parts :math:`p_i` of the pooling ``channel_grouping``.

    Args:
        channels: C of the last map.
        num_classes: K.
        parts: N, 2 or more; 4 in the paper.

    Shape:
        (B, C, h, w) to (B, K).

    Note:
        The scheme of the same name trains it. The networks that the paper trains afterwards, one
        for the crop of each part and one for the object, are not part of it, nor of its figures.

    References:
        Zheng, Fu, Mei, Luo, Learning multi-attention convolutional neural network for fine-grained
        image recognition, ICCV 2017.
    """

    pooling: ChannelGrouping

    def __init__(self, channels: int, num_classes: int, parts: int = 4) -> None:
        if parts < 2:
            raise BadInputError(f"parts of ma_cnn must be 2 or more; got {parts}.")
        super().__init__(ChannelGrouping(channels, parts))
        self.parts = parts
        self.classifiers = nn.ModuleList(nn.Linear(channels, num_classes) for _ in range(parts))

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return self.part_logits(self.representation(last).view(len(last), self.parts, -1)).mean(
            dim=1
        )

    def part_logits(self, descriptors: Tensor) -> Tensor:
        """The answer of each part, (B, N, C) to (B, N, K)."""
        answers = [
            classify(part)
            for classify, part in zip(self.classifiers, descriptors.unbind(dim=1), strict=True)
        ]
        return torch.stack(answers, dim=1)

    def attention(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        """The mean of its parts' attention maps, (B, h, w)."""
        return self.pooling.attentions(last, self.pooling.groups(last)).mean(dim=1)
