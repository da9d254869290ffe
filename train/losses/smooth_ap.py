"""Smooth-AP loss: average precision with the steps of the ranks smoothed."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.checks import check_shape


class SmoothAP(nn.Module):
    r"""One minus average precision, where "ranked before" is a sigmoid.

    .. math::
        \mathcal L = \frac1B \sum_i \Big(1 - \frac1{|P_i|} \sum_{j \in P_i}
            \frac{1 + \sum_{k \in P_i \setminus j} \sigma((s_{ik} - s_{ij}) / \tau)}
                 {1 + \sum_{k \ne i, j} \sigma((s_{ik} - s_{ij}) / \tau)} \Big)

    with s the cosine and P_i the other images of the class of i. Anchors without such images do
    not count.

    Args:
        temperature: :math:`\tau`, a cosine: how soft a step is.

    Shape:
        Memory grows with B x B x B (with references B x R x R).

    Note:
        Written from the definition, because pytorch-metric-learning's (2.9) needs classes of equal
        size in the order of the batch, and is right only where there are as many classes as images
        of each. It and the authors' code also count the anchor as its own positive, at rank 1,
        which makes every figure a little better; here it does not occur.

    References:
        Brown et al., Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval, ECCV 2020,
        eq. 7; tau = 0.01 in section 5.
    """

    def __init__(self, temperature: float = 0.01) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        """(B, D), (B,) [, (R, D), (R,)] to a scalar; with references those are ranked."""
        check_shape("embeddings", embeddings, ("B", "D"))
        ranked = torch.ones(len(targets), len(targets), dtype=torch.bool, device=targets.device)
        ranked.fill_diagonal_(False)  # an image is not its own hit
        if ref_embeddings is not None and ref_targets is not None:
            ranked = ranked.new_ones(len(targets), len(ref_targets))
        else:
            ref_embeddings, ref_targets = embeddings, targets
        positive = (targets[:, None] == ref_targets) & ranked  # (B, R)
        scores = F.normalize(embeddings) @ F.normalize(ref_embeddings).T  # (B, R)
        # before[i, j, k]: how surely k is ranked before j for anchor i
        before = torch.sigmoid((scores[:, None, :] - scores[:, :, None]) / self.temperature)
        other = ~torch.eye(len(ref_targets), dtype=torch.bool, device=targets.device)
        before = before * (other & ranked[:, None, :])
        rank = 1 + before.sum(dim=2)  # (B, R)
        rank_in_class = 1 + (before * positive[:, None, :]).sum(dim=2)
        counts = positive.sum(dim=1)  # (B,)
        precision = (rank_in_class / rank * positive).sum(dim=1) / counts.clamp(min=1)
        return ((1 - precision) * (counts > 0)).sum() / (counts > 0).sum().clamp(min=1)
