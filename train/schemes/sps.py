"""Stochastic partial swap: pictures exchange some of their middle features."""

from typing import cast

import torch
from torch import Tensor, nn

from retrieval.errors import BadInputError
from retrieval.heads import Head
from retrieval.heads import sps as heads

from ._scheme import Scheme, Seen


class Sps(Scheme):
    r"""The loss of the last map's classifier, and several of the early one's with swapped features.

    .. math::
        \mathcal L = \ell(g_l(f_l), y) + w \sum_{s=1}^S \ell(g_e(\tilde f_e^s), y), \qquad
        \tilde f_{e,bc}^s = \begin{cases} f_{e,\pi(b)c} & r_c < \rho \\ f_{e,bc}\end{cases}

    with a random order :math:`\pi` of the batch, :math:`\rho` uniform in ``least``..``most`` and
    :math:`r_c` in 0..1, all drawn anew for each swap: pictures keep their class whatever they were
    given. While the first share ``detached`` of the run lasts, the second loss does not move the
    backbone.

    Args:
        loss: :math:`\ell`.
        swaps: S; 3 in the authors' code.
        least: Smallest share of features exchanged, 0.3 there.
        most: Largest, 0.5 there.
        weight: w; 1 there.
        detached: 60 of 160 epochs there.

    References:
        Huang, Wang, Tao, Stochastic partial swap: enhanced model generalization and
        interpretability for fine-grained recognition, ICCV 2021.
    """

    head = heads.Sps

    def __init__(
        self,
        loss: nn.Module,
        swaps: int = 3,
        least: float = 0.3,
        most: float = 0.5,
        weight: float = 1.0,
        detached: float = 0.375,
    ) -> None:
        super().__init__()
        if swaps < 1:
            raise BadInputError(f"swaps of sps must be 1 or more; got {swaps}.")
        if not 0 <= least <= most <= 1:
            raise BadInputError(
                f"least and most of sps must be in 0..1, in this order; got {least} and {most}."
            )
        if not 0 <= weight < float("inf"):
            raise BadInputError(f"weight of sps must be 0 or more; got {weight}.")
        if not 0 <= detached <= 1:
            raise BadInputError(f"detached of sps must be in 0..1; got {detached}.")
        self.loss, self.swaps, self.least, self.most = loss, swaps, least, most
        self.weight, self.detached = weight, detached

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        trained = cast(heads.Sps, head)
        last, early = seen.maps(seen.inputs)
        if early is not None and seen.progress < self.detached:
            early = early.detach()
        loss: Tensor = self.loss(trained.classifier(trained.pooling.of_last(last)), seen.targets)
        features = trained.pooling.of_early(early)
        for _ in range(self.swaps):
            logits = trained.early_classifier(self.swapped(features))
            loss = loss + self.weight * self.loss(logits, seen.targets)
        return loss

    def swapped(self, features: Tensor) -> Tensor:
        """Features of which a random share comes from another picture of the batch, (B, C)."""
        count, channels = features.shape
        share = self.least + (self.most - self.least) * torch.rand(())
        chosen = (torch.rand(channels) < share).to(features.device)
        partners = torch.randperm(count).to(features.device)
        return torch.where(chosen, features[partners], features)
