"""FastAP loss, from pytorch-metric-learning."""

from pytorch_metric_learning import losses

from ._library import ClassLoss


class FastAP(ClassLoss):
    r"""One minus average precision, counted in a soft histogram of distances.

    .. math::
        \mathcal L = \frac1B \sum_i \Big(1 - \frac1{N_i^+} \sum_j
            \frac{H_j^+ h_j^+}{H_j}\Big)

    h are the counts of bin j for positives of anchor i, H the counts up to j of positives and of
    all; an image at squared distance z adds :math:`[1 - |z - z_j| / \Delta]_+` to bin j of width
    :math:`\Delta = 4 / \text{bins}`.

    Args:
        bins: Histogram bins over squared distances 0 to 4.

    References:
        Cakir et al., Deep Metric Learning to Rank, CVPR 2019, eq. 8 to 11; 10 bins in section 4.
    """

    def __init__(self, bins: int = 10) -> None:
        super().__init__(losses.FastAPLoss(bins))
