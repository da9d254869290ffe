"""ProxyNCA++ loss, from pytorch-metric-learning."""

from pytorch_metric_learning import losses

from ._library import ClassLoss


class ProxyNCA(ClassLoss):
    r"""Be nearer to the learned proxy of one's class than to all proxies together.

    .. math::
        \mathcal L = -\frac1B \sum_i \log
            \frac{e^{-s \lVert \hat x_i - \hat p_{y_i} \rVert^2}}
                 {\sum_c e^{-s \lVert \hat x_i - \hat p_c \rVert^2}}

    The sum runs over the own proxy too: that is a probability, and the main difference of
    ProxyNCA++ from ProxyNCA.

    Args:
        num_classes: C, classes of the training part.
        dim: D, length of an embedding.
        scale: s, one over the temperature.

    Note:
        Weights: ``proxies`` (C, D); the paper gives them 100 times the network's learning rate.

    References:
        Teh et al., ProxyNCA++: Revisiting and Revitalizing Proxy Neighborhood Component Analysis,
        ECCV 2020, section 3; temperature 1/9 for CUB and Cars, so s = 9.
    """

    def __init__(self, num_classes: int, dim: int, scale: float = 9.0) -> None:
        super().__init__(losses.ProxyNCALoss(num_classes, dim, softmax_scale=scale))
