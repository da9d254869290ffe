"""TASN: trilinear attention says where a picture is drawn larger before it is classified."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInputError
from ..poolings import average
from ._head import Head, Maps
from ._resampling import share_of, stretched

DILATIONS = ((1, 2), (1, 2, 3))
"""Of the two layers before the attention; those of a layer share its weights."""
FLOOR = 1e-6
"""Added to an attention, so that one of zeros is even."""


class Tasn(Head):
    r"""The picture, stretched to where channels agree that there is something.

    .. math::
        M = N(N(\gamma X) X^\top)\, X, \qquad
        W \bar x\big(I \text{ stretched by } {\textstyle\sum_c} M_c\big) + b

    with X (C', hw) what two layers of dilated 3 x 3 convolutions make of the last map, N the
    softmax of a row, over places and then over channels, and :math:`\bar x` the mean of the last
    map of the new picture. An attention map is brought to the picture's size; its greatest value in
    each column and in each row is how much room that takes (the inverse of the marginal
    distribution). The sum of the maps, squared as in the authors' code, keeps the structure; a
    single map shows a detail, and the scheme ``tasn`` teaches from details. No gradient flows
    through the attention: it learns from a classifier of its own, which is what maps alone are
    classified by.

    The paper reads 512 pixels, finds the attention in 224 and classifies 224: set
    ``encoder.size = 512``, or ``share = 1`` for small pictures. The paper's attention has a network
    of its own; here it shares the backbone. How far a place may be enlarged is not limited, where
    the authors' code cuts the peaks of the marginals.

    Args:
        channels: C of the last map.
        num_classes: K.
        width: C'; 512 in the authors' code.
        share: Side of what the backbone sees to that of the picture; 224 to 512 there.
        sharpness: :math:`\gamma`; 7 there.

    Shape:
        (B, 3, H, W) to (B, K); maps alone, (B, C, h, w), by the classifier of the attention.

    References:
        Zheng, Fu, Zha, Luo, Looking for the devil in the details: learning trilinear attention
        sampling network for fine-grained image recognition, CVPR 2019, section 3.
    """

    looks_again = True

    def __init__(
        self,
        channels: int,
        num_classes: int,
        width: int = 512,
        share: float = 0.4375,
        sharpness: float = 7.0,
    ) -> None:
        if width < 1:
            raise BadInputError(f"width of tasn must be 1 or more; got {width}.")
        if not 0 < share <= 1:
            raise BadInputError(f"share of tasn must be in (0, 1]; got {share:g}.")
        if not sharpness > 0:
            raise BadInputError(f"sharpness of tasn must be above 0; got {sharpness:g}.")
        super().__init__(average.Average())
        self.width, self.share, self.sharpness = width, share, sharpness
        self.dilated = nn.ModuleList(
            nn.Conv2d(inputs, width, 3) for inputs in (channels, width)[: len(DILATIONS)]
        )
        self.norm = nn.BatchNorm2d(width)
        self.first = nn.Linear(width, num_classes)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return self.at_first_sight(self.features(last))

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        with torch.no_grad():
            features = self.features(maps(self.reduced(images))[0])
        seen = self.stretched(images, structure(self.trilinear(features)))
        logits: Tensor = self.classifier(self.representation(maps(seen)[0]))
        return logits

    def attention(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return self.trilinear(self.features(last)).mean(dim=1)

    def features(self, last: Tensor) -> Tensor:
        """X as a map: (B, C, h, w) to (B, C', h, w)."""
        for layer, dilations in zip(self.dilated, DILATIONS, strict=True):
            weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
            seen = [F.conv2d(last, weight, bias, padding=d, dilation=d) for d in dilations]
            last = torch.stack([F.relu(one) for one in seen]).sum(dim=0)
        return last

    def at_first_sight(self, features: Tensor) -> Tensor:
        """Logits (B, K) of X (B, C', h, w)."""
        logits: Tensor = self.first(F.relu(self.norm(features)).mean(dim=(2, 3)))
        return logits

    @torch.no_grad()
    def trilinear(self, features: Tensor) -> Tensor:
        """M as a map: (B, C', h, w) to the same."""
        rows = features.flatten(2)  # (B, C', N)
        alike = (self.sharpness * rows).softmax(dim=2) @ rows.transpose(1, 2)  # (B, C', C')
        return (alike.softmax(dim=2) @ rows).reshape(features.shape)

    def reduced(self, images: Tensor) -> Tensor:
        """Pictures of the size that the backbone sees."""
        size = self._size(images)
        if images.shape[2:] == size:
            return images
        return F.interpolate(images, size, mode="bilinear", align_corners=False)

    def stretched(self, images: Tensor, attention: Tensor) -> Tensor:
        """Pictures with room by an attention (B, h, w), 0 or more, of the size of ``reduced``."""
        density = F.interpolate(
            attention[:, None], images.shape[2:], mode="bilinear", align_corners=False
        )
        return stretched(images, density[:, 0] + FLOOR, self._size(images))

    def _size(self, images: Tensor) -> tuple[int, int]:
        return share_of((images.shape[2], images.shape[3]), self.share)


def structure(attentions: Tensor) -> Tensor:
    """What all maps attend to, (B, C', h, w) to (B, h, w)."""
    return attentions.mean(dim=1).square()
