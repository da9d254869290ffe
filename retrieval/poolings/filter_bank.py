"""How strongly each of a bank of filters answers anywhere on the map, beside the average."""

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ._pooling import Pooling
from ._second_order import check_sizes


class FilterBank(Pooling):
    r"""The average of the last map, and the greatest response of each filter on the early one.

    .. math::
        f = \Big[ \tfrac1{hw} \sum_{ij} x_{ij};\; r_1, \ldots, r_F \Big], \qquad
        r_n = \max_{ij} \operatorname{BN}(w_n^\top y_{ij})

    with x of the last map and y of the early one. A filter is a detector of patches: what it finds
    matters, wherever it is.

    Args:
        channels: C of the last map. Whoever builds an encoder need not say it.
        early_channels: Of the early map; likewise.
        filters: F.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, C + F).

    References:
        Wang, Morariu, Davis, Learning a discriminative filter bank within a CNN for fine-grained
        recognition, CVPR 2018, section 3. There y is the end of VGG's fourth stage at stride 8,
        and x goes through VGG's own fully connected layers. BN is ours: it keeps responses to maps
        of any backbone comparable.
    """

    needs_early = True

    def __init__(self, channels: int, early_channels: int, filters: int = 512) -> None:
        super().__init__()
        check_sizes(
            "filter_bank", channels=channels, early_channels=early_channels, filters=filters
        )
        self.channels, self.early_channels, self.filters = channels, early_channels, filters
        self.detect = nn.Conv2d(early_channels, filters, 1, bias=False)
        self.norm = nn.BatchNorm2d(filters)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        if early is None:
            raise BadInputError("filter_bank needs the early map; got None. Pass both maps.")
        responses = self.norm(self.detect(early)).amax(dim=(2, 3))  # (B, F)
        return torch.cat([last.mean(dim=(2, 3)), responses], dim=1)

    def out_dim(self, channels: tuple[int, int]) -> int:
        if channels != (self.early_channels, self.channels):
            raise BadInputError(
                f"channels of filter_bank must be those of the maps, early {channels[0]} and last "
                f"{channels[1]}; got {self.early_channels} and {self.channels}. Leave the options "
                "out."
            )
        return self.channels + self.filters
