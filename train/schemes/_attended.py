"""What schemes of heads with bilinear attention pooling share."""

from typing import cast

from torch import Tensor, nn

from retrieval.heads import Head
from retrieval.heads._attended import AttendedHead

from ._attention_augmentation import AttentionAugmentation
from ._center import CenterLoss
from ._scheme import Scheme, Seen


class AttendedScheme(Scheme):
    """A loss of logits, attention crop and drop, and a centre for each class.

    Args:
        loss: Of logits and targets.
        num_classes: K.
        dim: Of the descriptor.
        rate: Of the centres.
        crop_least: See :class:`train.schemes.ws_dan.WsDan`, like all that follow.
        crop_most: See there.
        drop_least: See there.
        drop_most: See there.
    """

    head = AttendedHead
    looks_again = True

    def __init__(
        self,
        loss: nn.Module,
        num_classes: int,
        dim: int,
        rate: float = 0.05,
        crop_least: float = 0.4,
        crop_most: float = 0.6,
        drop_least: float = 0.2,
        drop_most: float = 0.5,
    ) -> None:
        super().__init__()
        self.loss, self.centers = loss, CenterLoss(num_classes, dim, rate)
        name = type(self).__module__.rsplit(".", 1)[-1]
        self.augmented = AttentionAugmentation(
            name, (crop_least, crop_most), (drop_least, drop_most)
        )

    def first_look(self, head: Head, seen: Seen) -> tuple[AttendedHead, Tensor, Tensor, Tensor]:
        """The head by its kind, the last map, its attentions and the descriptors of them."""
        attended = cast(AttendedHead, head)
        last, _ = seen.maps(seen.inputs)
        attentions = attended.pooling.attentions(last)
        return attended, last, attentions, attended.pooling.attended(last, attentions)
