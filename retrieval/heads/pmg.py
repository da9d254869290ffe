"""Three classifiers of different granularity, added up."""

from torch import Tensor, nn

from ..poolings import pmg
from ._head import Head


class Pmg(Head):
    r"""A classifier of the early map, one of the last, and one of both.

    .. math:: g_1(f_e) + g_2(f_l) + g_3([f_e; f_l]), \qquad [f_e; f_l] = \text{pooling ``pmg''}

    Each g is BatchNorm, a linear layer to ``reduced``, BatchNorm, ELU, a linear layer. The paper
    has a classifier for each of three stages; backbones here give two maps. Scheme ``pmg`` trains
    them in turns.

    Args:
        channels: C of the last map.
        early_channels: Of the early map.
        num_classes: K.
        reduced: Channels inside a block of convolutions, and inside a classifier; 512 in the
            authors' code.
        width: What a map's descriptor has; 1024 there.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, K).

    References:
        Du et al., Fine-grained visual classification via progressive multi-granularity training of
        jigsaw patches, ECCV 2020.
    """

    pooling: pmg.Pmg

    def __init__(
        self,
        channels: int,
        early_channels: int,
        num_classes: int,
        reduced: int = 512,
        width: int = 1024,
    ) -> None:
        super().__init__(pmg.Pmg(channels, early_channels, reduced, width))
        self.reduced, self.width = reduced, width
        self.early_classifier = _classifier(width, reduced, num_classes)
        self.last_classifier = _classifier(width, reduced, num_classes)
        self.classifier = _classifier(2 * width, reduced, num_classes)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        both = self.pooling(last, early)  # (B, 2 width)
        first, second = both.chunk(2, dim=1)
        logits: Tensor = self.classifier(both)
        logits = logits + self.early_classifier(first) + self.last_classifier(second)
        return logits

    def of_early(self, early: Tensor | None) -> Tensor:
        """What the early map's classifier says, (B, K)."""
        logits: Tensor = self.early_classifier(self.pooling.of_early(early))
        return logits

    def of_last(self, last: Tensor) -> Tensor:
        """What the last map's classifier says, (B, K)."""
        logits: Tensor = self.last_classifier(self.pooling.of_last(last))
        return logits

    def of_both(self, last: Tensor, early: Tensor | None) -> Tensor:
        """What the classifier of both maps says, (B, K)."""
        logits: Tensor = self.classifier(self.pooling(last, early))
        return logits


def _classifier(width: int, reduced: int, num_classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm1d(width),
        nn.Linear(width, reduced),
        nn.BatchNorm1d(reduced),
        nn.ELU(),
        nn.Linear(reduced, num_classes),
    )
