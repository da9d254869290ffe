"""S3N: the picture again with its class peaks drawn larger, and once more without them."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInputError
from ..poolings import average
from ._head import Head, Maps
from ._resampling import drawn_to

CELLS = 31
"""Side of the grid that peaks are found and pictures are stretched on, as in the authors' code."""
WIDTH = 13.0
"""At half height of the Gaussian of the sampler, in cells; likewise."""
MOST = ((CELLS + 1) // 2) ** 2
"""Peaks there can be: no two of them are neighbours."""
CONSIDERED = 5
"""Classes that are looked at while the first look is not sure."""


class S3n(Head):
    r"""The picture, its most telling places enlarged, and its other places, together.

    .. math:: W [\bar x(I);\; \bar y_d(I_d);\; \bar y_c(I_c)] + b

    The first look gives a response map of each class, the linear classifier of every position. If
    :math:`\sum p \log p` of its five likeliest classes is above ``sure``, the map of the first one
    counts, else the mean of the five. It is brought to 31 x 31 cells and to 0..1; peaks are
    greatest among their 8 neighbours and not below the mean. With :math:`s_i` the value of peak i
    and :math:`d_i` the distance from it,

    .. math::
        S_d = \beta + \sum_{i \in D} s_i\, e^{-d_i^2 / (2 (31 r_d)^2 s_i)}, \qquad
        S_c = \beta + \sum_{i \in C} \frac1{s_i}\, e^{-d_i^2 / (2 (31 r_c)^2 s_i)}

    and :math:`I_d, I_c` are the picture drawn towards them. For an answer D is the greatest peak
    and C the least, as at the end of the authors' code; how they are divided in training the scheme
    ``s3n`` says. :math:`\bar y` is the mean of the last map of a view after a 3 x 3 convolution
    with stride 2, normalised, of its own. A map without peaks leaves the picture as it is.

    The authors' code moves radii and sampler at 1e-4 of the learning rate; here they stay.

    Args:
        channels: C of the last map.
        num_classes: K.
        radius: :math:`r_d`; 0.09 in the authors' settings for birds.
        complementary_radius: :math:`r_c`; 0.3 there.
        base: :math:`\beta`; 0.09 there.
        sure: -0.2 there.

    Shape:
        (B, 3, H, W) to (B, K); maps alone, (B, C, h, w), are classified by the first look.

    References:
        Ding, Zhou, Zhu, Ye, Jiao, Selective sparse sampling for fine-grained image recognition,
        ICCV 2019, section 3.
    """

    looks_again = True

    def __init__(
        self,
        channels: int,
        num_classes: int,
        radius: float = 0.09,
        complementary_radius: float = 0.3,
        base: float = 0.09,
        sure: float = -0.2,
    ) -> None:
        for name, value in (
            ("radius", radius),
            ("complementary_radius", complementary_radius),
            ("base", base),
        ):
            if not value > 0:
                raise BadInputError(f"{name} of s3n must be above 0; got {value:g}.")
        super().__init__(average.Average())
        self.radius, self.complementary_radius = radius, complementary_radius
        self.base, self.sure = base, sure
        self.whole = nn.Linear(channels, num_classes)
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
            for _ in range(2)
        )
        self.together = nn.Linear(3 * channels, num_classes)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        logits: Tensor = self.whole(self.representation(last))
        return logits

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        last = maps(images)[0]
        scores, places = self.peaks(last)
        return self.of_views(last, self.views(images, maps, scores, places, *extremes(scores)))

    def of_views(self, last: Tensor, views: list[Tensor]) -> Tensor:
        """Logits (B, K) of the first look's map and of what the branches make of the views."""
        logits: Tensor = self.together(torch.cat([self.representation(last), *views], dim=1))
        return logits

    def views(
        self,
        images: Tensor,
        maps: Maps,
        scores: Tensor,
        places: Tensor,
        telling: Tensor,
        others: Tensor,
    ) -> list[Tensor]:
        """Descriptors (B, C) of the two views, for peaks divided into D and C, each (B, P)."""
        inverse = torch.where(scores > 0, 1 / scores.clamp(min=1e-6), 0)
        saliencies = [
            self.base + _hills(scores, scores * telling, places, self.radius),
            self.base + _hills(scores, inverse * others, places, self.complementary_radius),
        ]
        drawn = torch.cat([drawn_to(images, one, WIDTH) for one in saliencies])
        features = maps(drawn)[0].chunk(2)
        return [
            branch(one).mean(dim=(2, 3))
            for branch, one in zip(self.branches, features, strict=True)
        ]

    @torch.no_grad()
    def peaks(self, last: Tensor) -> tuple[Tensor, Tensor]:
        """Values (B, P) in 0..1, greatest first, 0 where there is no peak, and cells (B, P)."""
        heights = self.response(last)
        indices = F.max_pool2d(heights[:, None], 3, 1, padding=1, return_indices=True)[1]
        own = torch.arange(CELLS**2, device=last.device)
        heights, indices = heights.flatten(1), indices.flatten(1)
        found = (indices == own) & (heights >= heights.mean(dim=1, keepdim=True))
        scores, places = (heights * found).topk(MOST, dim=1)
        return scores, places

    @torch.no_grad()
    def response(self, last: Tensor) -> Tensor:
        """The response map that counts, (B, 31, 31) in 0..1; zero where it is even."""
        probabilities, classes = (
            self(last).softmax(dim=1).topk(min(CONSIDERED, self.whole.out_features), dim=1)
        )
        sure = torch.special.xlogy(probabilities, probabilities).sum(dim=1) > self.sure
        share = torch.full_like(probabilities, 1 / classes.shape[1])
        share[sure] = F.one_hot(share.new_zeros((), dtype=torch.long), share.shape[1]).to(share)
        # The mean of linear maps is the map of the mean of their weights; the bias moves it whole.
        weights = torch.einsum("bk,bkc->bc", share, self.whole.weight[classes])
        responses = torch.einsum("bc,bchw->bhw", weights, last)[:, None]
        grid = F.interpolate(responses, (CELLS, CELLS), mode="bilinear", align_corners=True)[:, 0]
        low, high = grid.amin(dim=(1, 2), keepdim=True), grid.amax(dim=(1, 2), keepdim=True)
        even = high - low <= 1e-6 * high.abs()
        return torch.where(even, 0, (grid - low) / torch.where(even, 1, high - low))

    def attention(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        size = (last.shape[2], last.shape[3])
        return F.adaptive_avg_pool2d(self.response(last)[:, None], size)[:, 0]


def extremes(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The greatest of the peaks and the least, each (B, P) of 0 and 1."""
    order = torch.arange(scores.shape[1], device=scores.device)
    count = (scores > 0).sum(dim=1, keepdim=True)
    return ((order == 0) & (count > 0)).to(scores), (order == count - 1).to(scores)


def _hills(scores: Tensor, heights: Tensor, places: Tensor, radius: float) -> Tensor:
    """Gaussians added up on the grid: (B, P) heights at cells to (B, 31, 31)."""
    axis = torch.arange(CELLS, device=scores.device).to(scores)
    spread = 2 * (CELLS * radius) ** 2 * scores.clamp(min=1e-6)[:, :, None]
    down, across = (
        torch.exp(-((axis - place[:, :, None]) ** 2) / spread)
        for place in (places // CELLS, places % CELLS)
    )  # (B, P, 31) each: a Gaussian is a product of both
    return (heights[:, :, None] * down).transpose(1, 2) @ across
