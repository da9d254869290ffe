"""Nothing but the loss of the logits."""

from torch import Tensor, nn

from retrieval.heads import Head

from ._scheme import Scheme, Seen


class Plain(Scheme):
    r"""The loss that the recipe names, of what the head answers.

    .. math:: \mathcal L = \ell(h(x), y)

    Args:
        loss: :math:`\ell`.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        loss: Tensor = self.loss(head.of_images(seen.inputs, seen.maps), seen.targets)
        return loss
