"""What S3N learns from: how peaks are divided, and four cross-entropies."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head
from retrieval.heads import s3n as head_file

from ._scheme import Scheme, Seen


class S3n(Scheme):
    r"""Cross-entropies of the whole, of each view and of all three together.

    .. math::
        \mathcal L = \ell(\text{together}) + \ell(\text{telling view})
            + \ell_\rho(\text{whole}) + \ell_\rho(\text{other view})

    Peaks are enlarged in both views for the first part of the run; then each is drawn to be among
    the telling ones with a probability equal to its value, and is among the others if not.
    :math:`\ell_\rho` is the cross-entropy with a share :math:`\rho` for the right class, the rest
    shared by the others. The classifiers of single views stay behind with the scheme.

    Args:
        loss: :math:`\ell`.
        dim: Of the descriptor.
        num_classes: K.
        right: :math:`\rho`; 0.85 in the authors' settings for birds.
        undivided: Share of the run in which all peaks are in both; 20 of 60 epochs there.

    References:
        Ding, Zhou, Zhu, Ye, Jiao, Selective sparse sampling for fine-grained image recognition,
        ICCV 2019, sections 3.2 and 3.3.
    """

    head = head_file.S3n

    def __init__(
        self,
        loss: nn.Module,
        dim: int,
        num_classes: int,
        right: float = 0.85,
        undivided: float = 1 / 3,
    ) -> None:
        if not 1 / num_classes <= right <= 1:
            raise BadInputError(
                f"right of s3n must be in [1 / classes, 1]; got {right:g} of {num_classes} classes."
            )
        super().__init__()
        self.loss, self.right, self.undivided = loss, right, undivided
        self.smoothing = (1 - right) * num_classes / (num_classes - 1)
        self.of_views = nn.ModuleList(nn.Linear(dim, num_classes) for _ in range(2))

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        head, targets = cast(head_file.S3n, head), seen.targets
        last = seen.maps(seen.inputs)[0]
        scores, places = head.peaks(last)
        telling, others = self.divided(scores, seen.progress)
        views = head.views(seen.inputs, seen.maps, scores, places, telling, others)
        found, other = (of(view) for of, view in zip(self.of_views, views, strict=True))
        loss: Tensor = (
            self.loss(head.of_views(last, views), targets)
            + self.loss(found, targets)
            + F.cross_entropy(head(last), targets, label_smoothing=self.smoothing)
            + F.cross_entropy(other, targets, label_smoothing=self.smoothing)
        )
        return loss

    def divided(self, scores: Tensor, progress: float) -> tuple[Tensor, Tensor]:
        """Which peaks of (B, P) are telling, and which are among the others, as 0 and 1."""
        every = (scores > 0).to(scores)
        if progress < self.undivided:
            return every, every
        telling = (torch.rand_like(scores) < scores).to(scores)
        return telling, every - telling
