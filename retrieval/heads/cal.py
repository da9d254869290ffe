"""Attentions that must be worth more than chance, and several looks at what they find."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import BadInputError
from ._attended import AttendedHead
from ._head import Maps


class Cal(AttendedHead):
    r"""A linear classifier of bilinear attention pooling, asked about crops and mirror images too.

    .. math::
        z(I) = 100\, W f(X_I), \qquad
        \bar z = \frac1{2 (1 + S)} \sum_{J \in \{I, \tilde I\}}
            \Big( z(J) + \sum_{s=1}^{S} z(J_s) \Big)

    f is the pooling ``bilinear_attention`` and :math:`\tilde I` the mirror image. :math:`J_s` is
    the box around all places where the mean of J's attentions is at least the s-th share of its
    greatest value, a tenth of the picture's side wider on each side, enlarged to the picture's
    size. Nothing counterfactual is computed here: it is in how the scheme of the same name trains.

    Args:
        channels: C of the last map.
        num_classes: K.
        parts: M, how many attentions; 32 in the paper.
        shares: Of the greatest attention, each above 0, at most 1; none looks at no crop.
        mirrored: Whether to look at mirror images too.

    Shape:
        (B, C, h, w) to (B, K), z alone.

    Note:
        With the shares and mirror images that the authors' figures are measured with a picture
        passes the network eight times. ``shares = [0.1]`` without mirror images is two passes.

    References:
        Rao, Chen, Lu, Zhou, Counterfactual attention learning for fine-grained visual
        categorization and re-identification, ICCV 2021; what is averaged is in the authors' code.
    """

    looks_again = True

    def __init__(
        self,
        channels: int,
        num_classes: int,
        parts: int = 32,
        shares: Sequence[float] = (0.3, 0.2, 0.1),
        mirrored: bool = True,
    ) -> None:
        super().__init__(channels, num_classes, parts)
        if not all(type(share) in (int, float) and 0 < share <= 1 for share in shares):
            raise BadInputError(f"shares of cal must all be in (0, 1]; got {list(shares)}.")
        self.shares, self.mirrored = list(shares), mirrored

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        views = [images, images.flip(3)] if self.mirrored else [images]
        looks = [look for view in views for look in self.at_both_scales(view, maps, self.shares)]
        return torch.stack(looks).mean(dim=0)
