"""What the navigator of NTS-Net and its teacher learn from."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.heads import Head
from retrieval.heads import nts_net as head_file

from ._scheme import Scheme, Seen


class NtsNet(Scheme):
    r"""Cross-entropies of the whole, of the parts and of both, and an order among the parts.

    .. math::
        \mathcal L = \ell(\text{whole}) + \ell(\text{together})
            + \frac1M \sum_i \ell(R_i)
            + \sum_{i, j: C_i < C_j} \max(0,\, 1 - (s_i - s_j))

    with :math:`s_i` the navigator's score of box i and :math:`C_i` the cross-entropy of the
    teacher, a linear classifier of single parts: the part that it knows better must score higher.
    The last sum is over the pairs of a picture, and averaged over the batch. Only it moves the
    navigator, and it moves nothing else. The teacher stays behind with the scheme.

    Args:
        loss: :math:`\ell`.
        dim: Of the descriptor.
        num_classes: Of the teacher.
        margin: 1 in the paper.

    References:
        Yang, Luo, Wang, Hu, Gao, Wang, Learning to navigate for fine-grained classification,
        ECCV 2018, section 3.
    """

    head = head_file.NtsNet

    def __init__(self, loss: nn.Module, dim: int, num_classes: int, margin: float = 1.0) -> None:
        super().__init__()
        self.loss, self.margin = loss, margin
        self.teacher = nn.Linear(dim, num_classes)

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        head = cast(head_file.NtsNet, head)
        last = seen.maps(seen.inputs)[0]
        boxes, scores = head.navigated(last, head.proposals)
        whole, parts = head.representation(last), head.of_boxes(seen.inputs, boxes, seen.maps)
        taught = self.teacher(parts.flatten(0, 1))  # (B M, K)
        targets = seen.targets.repeat_interleave(head.proposals)
        unknown = F.cross_entropy(taught.detach(), targets, reduction="none")
        loss: Tensor = (
            self.loss(head.whole(whole), seen.targets)
            + self.loss(head.of_parts(whole, parts), seen.targets)
            + self.loss(taught, targets)
            + disorder(scores, unknown.reshape(scores.shape), self.margin)
        )
        return loss


def disorder(scores: Tensor, losses: Tensor, margin: float) -> Tensor:
    """How far scores (B, M) are from falling as losses (B, M) rise, a scalar."""
    better = losses[:, :, None] < losses[:, None, :]  # (B, i, j)
    ahead = scores[:, :, None] - scores[:, None, :]
    return (F.relu(margin - ahead) * better).sum() / len(scores)
