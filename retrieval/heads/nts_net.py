"""NTS-Net: a navigator proposes parts, which are cut out and classified with the whole."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import batched_nms

from ..errors import BadInputError
from ..poolings import average
from ._head import Head, Maps
from ._resampling import cut, share_of

LEVELS = ((1, 48, (1, 2)), (2, 96, (1, 2)), (4, 192, (0, 1, 2)))
"""Cells of the map between anchors, side of a box in 448 pixels, and by how many thirds of a power
of two it is enlarged."""
RATIOS = (0.667, 1.0, 1.5)
"""Width to height of a box."""
PICTURE = 448
ANCHORS = sum(len(thirds) * len(RATIOS) for _, _, thirds in LEVELS)
"""Of a map of one position: the fewest there are."""


class NtsNet(Head):
    r"""The whole picture and its most informative boxes, described by one backbone.

    .. math:: W [\bar x(I); \bar x(R_1); \dots; \bar x(R_K)] + b

    with :math:`\bar x` the mean of the last map. The navigator scores anchors: convolutions of
    3 x 3, of which the second and the third halve the map, and 1 x 1 to 6, 6 and 9 scores at each
    position, for two, two and three sizes of box times three ratios of its sides. Non-maximum
    suppression leaves :math:`R_1, \dots` in falling order of score, cut out with zeros beyond the
    picture. What it learns from is the scheme ``nts_net``; it moves no weight of the backbone.

    Boxes are those of the paper's 448 pixels, as shares of the picture, and their places follow
    the map. Where fewer than K boxes are left, as on a tiny map, the best of the suppressed ones
    follow.

    Args:
        channels: C of the last map.
        num_classes: K.
        proposals: M, boxes that the navigator is judged by; 6 in the authors' code.
        parts: K, boxes that are classified with the whole; 4 there.
        share: Side of a part that the backbone sees to that of the picture; 224 to 448 there.
        width: Channels of the navigator; 128 there.
        overlap: Intersection over union from which on a box is suppressed; 0.25 there.

    Shape:
        (B, 3, H, W) to (B, K); maps alone, (B, C, h, w), are classified without parts.

    References:
        Yang, Luo, Wang, Hu, Gao, Wang, Learning to navigate for fine-grained classification,
        ECCV 2018.
    """

    looks_again = True

    def __init__(
        self,
        channels: int,
        num_classes: int,
        proposals: int = 6,
        parts: int = 4,
        share: float = 0.5,
        width: int = 128,
        overlap: float = 0.25,
    ) -> None:
        if not 1 <= parts <= proposals <= ANCHORS:
            raise BadInputError(
                f"parts and proposals of nts_net must be 1 <= parts <= proposals <= {ANCHORS}; got "
                f"{parts} and {proposals}."
            )
        if width < 1:
            raise BadInputError(f"width of nts_net must be 1 or more; got {width}.")
        for name, value in (("share", share), ("overlap", overlap)):
            if not 0 < value <= 1:
                raise BadInputError(f"{name} of nts_net must be in (0, 1]; got {value:g}.")
        super().__init__(average.Average())
        self.proposals, self.parts, self.share = proposals, parts, share
        self.width, self.overlap = width, overlap
        self.whole = nn.Linear(channels, num_classes)
        self.together = nn.Linear((parts + 1) * channels, num_classes)
        self.down = nn.ModuleList(
            nn.Conv2d(channels if cells == 1 else width, width, 3, min(cells, 2), padding=1)
            for cells, _, _ in LEVELS
        )
        self.scores = nn.ModuleList(
            nn.Conv2d(width, len(thirds) * len(RATIOS), 1) for _, _, thirds in LEVELS
        )

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        logits: Tensor = self.whole(self.representation(last))
        return logits

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        last = maps(images)[0]
        with torch.no_grad():
            boxes, _ = self.navigated(last, self.parts)
        return self.of_parts(self.representation(last), self.of_boxes(images, boxes, maps))

    def of_parts(self, whole: Tensor, parts: Tensor) -> Tensor:
        """Logits (B, K) of the whole (B, C) and of the first parts of (B, M, C)."""
        described = torch.cat([whole[:, None], parts[:, : self.parts]], dim=1)
        logits: Tensor = self.together(described.flatten(1))
        return logits

    def of_boxes(self, images: Tensor, boxes: Tensor, maps: Maps) -> Tensor:
        """Descriptors (B, M, C) of boxes (B, M, 4), as the backbone sees them alone."""
        views = cut(images, boxes, share_of((images.shape[2], images.shape[3]), self.share))
        return self.representation(maps(views)[0]).reshape(*boxes.shape[:2], -1)

    def navigated(self, last: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Boxes (B, M, 4), left, top, right, bottom as shares of the sides, and scores (B, M)."""
        scores = torch.cat([one.flatten(1) for one in self._score_maps(last)], dim=1)  # (B, A)
        boxes = anchors(last.shape[2], last.shape[3]).to(scores)
        chosen = _apart(boxes, scores.detach(), number, self.overlap)
        return boxes[chosen], scores.gather(1, chosen)

    def attention(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        """Shares of the positions, by the best score of the smallest boxes there."""
        best = self._score_maps(last)[0].amax(dim=1)
        return best.flatten(1).softmax(dim=1).reshape(best.shape)

    def _score_maps(self, last: Tensor) -> list[Tensor]:
        scores, features = [], last.detach()
        for down, score in zip(self.down, self.scores, strict=True):
            features = F.relu(down(features))
            scores.append(score(features))
        return scores


def anchors(height: int, width: int) -> Tensor:
    """Boxes of a map, (A, 4), in the order of the scores: left, top, right, bottom as shares."""
    found = []
    for cells, size, thirds in LEVELS:
        rows = (torch.arange(math.ceil(height / cells)) + 0.5) * cells / height
        columns = (torch.arange(math.ceil(width / cells)) + 0.5) * cells / width
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        for third in thirds:
            side = size / PICTURE * 2 ** (third / 3) / 2
            for ratio in RATIOS:
                right, below = side * ratio**0.5, side / ratio**0.5
                box = torch.stack([x - right, y - below, x + right, y + below], dim=2)
                found.append(box.reshape(-1, 4))
    return torch.cat(found)


def _apart(boxes: Tensor, scores: Tensor, number: int, overlap: float) -> Tensor:
    """The best boxes that overlap little, best first, then the best of the others: (B, number)."""
    batch, count = scores.shape
    rows = torch.arange(batch, device=scores.device).repeat_interleave(count)
    left = batched_nms(boxes.repeat(batch, 1), scores.flatten(), rows, overlap)
    suppressed = torch.ones(batch * count, dtype=torch.bool, device=scores.device)
    suppressed[left] = False
    order = scores.argsort(dim=1, descending=True, stable=True)
    last = suppressed.reshape(batch, count).gather(1, order).int()
    return order.gather(1, last.argsort(dim=1, stable=True))[:, :number]
