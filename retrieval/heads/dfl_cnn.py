"""A stream for the whole, a stream of patch detectors, and detectors that vote for their class."""

from torch import Tensor, nn

from ..errors import BadInputError
from ..poolings.filter_bank import FilterBank
from ._head import Head


class DflCnn(Head):
    r"""Three classifiers of one pooling, added up.

    .. math::
        z = z_G + z_P + \gamma z_S, \qquad
        z_G = W \bar x + b, \quad z_P = V r + a, \quad
        z_{S,c} = \frac1k \sum_{n=1}^{k} r_{ck + n}

    :math:`\bar x` and r are the two parts of the pooling ``filter_bank`` with k filters for each
    class. The third answer has no weights of its own: where it is right, the filters of a class
    find what is special about it (cross-channel pooling).

    Args:
        channels: C of the last map.
        early_channels: Of the early map.
        num_classes: K.
        filters: k, for each class; 10 in the paper.
        side_weight: :math:`\gamma`; 0.1 in the paper, which adds scores with weights 1, 1, 0.1.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, K).

    Note:
        The scheme of the same name gives filters their first values and trains the three answers.

    References:
        Wang, Morariu, Davis, Learning a discriminative filter bank within a CNN for fine-grained
        recognition, CVPR 2018.
    """

    pooling: FilterBank

    def __init__(
        self,
        channels: int,
        early_channels: int,
        num_classes: int,
        filters: int = 10,
        side_weight: float = 0.1,
    ) -> None:
        if filters < 1:
            raise BadInputError(f"filters of dfl_cnn must be 1 or more; got {filters}.")
        super().__init__(FilterBank(channels, early_channels, filters * num_classes))
        if not side_weight >= 0:
            raise BadInputError(f"side_weight of dfl_cnn must be 0 or more; got {side_weight:g}.")
        self.filters, self.side_weight = filters, side_weight
        self.whole = nn.Linear(channels, num_classes)
        self.patches = nn.Linear(filters * num_classes, num_classes)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        whole, patches, side = self.streams(last, early)
        return whole + patches + self.side_weight * side

    def streams(self, last: Tensor, early: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The answers of the whole, of all detectors, and of each class's own: (B, K) each."""
        average, responses = self.representation(last, early).tensor_split(
            [self.pooling.channels], dim=1
        )
        side = responses.reshape(len(last), -1, self.filters).mean(dim=2)
        return self.whole(average), self.patches(responses), side
