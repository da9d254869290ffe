"""Proxy-Anchor loss, from pytorch-metric-learning."""

from pytorch_metric_learning import losses

from ._library import ClassLoss


class ProxyAnchor(ClassLoss):
    r"""Pull a class's hardest images to its learned proxy, push the hardest others away.

    .. math::
        \mathcal L = \frac1{|P^+|} \sum_{p \in P^+} \log\Big(1 + \sum_{x \in X_p^+}
            e^{-\alpha (s(x, p) - \delta)}\Big)
        + \frac1{|P|} \sum_{p \in P} \log\Big(1 + \sum_{x \in X_p^-} e^{\alpha (s(x, p) + \delta)}
            \Big)

    with s the cosine, P all proxies, one for each class, and P+ those whose class is in the batch.

    Args:
        num_classes: C, classes of the training part.
        dim: D, length of an embedding.
        margin: :math:`\delta`, a difference of cosines.
        scale: :math:`\alpha`.

    Note:
        Weights: ``proxies`` (C, D); the paper gives them 100 times the network's learning rate.

    References:
        Kim et al., Proxy Anchor Loss for Deep Metric Learning, CVPR 2020, eq. 4;
        alpha = 32 and delta = 0.1 in section 4.1.
    """

    def __init__(
        self, num_classes: int, dim: int, margin: float = 0.1, scale: float = 32.0
    ) -> None:
        super().__init__(losses.ProxyAnchorLoss(num_classes, dim, margin=margin, alpha=scale))
