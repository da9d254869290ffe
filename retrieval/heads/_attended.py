"""What heads with bilinear attention pooling share."""

from torch import Tensor, nn

from ..attention_crops import attended_boxes, cropped
from ..poolings.bilinear_attention import BilinearAttention
from ._head import Head, Maps

SCALE = 100
"""Of the descriptor, whose norm is 1, before the classifier: that of the authors' code."""


class AttendedHead(Head):
    """A linear classifier of what several attentions look at, which can look there again.

    Args:
        channels: C of the last map.
        num_classes: K.
        parts: How many attentions.
    """

    pooling: BilinearAttention

    def __init__(self, channels: int, num_classes: int, parts: int) -> None:
        super().__init__(BilinearAttention(channels, parts))
        self.parts = parts
        self.classifier = nn.Linear(parts * channels, num_classes, bias=False)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return self.logits(self.representation(last, early))

    def logits(self, descriptors: Tensor) -> Tensor:
        """Of descriptors of the pooling, (B, M C) to (B, K)."""
        scores: Tensor = self.classifier(SCALE * descriptors)
        return scores

    def attention(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        """The mean of its attentions, (B, h, w)."""
        return self.pooling.attentions(last).mean(dim=1)

    def at_both_scales(self, images: Tensor, maps: Maps, shares: list[float]) -> list[Tensor]:
        """Logits of pictures, then of the attended box of each share, enlarged."""
        last, early = maps(images)
        where, size = self.attention(last, early).detach(), (images.shape[2], images.shape[3])
        boxes = [attended_boxes(where, size, share) for share in shares]
        return [self(last, early), *(self(*maps(cropped(images, box))) for box in boxes)]
