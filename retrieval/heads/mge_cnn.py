"""MGE-CNN: each expert sees what the one before it looked at, and a gate weighs them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInputError
from ..poolings import two_layers
from ._head import Head, Maps
from ._resampling import cut

GATE_WIDTH = 512
NORM = 10.0
"""Of each half of an expert's descriptor."""


@dataclass(frozen=True, eq=False)
class _Opinion:
    """What an expert makes of a picture."""

    whole: Tensor  # logits of the mean, (B, K)
    detectors: Tensor  # greatest value of each part detector, (B, P)
    both: Tensor  # logits of both, (B, K)


class MgeCnn(Head):
    r"""Experts of ever finer pictures, mixed.

    .. math::
        \sum_e g_e(\bar x(I_1))\, z_e, \qquad
        z_e = W_e \Big[10 \tfrac{\bar x_e}{\|\bar x_e\|};\;
            10 \tfrac{m_e}{\|m_e\|}\Big] + b_e

    with :math:`\bar x_e` the mean of the last map of :math:`I_e`, :math:`m_e` the greatest values
    of part detectors, rectified 1 x 1 convolutions of the early map, and g the softmax of two
    linear layers. :math:`I_1` is the picture; :math:`I_{e + 1}` is cut out of :math:`I_e`: the
    class response map of expert e, of the right class in training and of its own best one else,
    brought to the picture's size and to 0..1, has its box where it is not below ``threshold``,
    enlarged to the picture's size.

    The paper takes Grad-CAM. The classifier of :math:`\bar x_e` is linear, so that Grad-CAM before
    its rectifier is this map but for a factor, which 0..1 takes away, and no backward pass is
    needed. The paper's experts and gate have networks of their own; here they share the backbone
    and have classifiers of their own. As in the authors' code :math:`z_e` and g move their own
    weights only: the backbone learns from the classifiers of :math:`\bar x_e`. Pictures are
    searched for by pooling ``two_layers``.

    Args:
        channels: C of the last map.
        early_channels: Of the early map.
        num_classes: K.
        experts: 3 in the paper.
        detectors: Part detectors for each class; 10 in the authors' code.
        threshold: 0.2 there.

    Shape:
        (B, 3, H, W) to (B, K); maps alone, (B, C, h, w), by the classifier of :math:`\bar x_1`.

    References:
        Zhang, Huang, Liu, Tao, Learning a mixture of granularity-specific experts for fine-grained
        categorization, ICCV 2019, section 3.
    """

    looks_again = True

    def __init__(
        self,
        channels: int,
        early_channels: int,
        num_classes: int,
        experts: int = 3,
        detectors: int = 10,
        threshold: float = 0.2,
    ) -> None:
        for name, value in (("experts", experts), ("detectors", detectors)):
            if value < 1:
                raise BadInputError(f"{name} of mge_cnn must be 1 or more; got {value}.")
        if not 0 < threshold <= 1:
            raise BadInputError(f"threshold of mge_cnn must be in (0, 1]; got {threshold:g}.")
        super().__init__(two_layers.TwoLayers())
        self.experts, self.detectors, self.threshold = experts, detectors, threshold
        parts = detectors * num_classes
        self.wholes, self.parts, self.boths = (
            nn.ModuleList(made() for _ in range(experts))
            for made in (
                lambda: nn.Linear(channels, num_classes),
                lambda: nn.Conv2d(early_channels, parts, 1),
                lambda: nn.Linear(channels + parts, num_classes),
            )
        )
        self.gate = nn.Sequential(
            nn.Linear(channels, GATE_WIDTH), nn.ReLU(), nn.Linear(GATE_WIDTH, experts)
        )

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        logits: Tensor = self.wholes[0](last.mean(dim=(2, 3)))
        return logits

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        return self.asked(images, maps, None)[1]

    def asked(
        self, images: Tensor, maps: Maps, targets: Tensor | None
    ) -> tuple[list[_Opinion], Tensor]:
        """The experts' opinions, and the logits (B, K) of all.

        Args:
            images: (B, 3, H, W).
            maps: Of the backbone, early ones too.
            targets: (B,) whose response maps are cut out; where None, each expert's own answer.
        """
        opinions: list[_Opinion] = []
        for expert in range(self.experts):
            last, early = maps(images)
            opinion = self._opinion(expert, last, early)
            if not opinions:
                shares = self.gate(last.detach().mean(dim=(2, 3))).softmax(dim=1)  # (B, E)
            opinions.append(opinion)
            if expert + 1 < self.experts:
                looked = opinion.whole.argmax(dim=1) if targets is None else targets
                boxes = self.boxes(expert, last, looked, (images.shape[2], images.shape[3]))
                images = cut(images, boxes[:, None], (images.shape[2], images.shape[3]))
        votes = torch.stack([one.both.detach() for one in opinions], dim=1)  # (B, E, K)
        return opinions, (shares[:, :, None] * votes).sum(dim=1)

    @torch.no_grad()
    def boxes(self, expert: int, last: Tensor, classes: Tensor, size: tuple[int, int]) -> Tensor:
        """What an expert looks at for classes (B,): left, top, right, bottom as shares, (B, 4).

        Args:
            expert: From 0.
            last: (B, C, h, w).
            classes: (B,).
            size: (H, W) of the picture.
        """
        responses = self._response(expert, last, classes)[:, None]
        responses = F.interpolate(responses, size, mode="bilinear", align_corners=True)[:, 0]
        low, high = responses.amin(dim=(1, 2)), responses.amax(dim=(1, 2))
        least = low + self.threshold * (high - low)
        seen = responses >= least[:, None, None]
        ends = []
        for pixels in (seen.any(dim=1).int(), seen.any(dim=2).int()):  # columns, rows
            count = pixels.shape[1]
            ends.append(pixels.argmax(dim=1) / count)
            ends.append(1 - pixels.flip(1).argmax(dim=1) / count)
        return torch.stack([ends[0], ends[2], ends[1], ends[3]], dim=1).to(last)

    def attention(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        responses = self._response(0, last, self(last).argmax(dim=1))
        return responses - responses.amin(dim=(1, 2), keepdim=True)

    def _response(self, expert: int, last: Tensor, classes: Tensor) -> Tensor:
        weights = self.wholes[expert].get_parameter("weight")[classes]  # (B, C)
        return torch.einsum("bc,bchw->bhw", weights, last)

    def _opinion(self, expert: int, last: Tensor, early: Tensor | None) -> _Opinion:
        if early is None:
            raise BadInputError("mge_cnn needs the early map; got None. Pass both maps.")
        mean = last.mean(dim=(2, 3))
        greatest = F.relu(self.parts[expert](early.detach())).amax(dim=(2, 3))
        halves = [NORM * F.normalize(one.detach()) for one in (mean, greatest)]
        both = self.boths[expert](torch.cat(halves, dim=1))
        return _Opinion(self.wholes[expert](mean), greatest, both)
