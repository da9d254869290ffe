"""Pictures, closer looks at their parts, and pictures without them."""

from torch import Tensor

from retrieval.heads import Head, ws_dan

from ._attended import AttendedScheme
from ._scheme import Seen


class WsDan(AttendedScheme):
    r"""Weakly supervised data augmentation: attention crop, attention drop and center loss.

    .. math::
        \mathcal L = \tfrac13 \big( \ell(z(I), y) + \ell(z(I_{crop}), y) + \ell(z(I_{drop}), y)
            \big) + \mathcal L_{center}(f(I), y)

    Each of a picture's M attentions becomes that of one part, because f consists of M pieces and
    each class has a centre for them. Of these attentions two are drawn for every picture in every
    step: one to look closer at, one to do without.

    Args:
        loss: :math:`\ell`.
        num_classes: K.
        dim: Of the descriptor f.
        rate: Of the centres.
        crop_least: Places with at least this share of an attention are in its crop; the share is
            drawn between this
        crop_most: and this.
        drop_least: Places with more than this share of an attention are dropped, likewise
        drop_most: and this.

    References:
        Hu, Qi, Huang, Lu, See better before looking closer: weakly supervised data augmentation
        network for fine-grained visual classification, 2019. Numbers as in the authors' code,
        which trains with SGD at 0.001 (momentum 0.9, weight decay 0.00001), times 0.9 every second
        epoch, 12 pictures of 448 pixels in a batch, 160 epochs. An earlier version of the paper
        (Weakly supervised bilinear attention network, WS-BAN, 2018) is the first and last term.
    """

    head = ws_dan.WsDan

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        attended, _, attentions, descriptors = self.first_look(head, seen)
        logits = [attended.logits(descriptors)]
        logits += [head(*seen.maps(made)) for made in self.augmented(seen.inputs, attentions)]
        classified: Tensor = sum(self.loss(one, seen.targets) for one in logits) / 3
        pulled: Tensor = self.centers(descriptors, seen.targets)
        return classified + pulled
