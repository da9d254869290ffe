"""Multi-Similarity loss with its miner, from pytorch-metric-learning."""

from pytorch_metric_learning import losses, miners

from ._library import PairLoss


class MultiSimilarity(PairLoss):
    r"""Weigh each pair by its own similarity and by that of its rivals.

    .. math::
        \mathcal L = \frac1B \sum_i \Big[
            \frac1\alpha \log\Big(1 + \sum_{k \in P_i} e^{-\alpha (S_{ik} - \lambda)}\Big)
          + \frac1\beta \log\Big(1 + \sum_{k \in N_i} e^{\beta (S_{ik} - \lambda)}\Big) \Big]

    The miner keeps of N_i the negatives with S above the hardest positive's minus epsilon, of P_i
    the positives with S below the hardest negative's plus epsilon.

    Args:
        alpha: Sharpness for positives.
        beta: Sharpness for negatives.
        base: :math:`\lambda`, a cosine.
        epsilon: Margin of the miner; below 0 every pair counts.

    References:
        Wang et al., Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning,
        CVPR 2019, eq. 11 to 15; alpha = 2, beta = 50, lambda = 1 (the authors' code: 0.5, our
        default), epsilon = 0.1 in section 5.1.
    """

    def __init__(
        self, alpha: float = 2.0, beta: float = 50.0, base: float = 0.5, epsilon: float = 0.1
    ) -> None:
        miner = miners.MultiSimilarityMiner(epsilon) if epsilon >= 0 else None
        super().__init__(losses.MultiSimilarityLoss(alpha, beta, base), miner)
