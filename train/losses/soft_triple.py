"""SoftTriple loss, from pytorch-metric-learning."""

from pytorch_metric_learning import losses, regularizers

from ._library import ClassLoss


class SoftTriple(ClassLoss):
    r"""Normalised softmax with several centres for each class, for classes that look several ways.

    .. math::
        \mathcal L = -\frac1B \sum_i \log
            \frac{e^{\lambda (S_{i,y_i} - \delta)}}
                 {e^{\lambda (S_{i,y_i} - \delta)} + \sum_{c \ne y_i} e^{\lambda S_{i,c}}}
        + \tau R, \qquad
        S_{i,c} = \sum_k \operatorname{softmax}_k\big(\hat x_i^\top \hat w_c^k / \gamma\big)
            \, \hat x_i^\top \hat w_c^k

    R is the mean distance :math:`\sqrt{2 - 2\, \hat w_c^{j\top} \hat w_c^k}` of the centres of a
    class, halved: it merges centres that are not needed.

    Args:
        num_classes: C, classes of the training part.
        dim: D, length of an embedding.
        centers: K, centres of a class, 2 or more.
        scale: :math:`\lambda`.
        gamma: Softness of the choice among a class's centres.
        margin: :math:`\delta`, a cosine.
        merging: :math:`\tau`.

    Note:
        Weights: ``fc`` (D, C x K).

    References:
        Qian et al., SoftTriple Loss: Deep Metric Learning Without Triplet Sampling, ICCV 2019,
        eq. 7 and 8; defaults of section 4 (there gamma is written 1/gamma).
    """

    def __init__(
        self,
        num_classes: int,
        dim: int,
        centers: int = 10,
        scale: float = 20.0,
        gamma: float = 0.1,
        margin: float = 0.01,
        merging: float = 0.2,
    ) -> None:
        super().__init__(
            losses.SoftTripleLoss(
                num_classes,
                dim,
                centers_per_class=centers,
                la=scale,
                gamma=gamma,
                margin=margin,
                weight_regularizer=regularizers.SparseCentersRegularizer(num_classes, centers),
                weight_reg_weight=merging,
            )
        )
