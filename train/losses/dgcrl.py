"""Decorrelated global centralized ranking loss."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.plugins import unknown

from ._library import join

FORMS = ("penalty", "gram_schmidt", "none")


class DGCRL(nn.Module):
    r"""Rank the centre of one's class first among the centres of all classes, kept independent.

    The Normalize-Scale layer puts embeddings and centres on one sphere, where distance and dot
    product give one order, so what is learned is what is searched. One centre for each class of
    the whole training part makes the loss global: no triplets, B x C comparisons.

    .. math::
        \mathcal L = -\frac1B \sum_i \log
            \frac{e^{\alpha \hat x_i^\top \hat w_{y_i}}}{\sum_c e^{\alpha \hat x_i^\top \hat w_c}}
        + \lambda \frac1{C(C-1)} \sum_{c \ne d} \lvert \hat w_c^\top \hat w_d \rvert

    On the sphere of radius :math:`\sqrt\alpha` the exponent is minus half the squared distance, up
    to a constant: the softmax is a smooth ranking by distance. The second term is the ``penalty``
    form of decorrelation. In the ``gram_schmidt`` form :math:`\hat w` are the orthonormal rows that
    Gram-Schmidt makes of the learned ones, and the term is 0 by itself.

    Args:
        num_classes: C, classes of the training part.
        dim: D, length of an embedding.
        scale: :math:`\alpha`.
        decorrelate: "penalty", "gram_schmidt" (needs C <= D) or "none".
        penalty: :math:`\lambda`, for the ``penalty`` form.

    Raises:
        BadInputError: C > D with ``gram_schmidt``, or no such form.

    Note:
        Weights: ``centers`` (C, D). The paper's text could not be had: its abstract and figure
        give the parts (Normalize-Scale layer, global ranking, Gram-Schmidt decorrelation of the
        centres); alpha = 100, the penalty and its lambda = 0.1 are read from the code of HGSL,
        which derives from it. The paper puts Gram-Schmidt into the update of the centres; here it
        is part of the loss and its gradient is exact.

    References:
        Zheng et al., Towards Optimal Fine Grained Retrieval via Decorrelated Centralized Loss with
        Normalize-Scale Layer, AAAI 2019. Dong et al., Improved Fine-Grained Object Retrieval with
        Hard Global Softmin Loss Objective, Signal Processing: Image Communication 2022.
    """

    def __init__(
        self,
        num_classes: int,
        dim: int,
        scale: float = 100.0,
        decorrelate: str = "penalty",
        penalty: float = 0.1,
    ) -> None:
        super().__init__()
        if decorrelate not in FORMS:
            raise BadInputError(unknown("form of decorrelation", decorrelate, FORMS))
        if decorrelate == "gram_schmidt" and num_classes > dim:
            raise BadInputError(
                f"dgcrl needs num_classes <= dim to make centres independent; got {num_classes} "
                f"classes in {dim} dimensions. Set decorrelate = penalty, or raise encoder.dim."
            )
        self.scale, self.decorrelate, self.penalty = scale, decorrelate, penalty
        self.centers = nn.Parameter(torch.empty(num_classes, dim))
        nn.init.orthogonal_(self.centers)

    def basis(self) -> Tensor:
        """(C, D) centres as the loss uses them, rows of norm 1."""
        if self.decorrelate != "gram_schmidt":
            return F.normalize(self.centers)
        q, r = torch.linalg.qr(self.centers.T)  # QR is Gram-Schmidt up to the sign of each row
        basis: Tensor = (q * r.diagonal().sign()).T
        return basis

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        """(B, D), (B,) [, (R, D), (R,)] to a scalar; references count like the other images."""
        embeddings, targets = join(embeddings, targets, ref_embeddings, ref_targets)
        basis = self.basis()
        loss = F.cross_entropy(self.scale * F.normalize(embeddings) @ basis.T, targets)
        if self.decorrelate != "penalty":
            return loss
        num_classes = len(basis)
        correlations = (basis @ basis.T).abs()
        between = correlations.sum() - correlations.diagonal().sum()
        return loss + self.penalty * between / max(1, num_classes * (num_classes - 1))
