"""What ACNet learns from: the tree's vote, and each leaf's."""

from typing import cast

from torch import Tensor, nn

from retrieval.heads import Head
from retrieval.heads import acnet as head_file

from ._scheme import Scheme, Seen


class Acnet(Scheme):
    r"""The loss of the whole tree and of every leaf.

    .. math:: \mathcal L = \ell(\log p) + \sum_l \ell(\text{leaf}_l)

    Args:
        loss: :math:`\ell`; plain cross-entropy in the paper.

    References:
        Ji et al., Attention convolutional binary neural tree for fine-grained visual
        categorization, CVPR 2020, eq. 3.
    """

    head = head_file.Acnet

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        paths, logits = cast(head_file.Acnet, head).votes(seen.maps(seen.inputs)[0])
        leaves = logits.shape[1]
        every = self.loss(logits.flatten(0, 1), seen.targets.repeat_interleave(leaves))
        loss: Tensor = self.loss(head_file.mixed(paths, logits), seen.targets) + leaves * every
        return loss
