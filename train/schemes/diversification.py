"""The most telling places of each class are hidden now and then, so that others are learned."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head
from retrieval.heads.softmax import Softmax
from retrieval.poolings.average import Average

from ._scheme import Scheme, Seen


class Diversification(Scheme):
    r"""The loss of logits that are made of class activation maps with suppressed places.

    .. math::
        M_k = w_k^\top x_{ij} + b_k, \qquad
        z_k = \frac1{hw} \sum_{ij} M_{k,ij} \cdot
            \begin{cases} \alpha & B_{k,ij} = 1 \\ 1 & \text{else} \end{cases}

    With nothing suppressed these are the logits of the softmax head. B is drawn anew for every
    picture and class: with probability ``peak`` it has the largest place of :math:`M_k`; and it has
    each of the squares into which the map is divided with probability ``patch``, but for that
    largest place. When classes are asked for nothing is suppressed.

    Args:
        loss: Of the logits.
        peak: Probability of the largest place, in [0, 1].
        patch: Probability of a square, in [0, 1].
        side: Of a square, in places of the map; those at its right and lower edge may be cut.
        factor: :math:`\alpha`, in [0, 1].

    Raises:
        BadInputError: An option is out of its range; and in a step, the head pools otherwise than
            by the average.

    Note:
        The factor is the paper's; the two probabilities of a half and the squares of 3 are read
        from re-implementations, whose squares are of 3 or of 7 places.

    References:
        Sun et al., Fine-Grained Recognition: Accounting for Subtle Differences between Similar
        Classes, AAAI 2020, diversification block. The paper trains it with the loss
        ``gradient_boosting``.
    """

    head = Softmax

    def __init__(
        self,
        loss: nn.Module,
        peak: float = 0.5,
        patch: float = 0.5,
        side: int = 3,
        factor: float = 0.1,
    ) -> None:
        super().__init__()
        for name, value in (("peak", peak), ("patch", patch), ("factor", factor)):
            if not 0 <= value <= 1:
                raise BadInputError(f"diversification.{name} must be in [0, 1]; got {value}.")
        if side < 1:
            raise BadInputError(f"diversification.side must be 1 or more; got {side}.")
        self.loss = loss
        self.peak, self.patch, self.side, self.factor = peak, patch, side, factor

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        activations = class_activations(head, seen.maps(seen.inputs)[0])  # (B, K, h, w)
        weights = 1 - (1 - self.factor) * self.suppressed(activations).to(activations.dtype)
        loss: Tensor = self.loss((weights * activations).mean(dim=(2, 3)), seen.targets)
        return loss

    def suppressed(self, activations: Tensor) -> Tensor:
        """B, drawn with torch's generator of the CPU: (B, K, h, w) to (B, K, h, w) bool."""
        batch, classes, height, width = activations.shape
        device = activations.device
        largest = activations == activations.amax(dim=(2, 3), keepdim=True)
        peaks = torch.rand(batch, classes, 1, 1).to(device) < self.peak
        rows, columns = (-(-length // self.side) for length in (height, width))
        patches = torch.rand(batch, classes, rows, columns).to(device) < self.patch
        spread = patches.repeat_interleave(self.side, 2).repeat_interleave(self.side, 3)
        return torch.where(largest, peaks, spread[:, :, :height, :width])


def class_activations(head: Head, last: Tensor) -> Tensor:
    """What each place says for each class, (B, C, h, w) to (B, K, h, w); logits are its mean."""
    if not isinstance(head, Softmax) or not isinstance(head.pooling, Average):
        name = head.settings()["name"]
        raise BadInputError(
            "scheme diversification must train the head softmax with pooling_name = average, whose "
            f"logits are means over the map; got {name} with {head.pooling.settings()['name']}."
        )
    return F.conv2d(last, head.classifier.weight[:, :, None, None], head.classifier.bias)
