"""Contrastive loss, from pytorch-metric-learning."""

from pytorch_metric_learning import losses

from ._library import PairLoss


class Contrastive(PairLoss):
    r"""Pull images of a class together, push others apart until they are far enough.

    .. math::
        \mathcal L = \operatorname{mean}^+_{y_i = y_j} \big[\lVert \hat x_i - \hat x_j \rVert
            - m_p\big]_+
        + \operatorname{mean}^+_{y_i \ne y_j} \big[m_n - \lVert \hat x_i - \hat x_j \rVert\big]_+

    where :math:`\operatorname{mean}^+` is over the pairs whose term is above 0.

    Args:
        positive_margin: m_p, a distance of unit vectors, 0 to 2.
        negative_margin: m_n, likewise.

    References:
        Hadsell et al., Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006, eq. 4
        (there squared, over all pairs, for vectors of any norm; its margin 1).
    """

    def __init__(self, positive_margin: float = 0.0, negative_margin: float = 1.0) -> None:
        super().__init__(losses.ContrastiveLoss(positive_margin, negative_margin))
