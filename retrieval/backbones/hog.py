"""Oriented gradients: a map of lines that nothing was learned for."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ._backbone import Backbone

BINS = 8
SIGMA = 1.2
"""Of the blur before the gradient, in pixels of the halved picture: below it is texture."""

FAINT = 0.05
"""Gradient, in shares of white per two pixels, that counts half as much as the strongest edge."""

REACH = 5.0
"""Sigma, in pixels of the halved picture, within which lines are counted together."""

STEP = 8
"""Pixels of the halved picture from one position of the last map to the next."""

_DIAGONAL = math.tan(math.pi / 8)
"""A gradient whose one part is less than this share of the other goes along an axis."""


class Hog(Backbone):
    r"""Histograms of oriented gradients, dense and soft: how much line of each direction is where.

    The picture is halved by averaging and blurred; at each pixel the colour with the largest
    gradient :math:`g` speaks. Its magnitude saturates, :math:`m = |g| / (|g| + 0.05)`, so that a
    pencil's line and the edge of a black shoe weigh alike, and stays only where it is largest along
    the gradient, so that a stroke is a line and not a band. A line of direction :math:`\theta`
    belongs to bin b, one of 8 over half a turn, by

    .. math:: w_b = \max(0, \cos(2\theta - 2\pi b / 8))^3

    The last map is :math:`\sqrt{G_\sigma * (m\,w_b)}` at every 16th pixel of the input, divided so
    that its squares sum to 1: cosines of such maps are Hellinger's affinity of histograms. With the
    pooling ``grid`` of as many cells as the map has it is the descriptor.

    There are no weights. What it computes is float32 whatever the precision around it.

    Shape:
        (B, 3, H, W) to (B, 8, H/16, W/16), rounded down; the early map, of single lines, is
        (B, 8, H/2, W/2). A picture of one colour gives zeros.

    References:
        Dalal and Triggs, Histograms of oriented gradients for human detection, CVPR 2005. Hu and
        Collomosse, A performance evaluation of gradient field HOG descriptor for sketch based image
        retrieval, CVIU 2013. Arandjelovic and Zisserman, Three things everyone should know to
        improve object retrieval, CVPR 2012 (square root).
    """

    channels, stride, size = (BINS, BINS), 2 * STEP, 256
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    blur: Tensor
    reach: Tensor
    towards: Tensor

    def __init__(self) -> None:
        super().__init__()
        angles = torch.arange(BINS) * (2 * math.pi / BINS)  # of doubled directions
        constants = {
            "blur": _gaussian(SIGMA),
            "reach": _gaussian(REACH),
            "towards": torch.stack([angles.cos(), angles.sin()])[:, :, None, None],
        }
        for name, value in constants.items():  # no weights: not in the state, but on its device
            self.register_buffer(name, value, persistent=False)

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(images.device.type, enabled=False):
            lines = self._lines(images.float())
            return lines, self._counted(lines)

    def _lines(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, bins, H/2, W/2)."""
        halved = F.avg_pool2d(images, 2)
        across, down, strength = _strongest(_smoothed(halved, self.blur.float()))
        saturated = strength / (strength + FAINT) * _is_ridge(across, down, strength)
        square = strength.square().clamp(min=torch.finfo(torch.float32).tiny)
        double_cosine = (across.square() - down.square()) / square
        double_sine = 2 * across * down / square
        cosine, sine = self.towards.float()
        agreement = double_cosine * cosine + double_sine * sine  # (B, bins, h, w)
        lines: Tensor = saturated * agreement.clamp(min=0) ** 3
        return lines

    def _counted(self, lines: Tensor) -> Tensor:
        counts = _smoothed(lines, self.reach.float(), STEP)
        total = counts.sum(dim=(1, 2, 3), keepdim=True)
        return (counts / total.clamp(min=torch.finfo(torch.float32).tiny)).sqrt()


def _gaussian(sigma: float) -> Tensor:
    """(2 radius + 1,), out to three sigmas, of sum 1."""
    radius = int(3 * sigma + 0.5)
    weights = torch.exp(-torch.arange(-radius, radius + 1).double().square() / (2 * sigma**2))
    return (weights / weights.sum()).float()


def _smoothed(maps: Tensor, kernel: Tensor, step: int = 1) -> Tensor:
    """Each channel blurred, from the middle of the first ``step`` pixels on at every such step."""
    radius, start = len(kernel) // 2, step // 2
    planes = maps.reshape(-1, 1, *maps.shape[2:])  # (B C, 1, h, w)
    planes = F.pad(planes, (radius, radius, 0, 0), mode="replicate")[..., start:]
    planes = F.conv2d(planes, kernel.view(1, 1, 1, -1), stride=(1, step))
    planes = F.pad(planes, (0, 0, radius, radius), mode="replicate")[..., start:, :]
    planes = F.conv2d(planes, kernel.view(1, 1, -1, 1), stride=(step, 1))
    return planes.view(*maps.shape[:2], *planes.shape[2:])


def _strongest(colours: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradient to the right and down, and its length, of the colour where that is largest.

    Shape:
        (B, 3, h, w) to three of (B, 1, h, w); zeros at the border in the direction across it.
    """
    across = F.pad(colours[..., 2:] - colours[..., :-2], (1, 1, 0, 0))
    down = F.pad(colours[..., 2:, :] - colours[..., :-2, :], (0, 0, 1, 1))
    squares, colour = (across.square() + down.square()).max(dim=1, keepdim=True)
    return across.gather(1, colour), down.gather(1, colour), squares.sqrt()


def _is_ridge(across: Tensor, down: Tensor, strength: Tensor) -> Tensor:
    """Where no neighbour along the gradient, to the nearest eighth of a turn, is stronger."""
    height, width = strength.shape[2:]
    padded = F.pad(strength, (1, 1, 1, 1))

    def largest(x: int, y: int) -> Tensor:
        after = padded[..., 1 + y : 1 + y + height, 1 + x : 1 + x + width]
        before = padded[..., 1 - y : 1 - y + height, 1 - x : 1 - x + width]
        return (strength >= after) & (strength > before)  # of two equal ones, one

    level = down.abs() <= _DIAGONAL * across.abs()
    upright = (across.abs() <= _DIAGONAL * down.abs()) & ~level
    falling = (across * down > 0) & ~level & ~upright
    rising = ~(level | upright | falling)
    directions = ((level, 1, 0), (upright, 0, 1), (falling, 1, 1), (rising, -1, 1))
    ridge = torch.zeros_like(level)
    for along, x, y in directions:
        ridge = ridge | (along & largest(x, y))
    return ridge
