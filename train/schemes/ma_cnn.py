"""Parts that are compact and apart, in turns with what they are for."""

from collections.abc import Collection
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head, ma_cnn
from retrieval.poolings.channel_grouping import ChannelGrouping

from ._clusters import clusters
from ._scheme import Scheme, Seen

GROUPING, CLASSIFYING = 0, 1


class MaCnn(Scheme):
    r"""Channel grouping and part classification in turns, two phases in each step.

    The first phase moves the layers that group channels, and nothing else, to make

    .. math::
        \mathcal L_{cng} = \sum_i \Big( \sum_{yx} m_{i,yx} \| (y, x) - t_i \|^2 + \lambda
            \sum_{yx} m_{i,yx} \big( \max_{k \ne i} m_{k,yx} - \mu \big) \Big)

    small: attention close to its peak :math:`t_i`, and where no other part's is. The second moves
    everything else by the sum over the parts of :math:`\ell(z_i, y)`. Both are means over pictures.

    While less than ``start`` of the run is done, the first phase learns groups instead: those of
    channels whose peaks are at the same places in the first batch, by k-means, are what
    :math:`d_i` is to tell, by binary cross-entropy. Otherwise all parts would begin as the same.

    Args:
        loss: :math:`\ell`.
        channels: C of the last map.
        balance: :math:`\lambda`; 2 in the paper.
        margin: :math:`\mu`; 0.02 in the paper.
        start: Share of the run, 0 to 1.

    Note:
        Buffer: ``group_of`` (C,), -1 before the first batch. Places are shares of the map's sides,
        0 to 1, so that the size of the map does not change the balance. The paper clusters peaks of
        all training pictures, and goes on with a phase until it converges.

    References:
        Zheng, Fu, Mei, Luo, Learning multi-attention convolutional neural network for fine-grained
        image recognition, ICCV 2017, eq. 7 to 9 and section 3.3.
    """

    head = ma_cnn.MaCnn
    phases = 2
    group_of: Tensor

    def __init__(
        self,
        loss: nn.Module,
        channels: int,
        balance: float = 2.0,
        margin: float = 0.02,
        start: float = 0.1,
    ) -> None:
        super().__init__()
        if not 0 <= start <= 1:
            raise BadInputError(f"start of ma_cnn must be in 0..1; got {start:g}.")
        self.loss, self.balance, self.margin, self.start = loss, balance, margin, start
        self.register_buffer("group_of", torch.full((channels,), -1))

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        parts = cast(ma_cnn.MaCnn, head)
        if phase == GROUPING:
            return self._grouped(parts.pooling, seen)
        last, _ = seen.maps(seen.inputs)
        with torch.no_grad():
            groups = parts.pooling.groups(last)
        found = parts.pooling.pooled(last, parts.pooling.attentions(last, groups))
        answers = parts.part_logits(found).unbind(dim=1)
        loss: Tensor = sum(self.loss(logits, seen.targets) for logits in answers)
        return loss

    def learned(self, head: Head, phase: int) -> Collection[nn.Parameter] | None:
        if phase == GROUPING:
            return list(cast(ma_cnn.MaCnn, head).pooling.grouping.parameters())
        return None  # the layers that group have no gradient

    def _grouped(self, pooling: ChannelGrouping, seen: Seen) -> Tensor:
        with torch.no_grad():
            last, _ = seen.maps(seen.inputs)
        groups = pooling.groups(last)
        if (self.group_of < 0).any():
            self.group_of.copy_(clusters(peaks(last).transpose(0, 1).flatten(1), pooling.parts)[1])
        if seen.progress < self.start:
            wanted = F.one_hot(self.group_of, pooling.parts).T.to(groups.dtype)  # (N, C)
            return F.binary_cross_entropy(groups, wanted.expand_as(groups))
        attentions = pooling.attentions(last, groups)
        return distance(attentions) + self.balance * overlap(attentions, self.margin)


def peaks(maps: Tensor) -> Tensor:
    """Where each map is greatest, (B, N, h, w) to (B, N, 2), row and column, 0 to 1."""
    height, width = maps.shape[2:]
    place = maps.flatten(2).argmax(dim=2)
    at = torch.stack([(place // width + 0.5) / height, (place % width + 0.5) / width], dim=2)
    return at.to(maps.dtype)


def distance(attentions: Tensor) -> Tensor:
    """Dis: the mean squared distance of attention from its peak, summed over parts."""
    height, width = attentions.shape[2:]
    rows = (torch.arange(height, device=attentions.device, dtype=attentions.dtype) + 0.5) / height
    columns = (torch.arange(width, device=attentions.device, dtype=attentions.dtype) + 0.5) / width
    top = peaks(attentions)  # (B, N, 2)
    down = (rows - top[:, :, :1]).square()  # (B, N, h)
    across = (columns - top[:, :, 1:]).square()  # (B, N, w)
    squared = down[:, :, :, None] + across[:, :, None, :]
    return (attentions * squared).sum(dim=(1, 2, 3)).mean()


def overlap(attentions: Tensor, margin: float) -> Tensor:
    """Div: attention weighed by the greatest of the other parts', less a margin; (B, N, h, w)."""
    best, second = attentions.topk(2, dim=1).values.unbind(dim=1)  # (B, h, w) each
    others = torch.where(attentions == best[:, None], second[:, None], best[:, None])
    return (attentions * (others - margin)).sum(dim=(1, 2, 3)).mean()
