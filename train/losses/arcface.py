"""ArcFace loss, from pytorch-metric-learning."""

import math

from pytorch_metric_learning import losses

from ._library import ClassLoss


class ArcFace(ClassLoss):
    r"""Normalised softmax in which the own class must win by an angle.

    .. math::
        \mathcal L = -\frac1B \sum_i \log
            \frac{e^{s \cos(\theta_{i,y_i} + m)}}
                 {e^{s \cos(\theta_{i,y_i} + m)} + \sum_{c \ne y_i} e^{s \cos \theta_{i,c}}}

    Beyond :math:`\theta = \pi - m` the library takes :math:`\cos\theta - m \sin m`, so that a
    larger angle always costs more.

    Args:
        num_classes: C, classes of the training part.
        dim: D, length of an embedding.
        margin: m, an angle in radians.
        scale: s.

    Note:
        Weights: ``W`` (D, C).

    References:
        Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019,
        eq. 3; m = 0.5 and s = 64 in section 3.1.
    """

    def __init__(
        self, num_classes: int, dim: int, margin: float = 0.5, scale: float = 64.0
    ) -> None:
        degrees = math.degrees(margin)
        super().__init__(losses.ArcFaceLoss(num_classes, dim, margin=degrees, scale=scale))
