"""Triplets under a learned energy between sketch and photo vectors, in the style of HOLEF."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.energy import energies
from retrieval.errors import BadInputError


class HolefStyle(nn.Module):
    r"""Triplet loss whose distance compares every number of a sketch with every one of a photo.

    .. math::
        D(s, p) = \sum_{ij} W_{ij} (s_i - p_j)^2, \qquad
        \mathcal L = \operatorname{mean}^+ \big[ m + D(s, p^+) - D(s, p^-) \big]_+
            + \lambda \big( \lVert W - I \rVert_1 + \lVert W - I \rVert_F \big)

    over all triplets of the batch; :math:`\operatorname{mean}^+` is over those whose term is above
    0. The squared distance compares number i of one vector with number i of the other only, and is
    the case W = I, where training starts and to which it is pulled. W is learned as it is: squared
    weights would have no gradient away from the identity, whose other numbers are zero. No D x D
    array is made for a pair: :math:`D = \sum_i r_i s_i^2 + \sum_j c_j p_j^2 - 2 s^\top W p` with
    the sums r of the rows and c of the columns of W.

    The search stays one by cosine. With a suitable shift c' of c and bound h, sketches become
    :math:`[2 W^\top s; -1; 0]` and photos :math:`[p; \sum_j c'_j p_j^2; \sqrt{h^2 -
    (\sum_j c'_j p_j^2)^2}]`, each of unit norm; for each sketch these rank exactly as -D does. A
    run of the task ``pairs`` adds them to the doors of what it keeps, see
    :mod:`retrieval.energy`. A run of photos alone has no two doors: W then helps to train and is
    not kept.

    Args:
        dim: D, length of an embedding.
        margin: m, a squared distance of unit vectors, 0 to 4.
        pull: :math:`\lambda`, 0 or more.

    Note:
        Weights: ``weight`` (D, D), which D^2 numbers and their gradients must have room for; a
        projection (``encoder.dim``) keeps D small.

        *In the style of* the paper. Its abstract says that the energy is of higher order, learned,
        models correlation of features and is robust to misalignment; the text of its equations
        could not be had. That D weighs squares of the outer subtraction, and that the pull has an
        L1 and a Frobenius norm with 0.0005, is as we remember it and not verified; the margin 0.3
        is that of a stored implementation without the energy. There triplets are sampled. The
        paper's other half is the pooling ``attention_style``.

    References:
        Song, Yu, Song, Xiang, Hospedales, Deep Spatial-Semantic Attention for Fine-Grained
        Sketch-Based Image Retrieval, ICCV 2017.
    """

    def __init__(self, dim: int, margin: float = 0.3, pull: float = 0.0005) -> None:
        super().__init__()
        for name, value in (("margin", margin), ("pull", pull)):
            if not value >= 0:
                raise BadInputError(f"holef_style.{name} must be 0 or more; got {value}.")
        self.margin, self.pull = margin, pull
        self.weight = nn.Parameter(torch.eye(dim))

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        """(B, D), (B,) [, (R, D), (R,)] to a scalar; an image is no reference of itself."""
        itself = torch.zeros((), dtype=torch.bool, device=targets.device)
        if ref_embeddings is None or ref_targets is None:
            ref_embeddings, ref_targets = embeddings, targets
            itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
        energy = energies(embeddings, ref_embeddings, self.weight)  # (B, R)
        same = targets[:, None] == ref_targets
        positive, negative = same & ~itself, ~same
        gaps = F.relu(self.margin + energy[:, :, None] - energy[:, None, :])  # (B, R, R): s, p+, p-
        gaps = gaps * (positive[:, :, None] & negative[:, None, :])
        ranked: Tensor = gaps.sum() / (gaps > 0).sum().clamp(min=1)
        return ranked + self.pull * self._distance()

    def energy_weight(self) -> Tensor:
        """W, (D, D), for :meth:`retrieval.encoder_pair.EncoderPair.with_energy`."""
        return self.weight.detach()

    def _distance(self) -> Tensor:
        away = self.weight - torch.eye(
            len(self.weight), dtype=self.weight.dtype, device=self.weight.device
        )
        distance: Tensor = away.abs().sum() + torch.linalg.vector_norm(away)
        return distance
