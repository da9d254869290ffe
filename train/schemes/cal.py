"""Attentions are learned by what they change, compared with attentions that know nothing."""

import torch
from torch import Tensor

from retrieval.heads import Head, cal
from retrieval.heads._attended import AttendedHead

from ._attended import AttendedScheme
from ._scheme import Seen


class Cal(AttendedScheme):
    r"""Counterfactual attention learning, with crops and drops by attention.

    .. math::
        z_{eff} = z(A, X) - z(\bar A, X), \qquad \bar A_{k,ij} \sim U(0, 2)

    .. math::
        \mathcal L = \tfrac13 \ell(z(I), y) + \ell\big(z_{eff}(\mathcal I), y\big)
            + \tfrac23 \ell(z(I_{crop} \cup I_{drop}), y) + \mathcal L_{center}(f(I), y), \qquad
        \mathcal I = I \cup I_{crop} \cup I_{drop}

    :math:`z(\bar A, X)` is the answer to the same map with attentions :math:`\bar A` that look
    anywhere. What the network would answer without looking brings no reward, so that attentions
    must find what makes a class recognisable. Each loss is a mean over its pictures.

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
        Rao, Chen, Lu, Zhou, Counterfactual attention learning for fine-grained visual
        categorization and re-identification, ICCV 2021, eq. 4 to 6; the weights of the terms and
        all numbers as in the authors' code, which trains a ResNet-101 at 448 pixels.
    """

    head = cal.Cal

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        attended, last, attentions, descriptors = self.first_look(head, seen)
        logits = attended.logits(descriptors)
        pulled: Tensor = self.centers(descriptors, seen.targets)

        last_of_made, _ = seen.maps(torch.cat(self.augmented(seen.inputs, attentions)))
        logits_of_made = head(last_of_made)
        targets_of_made = seen.targets.repeat(2)

        effects = [
            logits - _by_chance(attended, last),
            logits_of_made - _by_chance(attended, last_of_made),
        ]
        effect: Tensor = self.loss(torch.cat(effects), torch.cat([seen.targets, targets_of_made]))
        plain: Tensor = self.loss(logits, seen.targets)
        made: Tensor = self.loss(logits_of_made, targets_of_made)
        return plain / 3 + effect + 2 * made / 3 + pulled


def _by_chance(head: AttendedHead, last: Tensor) -> Tensor:
    """Logits of attentions drawn from U(0, 2), (B, K)."""
    shape = (len(last), head.parts, *last.shape[2:])
    attentions = 2 * torch.rand(shape, dtype=last.dtype).to(last.device)
    return head.logits(head.pooling.attended(last, attentions))
