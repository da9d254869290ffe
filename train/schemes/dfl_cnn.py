"""Detectors start as what stands out in pictures of their class, and are held to it."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.heads import Head, dfl_cnn

from ._clusters import clusters
from ._scheme import Scheme, Seen


class DflCnn(Scheme):
    r"""Three losses of logits, and filters that are not random at first.

    .. math:: \mathcal L = \ell(z_G, y) + \ell(z_P, y) + \ell(z_S, y)

    Before a class is learned from for the first time its filters become the centres of k clusters
    of what stands out in its pictures of that batch: descriptors of the early map, of unit norm, at
    the places where their norm is greatest among the 8 neighbours. A class with fewer such places
    than filters takes those it has; the rest of its filters stays random.

    Args:
        loss: :math:`\ell`.
        num_classes: K.

    Note:
        Buffer: ``placed`` (K,), whose filters have their first values. The paper clusters all
        training pictures of a class beforehand, with pretrained weights; here they are those of
        one batch: raise ``sampler.images`` where the start matters.

    References:
        Wang, Morariu, Davis, Learning a discriminative filter bank within a CNN for fine-grained
        recognition, CVPR 2018, section 3.
    """

    head = dfl_cnn.DflCnn
    placed: Tensor

    def __init__(self, loss: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.loss = loss
        self.register_buffer("placed", torch.zeros(num_classes, dtype=torch.bool))

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        detecting = cast(dfl_cnn.DflCnn, head)
        last, early = seen.maps(seen.inputs)
        if early is not None and not self.placed[seen.targets].all():
            self._place(detecting, early.detach(), seen.targets)
        streams = detecting.streams(last, early)
        loss: Tensor = sum(self.loss(logits, seen.targets) for logits in streams)
        return loss

    @torch.no_grad()
    def _place(self, head: dfl_cnn.DflCnn, early: Tensor, targets: Tensor) -> None:
        filters = head.pooling.detect.weight.view(len(self.placed), head.filters, -1)  # (K, k, C)
        for label in sorted(set(targets[~self.placed[targets]].tolist())):
            found = outstanding(early[targets == label])
            centres, _ = clusters(found, min(head.filters, len(found)))
            filters[label, : len(centres)] = F.normalize(centres).to(filters.dtype)
            self.placed[label] = True


def outstanding(maps: Tensor) -> Tensor:
    """Descriptors whose norm none of 8 neighbours exceeds, made unit ones, (B, C, h, w) to (P, C).

    The one of the greatest norm comes first; those that are 0 are left out.
    """
    norms = maps.norm(dim=1)  # (B, h, w)
    peaks = (norms == F.max_pool2d(norms, 3, stride=1, padding=1)) & (norms > 0)
    order = norms[peaks].argsort(descending=True, stable=True)
    return F.normalize(maps.permute(0, 2, 3, 1)[peaks][order])
