"""Mutual-channel loss: channels of a class that tell it apart, each in a place of its own."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head
from retrieval.heads import mc_loss as heads

from ._scheme import Scheme, Seen


class McLoss(Scheme):
    r"""The classifier's loss, and two of the channels :math:`F_{c,j}` that each class owns.

    .. math:: \mathcal L = \ell(h(x), y) + \alpha \mathcal L_{dis} + \beta \mathcal L_{div}

    .. math::
        \mathcal L_{dis} = \operatorname{CE}\Big(\Big(\frac1{hw} \sum_p \max_j M_{c,j}
        F_{c,j,p}\Big)_c, y\Big), \qquad
        \mathcal L_{div} = 1 - \frac1{K \xi} \sum_c \sum_p \max_j
        \operatorname{softmax}_p(F_{c,j})_p

    with p the places of the map and M drawn anew for each batch: of each class :math:`\lfloor \xi /
    2 \rfloor` channels are 0, the others 1. :math:`\mathcal L_{div}` is 0 where the channels of a
    class are certain of different places, and :math:`1 - 1 / \xi` where they are alike.

    Args:
        loss: :math:`\ell`.
        alpha: Of discriminality; 1.5 in the authors' code for networks that start from nothing.
        beta: Of diversity; 20 there.

    References:
        Chang et al., The devil is in the channels: mutual-channel loss for fine-grained image
        classification, TIP 2020.
    """

    head = heads.McLoss

    def __init__(self, loss: nn.Module, alpha: float = 1.5, beta: float = 20.0) -> None:
        super().__init__()
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not 0 <= value < float("inf"):
                raise BadInputError(f"{name} of mc_loss must be 0 or more; got {value}.")
        self.loss, self.alpha, self.beta = loss, alpha, beta

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        owner = cast(heads.McLoss, head)
        groups = owner.groups(seen.maps(seen.inputs)[0])  # (B, K, xi, h, w)
        mask = random_mask(groups.shape[1], groups.shape[2]).to(groups)
        discriminality = F.cross_entropy(evidence(groups, mask), seen.targets)
        loss: Tensor = self.loss(owner.of_groups(groups), seen.targets)
        return loss + self.alpha * discriminality + self.beta * sameness(groups)


def random_mask(classes: int, per_class: int) -> Tensor:
    """Which channels count, (K, xi): half of those of each class, rounded up."""
    rank = torch.rand(classes, per_class).argsort(dim=1).argsort(dim=1)
    return rank >= per_class // 2


def evidence(groups: Tensor, mask: Tensor) -> Tensor:
    """For each class the strongest of its channels, averaged over places, (B, K)."""
    return (groups * mask[:, :, None, None]).amax(dim=2).mean(dim=(2, 3))


def sameness(groups: Tensor) -> Tensor:
    """How far the channels of a class are from different places, (), in 0..1."""
    shares = groups.flatten(3).softmax(dim=3)  # (B, K, xi, hw)
    return 1 - shares.amax(dim=2).sum(dim=2).mean() / groups.shape[2]
