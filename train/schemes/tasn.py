"""What TASN learns from: details teach the whole."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.heads import Head
from retrieval.heads import tasn as head_file

from ._scheme import Scheme, Seen


class Tasn(Scheme):
    r"""Cross-entropies of attention, detail and structure, and detail as structure's teacher.

    .. math::
        \mathcal L = \ell(\text{attention}) + \frac12 \sum_{v \in \{d, s\}}
            \big[\ell(W_v \bar x_v) + \ell(W \bar x_v)\big]
            - \lambda \sum_k q_k(W_d \bar x_d) \log q_k(W_s \bar x_s),
        \qquad q(z) = \operatorname{softmax}(z / T)

    with d the picture stretched by one attention map of those of all channels, drawn anew for each
    picture, and s by all of them. Both pass through the backbone together. :math:`W_d` and
    :math:`W_s` stay behind with the scheme; W is the classifier. The teacher is a constant, where
    the authors' code lets it learn from its student too.

    Args:
        loss: :math:`\ell`.
        dim: Of the descriptor.
        num_classes: K.
        weight: :math:`\lambda`; 1 in the authors' code.
        temperature: T; 10 there.

    References:
        Zheng, Fu, Zha, Luo, Looking for the devil in the details: learning trilinear attention
        sampling network for fine-grained image recognition, CVPR 2019, section 3.4.
    """

    head = head_file.Tasn

    def __init__(
        self,
        loss: nn.Module,
        dim: int,
        num_classes: int,
        weight: float = 1.0,
        temperature: float = 10.0,
    ) -> None:
        super().__init__()
        self.loss, self.weight, self.temperature = loss, weight, temperature
        self.of_detail, self.of_structure = (nn.Linear(dim, num_classes) for _ in range(2))

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        head, images = cast(head_file.Tasn, head), seen.inputs
        features = head.features(seen.maps(head.reduced(images))[0])
        attentions = head.trilinear(features)
        drawn = torch.randint(attentions.shape[1], (len(images),), device=images.device)
        detail = attentions[torch.arange(len(images), device=images.device), drawn]
        views = [head.stretched(images, one) for one in (detail, head_file.structure(attentions))]
        described = head.representation(seen.maps(torch.cat(views))[0])
        teacher, student = (
            self.of_detail(described[: len(images)]),
            self.of_structure(described[len(images) :]),
        )
        twice = seen.targets.tile(2)
        loss: Tensor = (
            self.loss(head.at_first_sight(features), seen.targets)
            + self.loss(torch.cat([teacher, student]), twice)  # a mean of both: a half of each
            + self.loss(head.classifier(described), twice)
            + self.weight * taught(student, teacher, self.temperature)
        )
        return loss


def taught(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of softened probabilities, (B, K) and (B, K) to a scalar."""
    wanted = (teacher.detach() / temperature).softmax(dim=1)
    return F.cross_entropy(student / temperature, wanted)
