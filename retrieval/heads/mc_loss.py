"""A few channels for each class, averaged and classified."""

from torch import Tensor, nn

from ..errors import BadInputError
from ..poolings.average import Average
from ._head import Head


class McLoss(Head):
    r"""A linear classifier of the averages of :math:`\xi` channels for each class.

    .. math:: W \bar F + b, \qquad F \in \mathbb R^{K \times \xi \times h \times w}

    Scheme ``mc_loss`` makes the channels of a class tell it apart, and look at different places. F
    is the backbone's map where that has :math:`K \xi` channels, as the paper's networks are built;
    of any other map F is a 1 x 1 convolution with BatchNorm and ReLU. (For pretrained networks the
    paper instead gives classes unequal numbers of channels.) What stands for a picture in a search
    is the average of the backbone's map.

    Args:
        channels: C of the last map.
        num_classes: K.
        per_class: :math:`\xi`.

    Shape:
        (B, C, h, w) to (B, K).

    References:
        Chang et al., The devil is in the channels: mutual-channel loss for fine-grained image
        classification, TIP 2020; 3 channels for each class there.
    """

    def __init__(self, channels: int, num_classes: int, per_class: int = 3) -> None:
        super().__init__(Average())
        if not 1 <= per_class <= 64:
            raise BadInputError(f"per_class of mc_loss must be in 1..64; got {per_class}.")
        self.per_class = per_class
        wanted = num_classes * per_class
        self.grouping: nn.Module = nn.Identity()
        if channels != wanted:
            self.grouping = nn.Sequential(
                nn.Conv2d(channels, wanted, 1, bias=False), nn.BatchNorm2d(wanted), nn.ReLU()
            )
        self.classifier = nn.Linear(wanted, num_classes)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return self.of_groups(self.groups(last))

    def groups(self, last: Tensor) -> Tensor:
        """The channels of each class, F: (B, C, h, w) to (B, K, per_class, h, w)."""
        grouped: Tensor = self.grouping(last)
        return grouped.reshape(len(last), -1, self.per_class, *last.shape[2:])

    def of_groups(self, groups: Tensor) -> Tensor:
        """Logits of F, (B, K)."""
        logits: Tensor = self.classifier(groups.mean(dim=(3, 4)).flatten(1))
        return logits
