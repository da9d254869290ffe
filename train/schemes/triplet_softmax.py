"""Classify and rank at once, with a hierarchy of labels where there is one, for every head."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head

from ..losses.triplet_softmax import violations
from ._described import described
from ._scheme import Scheme, Seen


class TripletSoftmax(Scheme):
    r"""Loss of logits and ranking of descriptors: :math:`E = \lambda E_s + (1 - \lambda) E_t`.

    .. math::
        E_t = \operatorname{mean}^+ \big[ m + D(r, p) - D(r, n) \big]_+ , \qquad
        D(a, b) = \lVert \hat f_a - \hat f_b \rVert^2

    over all triplets of the batch: p of the class of r, n of another. Where superclasses are known,
    pictures r with a relative in the batch, one of another class of the same superclass, are ranked
    in three steps (own class, own superclass, the rest):

    .. math::
        E_t = \tfrac12 \operatorname{mean}^+ \big[ m - m_2 + D(r, p^+) - D(r, p^-) \big]_+
            + \tfrac12 \operatorname{mean}^+ \big[ m_2 + D(r, p^-) - D(r, n) \big]_+

    with :math:`p^-` a relative and n of another superclass. A picture without relatives in the
    batch is ranked by the first form, which these two imply, and the two parts are averaged with
    their numbers of pictures. :math:`\operatorname{mean}^+` is over the triplets whose term is
    above 0.

    Args:
        loss: :math:`E_s`, of the logits.
        num_classes: K.
        superclasses: The superclass of each class, where the benchmark has them.
        softmax_share: :math:`\lambda`, in [0, 1].
        margin: m, a squared distance of unit vectors, 0 to 4.
        super_margin: m_2, from 0 to m.

    Raises:
        BadInputError: An option is out of its range.

    Note:
        The paper's text could not be had: the joint form is quoted in surveys, the hierarchical one
        is as we remember it. There triplets are sampled; all of a batch are taken here.

    References:
        Zhang et al., Embedding Label Structures for Fine-Grained Feature Representation, CVPR 2016.
    """

    needs_pairs = True
    superclasses: Tensor

    def __init__(
        self,
        loss: nn.Module,
        num_classes: int,
        superclasses: list[int] | None,
        softmax_share: float = 0.8,
        margin: float = 0.2,
        super_margin: float = 0.1,
    ) -> None:
        super().__init__()
        if not 0 <= softmax_share <= 1:
            raise BadInputError(
                f"triplet_softmax.softmax_share must be in [0, 1]; got {softmax_share}."
            )
        if not 0 <= super_margin <= margin:
            raise BadInputError(
                f"triplet_softmax.super_margin must be in [0, margin = {margin}]; "
                f"got {super_margin}."
            )
        self.loss = loss
        self.softmax_share, self.margin, self.super_margin = softmax_share, margin, super_margin
        above = range(num_classes) if superclasses is None else superclasses
        self.register_buffer("superclasses", torch.tensor(list(above)), persistent=False)

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        logits, descriptors = described(head, seen)
        classified: Tensor = self.loss(logits, seen.targets)
        ranked = self.ranked(F.normalize(descriptors), seen.targets)
        return self.softmax_share * classified + (1 - self.softmax_share) * ranked

    def ranked(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """E_t of unit vectors (B, D) and their classes (B,)."""
        distances = 2 - 2 * vectors @ vectors.T  # (B, B), squared
        above = self.superclasses[targets]
        itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
        other = targets[:, None] != targets
        same, strange = ~other & ~itself, above[:, None] != above
        related = other & ~strange
        has_relatives = related.any(dim=1)
        inner = violations(distances, same, related, self.margin - self.super_margin)
        outer = violations(distances, related, strange, self.super_margin)
        alone = violations(distances, same & ~has_relatives[:, None], other, self.margin)
        share = has_relatives.to(vectors.dtype).mean()
        return share * (inner + outer) / 2 + (1 - share) * alone
