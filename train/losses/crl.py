"""Centralized ranking loss."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._library import join


class CRL(nn.Module):
    r"""Keep an image nearer to the centre of its class than to every other centre, by a margin.

    The centre of a class is the mean of its embeddings in the batch, so B images are compared with
    P centres instead of with B^2 pairs of others.

    .. math::
        \mathcal L = \frac1{B(P-1)} \sum_i \sum_{c \ne y_i} \big[ m
            + \tfrac12 \lVert x_i - c_{y_i} \rVert^2 - \tfrac12 \lVert x_i - c_c \rVert^2 \big]_+ ,
        \qquad c_c = \frac1{|B_c|} \sum_{y_i = c} x_i

    Args:
        margin: m, half a squared distance; for unit vectors 0 to 2. An image is part of its own
            centre, so random vectors of two images a class keep a margin of 0.5 already.

    Note:
        The paper's text could not be had: its abstract gives the idea, the equation is as later
        papers and lecture notes quote it, the margin is ours. Check before printing a figure as
        the paper's.

    References:
        Zheng et al., Centralized Ranking Loss with Weakly Supervised Localization for Fine-Grained
        Object Retrieval, IJCAI 2018.
    """

    def __init__(self, margin: float = 0.8) -> None:
        super().__init__()
        self.margin = margin

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        """(B, D), (B,) [, (R, D), (R,)] to a scalar; references count like the other images."""
        embeddings, targets = join(embeddings, targets, ref_embeddings, ref_targets)
        classes, own = torch.unique(targets, return_inverse=True)  # (P,), (B,)
        if len(classes) < 2:
            return embeddings.sum() * 0  # nothing to be nearer than
        members = F.one_hot(own).to(embeddings.dtype)  # (B, P)
        centers = members.T @ embeddings / members.sum(dim=0)[:, None]  # (P, D)
        distances = (embeddings[:, None] - centers).square().sum(dim=2) / 2  # (B, P)
        own_distance = distances.gather(1, own[:, None])  # (B, 1)
        too_near = F.relu(self.margin + own_distance - distances)
        too_near = too_near.scatter(1, own[:, None], 0.0)  # a class is not its own rival
        return too_near.sum() / (len(targets) * (len(classes) - 1))
