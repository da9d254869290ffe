"""Scales are classified, and must be surer of the class from one to the next."""

from collections.abc import Collection
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.heads import Head, ra_cnn

from ._scheme import Scheme, Seen

CLASSIFYING, PROPOSING = 0, 1


class RaCnn(Scheme):
    r"""Classification of all scales and ranking between them in turns, two phases in each step.

    The first phase moves backbone and classifiers by

    .. math:: \mathcal L_{cls} = \sum_{s=1}^{S} \ell(z^{(s)}, y) + \ell(z, y)

    where the classifier of all scales together, z, learns from descriptors that do not learn from
    it. The second moves the proposals of squares, and nothing else, by

    .. math:: \mathcal L_{rank} = \sum_{s=1}^{S-1} \max\big(0, p_y^{(s)} - p_y^{(s+1)} + \mu\big)

    with the probability :math:`p_y` of the right class: a closer look must know better.

    While less than ``start`` of the run is done, the second phase learns squares instead that lie
    around the place where the map is greatest, of half the picture's side, by squared error: the
    ranking has nothing to learn from as long as the network knows no classes.

    Args:
        loss: :math:`\ell`.
        margin: :math:`\mu`; 0.05 in the paper.
        start: Share of the run, 0 to 1.

    Note:
        The paper starts each proposal from such squares too, goes on with a phase until it
        converges, and trains the classifier of all scales at the end.

    References:
        Fu, Zheng, Mei, Look closer to see better: recurrent attention convolutional neural network
        for fine-grained image recognition, CVPR 2017, eq. 9 and 10 and section 3.4.
    """

    head = ra_cnn.RaCnn
    phases = 2
    looks_again = True

    def __init__(self, loss: nn.Module, margin: float = 0.05, start: float = 0.1) -> None:
        super().__init__()
        if not 0 <= start <= 1:
            raise BadInputError(f"start of ra_cnn must be in 0..1; got {start:g}.")
        self.loss, self.margin, self.start = loss, margin, start

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        scales = cast(ra_cnn.RaCnn, head)
        if phase == CLASSIFYING:
            return self._classified(scales, seen)
        if seen.progress < self.start:
            return _pointed(scales, seen)
        return self._ranked(scales, seen)

    def learned(self, head: Head, phase: int) -> Collection[nn.Parameter] | None:
        if phase == PROPOSING:
            return list(cast(ra_cnn.RaCnn, head).proposals.parameters())
        return None  # the proposals have no gradient

    def _classified(self, head: ra_cnn.RaCnn, seen: Seen) -> Tensor:
        images, descriptors, losses = seen.inputs, [], []
        for scale, classify in enumerate(head.classifiers):
            last, _ = seen.maps(images)
            descriptors.append(head.representation(last))
            losses.append(self.loss(classify(descriptors[-1]), seen.targets))
            if scale < head.scales - 1:
                with torch.no_grad():
                    images = ra_cnn.zoomed(images, head.square(scale, last), head.steepness)
        together = head.fused([one.detach() for one in descriptors])
        return torch.stack([*losses, self.loss(together, seen.targets)]).sum()

    def _ranked(self, head: ra_cnn.RaCnn, seen: Seen) -> Tensor:
        images, right = seen.inputs, []
        for scale, classify in enumerate(head.classifiers):
            with torch.set_grad_enabled(scale > 0):  # no proposal is before the first
                last, _ = seen.maps(images)
            sure = classify(head.representation(last)).softmax(dim=1)
            right.append(sure.gather(1, seen.targets[:, None])[:, 0])  # (B,)
            if scale < head.scales - 1:
                images = ra_cnn.zoomed(images, head.square(scale, last), head.steepness)
        short = [F.relu(far - near + self.margin) for far, near in pairwise(right)]
        return torch.stack(short).sum(dim=0).mean()


def _pointed(head: ra_cnn.RaCnn, seen: Seen) -> Tensor:
    images, errors = seen.inputs, []
    for scale in range(head.scales - 1):
        with torch.no_grad():
            last, _ = seen.maps(images)
        wanted = greatest_squares(last)
        errors.append((head.square(scale, last) - wanted).square().sum(dim=1).mean())
        images = ra_cnn.zoomed(images, wanted, head.steepness)
    return torch.stack(errors).sum()


def greatest_squares(last: Tensor) -> Tensor:
    """Squares of half the side around the greatest sum of channels, inside the picture, (B, 3)."""
    height, width = last.shape[2:]
    place = last.sum(dim=1).flatten(1).argmax(dim=1)
    across, down = (place % width + 0.5) / width, (place // width + 0.5) / height
    middle = torch.stack([across, down], dim=1).clamp(0.25, 0.75).to(last.dtype)
    return torch.cat([middle, torch.full_like(middle[:, :1], 0.25)], dim=1)
