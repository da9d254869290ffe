"""InfoNCE, from pytorch-metric-learning, from either side."""

from pytorch_metric_learning import losses
from torch import Tensor

from ._library import PairLoss


class InfoNCE(PairLoss):
    r"""Tell the one right answer from everything else in the batch, as a softmax over cosines.

    .. math::
        \mathcal L(a, r) = -\frac1{|P|} \sum_{(i,p) \in P} \log
            \frac{e^{s(a_i, r_p) / \tau}}
                 {e^{s(a_i, r_p) / \tau} + \sum_{n:\, y_n \ne y_i} e^{s(a_i, r_n) / \tau}}

    with s the cosine and P the pairs of one target. With references, such as the photos of
    sketches, it is the mean of :math:`\mathcal L(a, r)` and :math:`\mathcal L(r, a)`: a sketch
    must find its photo and a photo its sketch. Something of the same target is never a rival, so a
    photo with several sketches in a batch is not its own negative.

    Args:
        temperature: :math:`\tau`.

    References:
        van den Oord et al., Representation Learning with Contrastive Predictive Coding, 2018,
        eq. 4. Both ways: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, ICML 2021, figure 3. tau = 0.07 is where the latter starts.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__(losses.NTXentLoss(temperature))

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_targets: Tensor | None = None,
    ) -> Tensor:
        there = super().forward(embeddings, targets, ref_embeddings, ref_targets)
        if ref_embeddings is None or ref_targets is None:
            return there
        return (there + super().forward(ref_embeddings, ref_targets, embeddings, targets)) / 2
