"""Circle loss, from pytorch-metric-learning."""

from pytorch_metric_learning import losses

from ._library import PairLoss


class Circle(PairLoss):
    r"""Pull each pair as hard as it is far from where it should be.

    .. math::
        \mathcal L = \frac1B \sum_i \operatorname{softplus}\Big(
            \log \sum_{n \in N_i} e^{\gamma [s_n + m]_+ (s_n - m)}
          + \log \sum_{p \in P_i} e^{-\gamma [1 + m - s_p]_+ (s_p - 1 + m)} \Big)

    with s the cosine; the brackets are weights and carry no gradient.

    Args:
        margin: m, a cosine.
        scale: :math:`\gamma`.

    References:
        Sun et al., Circle Loss: A Unified Perspective of Pair Similarity Optimization, CVPR 2020,
        eq. 6 and 8; m = 0.4 and gamma = 80 for fine-grained retrieval in section 4.1.
    """

    exact_gradient = False  # the weights are constants to the gradient, by definition

    def __init__(self, margin: float = 0.4, scale: float = 80.0) -> None:
        super().__init__(losses.CircleLoss(margin, scale))
