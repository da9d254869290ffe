"""Center loss beside the loss of logits, for every head."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head

from ..losses.center import moved_means
from ._described import described
from ._scheme import Scheme, Seen


class Center(Scheme):
    r"""Classify, and pull the descriptor of each picture to the running centre of its class.

    .. math::
        \mathcal L = \ell(h(x), y) + \frac{w}{B} \sum_i \tfrac12 \lVert f_i - c_{y_i} \rVert^2 ,
        \qquad c_j \leftarrow c_j - \alpha \,
            \frac{\sum_{y_i = j} (c_j - f_i)}{1 + |\{i : y_i = j\}|}

    with f the head's descriptor as a unit vector, which is what is searched by. Centres move after
    the loss was taken; a class that occurs several times in a batch moves by all its pictures.

    Args:
        loss: :math:`\ell`.
        num_classes: K.
        dim: D, length of a descriptor.
        weight: w, 0 or more.
        rate: :math:`\alpha`, in [0, 1].

    Raises:
        BadInputError: An option is out of its range.

    Note:
        Buffer: ``means`` (K, D), the centres. They take as much memory as a linear classifier of
        the descriptor. Where the paper's descriptors have any length these have length 1, so that
        the weight means the same for every head.

    References:
        Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV
        2016, eq. 2 to 5 and algorithm 1; alpha = 0.5. There w = 0.003 weighs a sum over batches of
        256, which is 0.768 for a mean.
    """

    means: Tensor

    def __init__(
        self, loss: nn.Module, num_classes: int, dim: int, weight: float = 0.768, rate: float = 0.5
    ) -> None:
        super().__init__()
        if not weight >= 0:
            raise BadInputError(f"center.weight must be 0 or more; got {weight}.")
        if not 0 <= rate <= 1:
            raise BadInputError(f"center.rate must be in [0, 1]; got {rate}.")
        self.loss, self.weight, self.rate = loss, weight, rate
        self.register_buffer("means", torch.zeros(num_classes, dim))

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        logits, descriptors = described(head, seen)
        vectors = F.normalize(descriptors)
        scattered = (vectors - self.means[seen.targets]).square().sum(dim=1).mean() / 2
        self.means = moved_means(self.means, vectors.detach(), seen.targets, self.rate)
        loss: Tensor = self.loss(logits, seen.targets) + self.weight * scattered
        return loss
