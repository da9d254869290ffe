"""Hierarchical bilinear pooling: products across layers."""

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInputError
from ._pooling import Pooling
from ._second_order import check_sizes, signed_root_and_norm


class HierarchicalBilinear(Pooling):
    r"""Products of what two layers say of the same place, in a learned low-rank form.

    .. math::
        z = \frac1{hw} \sum_{ij} (U^\top x_{ij}) \circ (V^\top y_{ij})

    with x of the last map and y of the early one, brought to its resolution by the mean over cells;
    then the signed root and unit norm. The paper adds such products of all pairs of three layers of
    one resolution; backbones here give two maps, so that there is one pair.

    Args:
        channels: C of the last map. Whoever builds an encoder need not say it.
        early_channels: Of the early map; likewise.
        dim: d, columns of U and of V.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, d), rows of norm 1.

    References:
        Yu, Zhao, Zheng, Zhang, You, Hierarchical bilinear pooling for fine-grained visual
        recognition, ECCV 2018, eq. 6 and 7; d = 8192 there.
    """

    needs_early = True

    def __init__(self, channels: int, early_channels: int, dim: int = 8192) -> None:
        super().__init__()
        check_sizes(
            "hierarchical_bilinear", channels=channels, early_channels=early_channels, dim=dim
        )
        self.channels, self.early_channels, self.dim = channels, early_channels, dim
        self.of_last = nn.Conv2d(channels, dim, 1)  # U
        self.of_early = nn.Conv2d(early_channels, dim, 1)  # V

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        if early is None:
            raise BadInputError(
                "hierarchical_bilinear needs the early map; got None. Pass both maps."
            )
        coarse = F.adaptive_avg_pool2d(early, (last.shape[2], last.shape[3]))  # (B, C_early, h, w)
        product: Tensor = self.of_last(last) * self.of_early(coarse)  # (B, d, h, w)
        return signed_root_and_norm(product.mean(dim=(2, 3)))

    def out_dim(self, channels: tuple[int, int]) -> int:
        if channels != (self.early_channels, self.channels):
            raise BadInputError(
                "channels of hierarchical_bilinear must be those of the maps, early "
                f"{channels[0]} and last {channels[1]}; got {self.early_channels} and "
                f"{self.channels}. Leave the options out."
            )
        return self.dim
