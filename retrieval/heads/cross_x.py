"""Classifiers of the parts of two layers and of both together, added up."""

from torch import Tensor, nn

from ..poolings import cross_x
from ._head import Head


class CrossX(Head):
    r"""A linear classifier for each layer's parts.

    .. math:: W_u u + b_u + W_v v + b_v + W_c c + b_c, \qquad u, v, c = \text{pooling ``cross\_x''}

    Scheme ``cross_x`` keeps the parts apart and lets the layers agree.

    Args:
        channels: C of the last map.
        early_channels: Of the early map.
        num_classes: K.
        parts: P; 2 in the paper, 3 for its largest data set.
        ratio: Of channels to the hidden ones of a gate; 256 in the authors' code.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, K).

    References:
        Luo et al., Cross-X learning for fine-grained visual categorization, ICCV 2019.
    """

    pooling: cross_x.CrossX

    def __init__(
        self,
        channels: int,
        early_channels: int,
        num_classes: int,
        parts: int = 2,
        ratio: int = 256,
    ) -> None:
        super().__init__(cross_x.CrossX(channels, early_channels, parts, ratio))
        self.parts, self.ratio = parts, ratio
        self.classifiers = nn.ModuleList(
            nn.Linear(parts * width, num_classes)
            for width in (channels, early_channels, early_channels)
        )

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        first, second, third = self.of_layers(self.pooling.of_layers(last, early))
        return first + second + third

    def of_layers(self, layers: tuple[Tensor, Tensor, Tensor]) -> list[Tensor]:
        """Logits of each layer's parts: u, v, c, (B, P, D) each, to three times (B, K)."""
        return [
            classifier(layer.flatten(1))
            for classifier, layer in zip(self.classifiers, layers, strict=True)
        ]
