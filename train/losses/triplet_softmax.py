"""Softmax and triplets together, with a hierarchy of labels where there is one."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError

from ._library import join


class TripletSoftmax(nn.Module):
    r"""Classify and rank at once: :math:`E = \lambda E_s + (1 - \lambda) E_t`.

    .. math::
        E_t = \operatorname{mean}^+ \big[ m + D(r, p) - D(r, n) \big]_+ , \qquad
        D(a, b) = \lVert \hat a - \hat b \rVert^2

    over all triplets of the batch: p of the class of r, n of another. With superclasses the
    ranking has three steps (own class, own superclass, the rest) and two terms,

    .. math::
        E_t = \tfrac12 \operatorname{mean}^+ \big[ m - m_2 + D(r, p^+) - D(r, p^-) \big]_+
            + \tfrac12 \operatorname{mean}^+ \big[ m_2 + D(r, p^-) - D(r, n) \big]_+

    with :math:`p^-` of another class of the same superclass and n of another superclass.
    :math:`\operatorname{mean}^+` is over the triplets whose term is above 0. E_s is the normalised
    softmax over the classes.

    Args:
        num_classes: C, classes of the training part.
        dim: D, length of an embedding.
        superclasses: The superclass of each class; without it the first form is used.
        softmax_share: :math:`\lambda`, 0 to 1.
        margin: m, a squared distance of unit vectors, 0 to 4.
        super_margin: m_2, from 0 to m.
        temperature: Of the softmax, above 0.

    Note:
        Weights: ``centers`` (C, D). The paper's text could not be had: the joint form is quoted in
        surveys, the hierarchical one is as we remember it. There E_s is a linear classifier on
        features that are not normalised, and triplets are sampled.

    References:
        Zhang et al., Embedding Label Structures for Fine-Grained Feature Representation, CVPR 2016.
    """

    superclasses: Tensor | None

    def __init__(
        self,
        num_classes: int,
        dim: int,
        superclasses: list[int] | None = None,
        softmax_share: float = 0.8,
        margin: float = 0.2,
        super_margin: float = 0.1,
        temperature: float = 0.05,
    ) -> None:
        super().__init__()
        if superclasses is not None and len(superclasses) != num_classes:
            raise BadInputError(
                f"triplet_softmax.superclasses must name one for each of {num_classes} classes; "
                f"got {len(superclasses)}."
            )
        if not 0 <= super_margin <= margin:
            raise BadInputError(
                f"triplet_softmax.super_margin must be in [0, margin = {margin}]; "
                f"got {super_margin}."
            )
        self.softmax_share, self.margin, self.super_margin = softmax_share, margin, super_margin
        self.temperature = temperature
        self.centers = nn.Parameter(torch.empty(num_classes, dim))
        nn.init.normal_(self.centers, std=dim**-0.5)
        above = None if superclasses is None else torch.tensor(superclasses)
        self.register_buffer("superclasses", above, persistent=False)

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        """(B, D), (B,) [, (R, D), (R,)] to a scalar; references count like the other images."""
        embeddings, targets = join(embeddings, targets, ref_embeddings, ref_targets)
        vectors = F.normalize(embeddings)
        cosines = vectors @ F.normalize(self.centers).T  # (B, C)
        classified = F.cross_entropy(cosines / self.temperature, targets)
        return self.softmax_share * classified + (1 - self.softmax_share) * self._ranked(
            vectors, targets
        )

    def _ranked(self, vectors: Tensor, targets: Tensor) -> Tensor:
        distances = 2 - 2 * vectors @ vectors.T  # (B, B), squared
        itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
        same = (targets[:, None] == targets) & ~itself
        if self.superclasses is None:
            return violations(distances, same, targets[:, None] != targets, self.margin)
        above = self.superclasses[targets]
        related = (above[:, None] == above) & (targets[:, None] != targets)
        strange = above[:, None] != above
        inner = violations(distances, same, related, self.margin - self.super_margin)
        outer = violations(distances, related, strange, self.super_margin)
        return (inner + outer) / 2


def violations(distances: Tensor, nearer: Tensor, farther: Tensor, margin: float) -> Tensor:
    """Mean of margin + D(r, p) - D(r, n) over the triplets of these pairs where it is above 0."""
    gaps = margin + distances[:, :, None] - distances[:, None, :]  # (B, B, B): r, p, n
    gaps = F.relu(gaps) * (nearer[:, :, None] & farther[:, None, :])
    return gaps.sum() / (gaps > 0).sum().clamp(min=1)
