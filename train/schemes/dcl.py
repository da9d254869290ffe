"""Destruction and construction: pictures in pieces are recognised too, and put together again."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head

from ._patches import patches_of, rearranged
from ._scheme import Scheme, Seen


class Dcl(Scheme):
    r"""Each picture whole and with its patches moved a little, and three things to say of both.

    .. math::
        \mathcal L = \operatorname{mean} \ell + \beta \operatorname{mean} \operatorname{CE}(A \bar
        x, d) + \gamma \operatorname{mean} \big|\tanh(a(Cx)) - s\big|

    with x the last map of whole (d = 1) and broken (d = 0) pictures; a the mean over cells to
    n x n; and s of the cell that shows patch i, counted along the rows, :math:`(i - \lfloor n^2 / 2
    \rfloor) / n^2`. A patch stays within its row, then within its column: in each it is put in
    order of its place plus a random number of -k..k, so that it moves by less than 2 k. A and C
    are linear and left behind: a head of any kind is trained so, and answers from the picture.

    s is the form of the authors' code, one number for a place where the paper has two. That code
    finds a patch again by its mean colour; here its place is known.

    Args:
        loss: :math:`\ell`.
        channels: C of the last map.
        patches: n, on a side; 7 in the paper.
        reach: k; 2 in the paper.
        adversarial_weight: :math:`\beta`; 1 in the paper.
        location_weight: :math:`\gamma`; 1 in the paper for birds, 0.01 for cars and aircraft.

    References:
        Chen, Bai, Zhang, Mei, Destruction and construction learning for fine-grained image
        recognition, CVPR 2019.
    """

    looks_again = True

    def __init__(
        self,
        loss: nn.Module,
        channels: int,
        patches: int = 7,
        reach: int = 2,
        adversarial_weight: float = 1.0,
        location_weight: float = 1.0,
    ) -> None:
        super().__init__()
        for name, value in (("patches", patches), ("reach", reach)):
            if value < 1:
                raise BadInputError(f"{name} of dcl must be 1 or more; got {value}.")
        for name, weight in (
            ("adversarial_weight", adversarial_weight),
            ("location_weight", location_weight),
        ):
            if not 0 <= weight < float("inf"):
                raise BadInputError(f"{name} of dcl must be 0 or more; got {weight}.")
        self.loss, self.patches, self.reach = loss, patches, reach
        self.adversarial_weight, self.location_weight = adversarial_weight, location_weight
        self.wholeness = nn.Linear(channels, 2, bias=False)  # A
        self.location = nn.Conv2d(channels, 1, 1)  # C

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        count, n = len(seen.inputs), patches_of(seen.inputs, self.patches)
        order = confused(count, n, self.reach).to(seen.inputs.device)
        pictures = torch.cat([seen.inputs, rearranged(seen.inputs, order)])
        last, early = seen.maps(pictures)

        def maps(images: Tensor) -> tuple[Tensor, Tensor | None]:
            return (last, early) if images is pictures else seen.maps(images)

        loss: Tensor = self.loss(head.of_images(pictures, maps), seen.targets.repeat(2))
        whole = (torch.arange(2 * count, device=last.device) < count).long()
        adversarial = F.cross_entropy(self.wholeness(last.mean(dim=(2, 3))), whole)
        told = F.adaptive_avg_pool2d(self.location(last), n).tanh()[:, 0]  # (2 B, n, n)
        places = torch.arange(n * n, device=order.device).reshape(1, n, n).expand_as(order)
        wanted = (torch.cat([places, order]) - n * n // 2) / (n * n)
        location = (told - wanted).abs().mean()
        return loss + self.adversarial_weight * adversarial + self.location_weight * location


def confused(count: int, n: int, reach: int) -> Tensor:
    """Orders of n x n patches, (count, n, n): which patch comes to each place."""
    places = torch.arange(n)
    within_rows, within_columns = 2 * reach * torch.rand(2, count, n, n) - reach
    columns = (places + within_rows).argsort(dim=2)
    rows = (places[:, None] + within_columns).argsort(dim=1)
    grid = torch.arange(n * n).reshape(1, n, n).repeat(count, 1, 1)
    return grid.gather(2, columns).gather(1, rows)
