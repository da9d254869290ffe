"""What the experts and the gate of MGE-CNN learn from."""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from retrieval.errors import BadInputError
from retrieval.heads import Head
from retrieval.heads import mge_cnn as head_file

from ._scheme import Scheme, Seen


class MgeCnn(Scheme):
    r"""Cross-entropies of every expert and of the gate, and experts pushed apart.

    .. math::
        \mathcal L = \ell(\text{gate}) + \sum_e \big[\ell(\text{mean}_e) + \ell(\text{parts}_e)
            + \ell(z_e)\big]
            + \sum_{e > 1} \frac1{BK} \sum_{i, k}
            \exp\Big(-[k \ne y_i]\; p^{e-1}_{ik} \log \frac{p^{e-1}_{ik}}{p^e_{ik}}\Big)

    with :math:`p^e` the softmax of :math:`z_e`, a constant where it is that of the expert before.
    The last term falls as the wrong classes of an expert differ from those of the one before (the
    terms of a Kullback-Leibler divergence; form of the authors' code). The classifiers of parts
    alone stay behind with the scheme.

    Args:
        loss: :math:`\ell`.
        num_classes: K.
        experts: As many as the head has.
        detectors: Likewise, part detectors for each class.

    References:
        Zhang, Huang, Liu, Tao, Learning a mixture of granularity-specific experts for fine-grained
        categorization, ICCV 2019, section 3.
    """

    head = head_file.MgeCnn

    def __init__(
        self, loss: nn.Module, num_classes: int, experts: int = 3, detectors: int = 10
    ) -> None:
        super().__init__()
        self.loss, self.experts, self.detectors = loss, experts, detectors
        self.of_parts = nn.ModuleList(
            nn.Linear(detectors * num_classes, num_classes) for _ in range(experts)
        )

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        head, targets = cast(head_file.MgeCnn, head), seen.targets
        for name in ("experts", "detectors"):
            if getattr(head, name) != getattr(self, name):
                raise BadInputError(
                    f"scheme.{name} must be head.{name}, {getattr(head, name)}; got "
                    f"{getattr(self, name)}. Set both."
                )
        opinions, mixed = head.asked(seen.inputs, seen.maps, targets)
        losses = [self.loss(mixed, targets)]
        for opinion, of_parts in zip(opinions, self.of_parts, strict=True):
            every = (opinion.whole, of_parts(opinion.detectors), opinion.both)
            losses += [self.loss(logits, targets) for logits in every]
        for before, after in pairwise(opinions):
            losses.append(alike(after.both, before.both, targets))
        return torch.stack(losses).sum()


def alike(logits: Tensor, before: Tensor, targets: Tensor) -> Tensor:
    """How little experts differ in the wrong classes: (B, K), (B, K) and (B,) to a scalar."""
    known = before.detach().log_softmax(dim=1)
    terms = known.exp() * (known - logits.log_softmax(dim=1))
    return (-terms.scatter(1, targets[:, None], 0)).exp().mean()
