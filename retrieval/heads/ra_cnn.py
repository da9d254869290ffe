"""A network that says where to look closer, and looks there, scale after scale."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInputError
from ..poolings.average import Average
from ._head import Head, Maps

CELLS = 4
"""Along each side: what the proposal sees of a map of any size."""


class RaCnn(Head):
    r"""A classifier for each of several scales, and one of all of them together.

    A proposal layer answers to the map of a scale with the middle :math:`(t_x, t_y)` of a square
    and half its side :math:`t_l`, in pixels. The next scale is the picture times

    .. math::
        M(x, y) = \big[h(x - t_x + t_l) - h(x - t_x - t_l)\big]
            \big[h(y - t_y + t_l) - h(y - t_y - t_l)\big], \qquad
        h(x) = \frac1{1 + e^{-kx}}

    cut to the square and enlarged to the picture's size, bilinear. M is almost a box, and how it
    changes with the square is known: the proposal learns from what the next scale is worth. The
    last answer is a linear classifier of the scales' average-pooled descriptors, each of norm 1.

    Args:
        channels: C of the last map.
        num_classes: K.
        scales: 3 in the paper.
        steepness: k; 10 in the paper.
        smallest: Least side of a square as a share of the picture's.
        hidden: Width of a proposal layer.

    Shape:
        (B, C, h, w) to (B, K), the first scale alone.

    Note:
        The scheme of the same name trains it. In the paper each scale has a network of its own;
        here all share the backbone and have their own classifiers. The proposal sees means over
        4 x 4 cells of the map, so that the map may have any size. That a square is inside its
        picture and not smaller than ``smallest`` is ours: the paper does not say what keeps a
        square from vanishing.

    References:
        Fu, Zheng, Mei, Look closer to see better: recurrent attention convolutional neural network
        for fine-grained image recognition, CVPR 2017, eq. 1 to 8.
    """

    looks_again = True

    def __init__(
        self,
        channels: int,
        num_classes: int,
        scales: int = 3,
        steepness: float = 10.0,
        smallest: float = 0.25,
        hidden: int = 256,
    ) -> None:
        super().__init__(Average())
        if not 2 <= scales <= 9:
            raise BadInputError(f"scales of ra_cnn must be in 2..9; got {scales}.")
        if not steepness > 0:
            raise BadInputError(f"steepness of ra_cnn must be above 0; got {steepness:g}.")
        if not 0 < smallest < 1:
            raise BadInputError(f"smallest of ra_cnn must be in (0, 1); got {smallest:g}.")
        if not 1 <= hidden <= 1 << 16:
            raise BadInputError(f"hidden of ra_cnn must be in 1..{1 << 16}; got {hidden}.")
        self.scales, self.steepness = scales, steepness
        self.smallest, self.hidden = smallest, hidden
        self.classifiers = nn.ModuleList(nn.Linear(channels, num_classes) for _ in range(scales))
        self.together = nn.Linear(scales * channels, num_classes)
        self.proposals = nn.ModuleList(_proposal(channels, hidden) for _ in range(scales - 1))

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        logits: Tensor = self.classifiers[0](self.representation(last))
        return logits

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        descriptors = []
        for scale in range(self.scales):
            last, _ = maps(images)
            descriptors.append(self.representation(last))
            if scale < self.scales - 1:
                images = zoomed(images, self.square(scale, last), self.steepness)
        return self.fused(descriptors)

    def square(self, scale: int, last: Tensor) -> Tensor:
        """Where to look closer: (B, C, h, w) to (B, 3), in shares of the picture's sides.

        The middle across, the middle down, half the side.
        """
        shares: Tensor = self.proposals[scale](F.adaptive_avg_pool2d(last, CELLS).flatten(1))
        half = (self.smallest + (1 - self.smallest) * shares[:, 2:]) / 2
        return torch.cat([half + (1 - 2 * half) * shares[:, :2], half], dim=1)

    def fused(self, descriptors: list[Tensor]) -> Tensor:
        """The answer of all scales, of S descriptors (B, C) to (B, K)."""
        unit = [F.normalize(one, dim=1) for one in descriptors]
        logits: Tensor = self.together(torch.cat(unit, dim=1))
        return logits


def _proposal(channels: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(channels * CELLS**2, hidden), nn.Tanh(), nn.Linear(hidden, 3), nn.Sigmoid()
    )


def boxcar(squares: Tensor, size: tuple[int, int], steepness: float) -> Tensor:
    """M of squares (B, 3), in shares of the sides, on the pixels of pictures, (B, H, W)."""
    height, width = size
    across = _inside(squares[:, 0], squares[:, 2], width, steepness)
    down = _inside(squares[:, 1], squares[:, 2], height, steepness)
    return down[:, :, None] * across[:, None, :]


def zoomed(images: Tensor, squares: Tensor, steepness: float) -> Tensor:
    """The squares of pictures times M, enlarged: (B, 3, H, W), (B, 3) to (B, 3, H, W)."""
    height, width = images.shape[2:]
    masked = images * boxcar(squares, (height, width), steepness)[:, None]
    middle, half = 2 * squares[:, :2] - 1, 2 * squares[:, 2]  # -1 to 1 from edge to edge
    zero = torch.zeros_like(half)
    scaling = torch.stack(
        [
            torch.stack([half, zero, middle[:, 0]], dim=1),
            torch.stack([zero, half, middle[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(scaling, list(images.shape), align_corners=False)
    return F.grid_sample(masked, grid, align_corners=False)


def _inside(middle: Tensor, half: Tensor, count: int, steepness: float) -> Tensor:
    """h(x - t + l) - h(x - t - l) at the middles of pixels, (B, count)."""
    pixels = torch.arange(count, device=middle.device, dtype=middle.dtype) + 0.5
    away = pixels - middle[:, None] * count  # (B, count)
    reach = half[:, None] * count
    return torch.sigmoid(steepness * (away + reach)) - torch.sigmoid(steepness * (away - reach))
