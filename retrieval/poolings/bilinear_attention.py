"""What the map has where each of several learned attentions looks."""

from torch import Tensor, nn

from ._pooling import Pooling
from ._second_order import check_channels, check_sizes, signed_root_and_norm


class BilinearAttention(Pooling):
    r"""Bilinear attention pooling (BAP): one mean of the map for each attention.

    .. math::
        A = \big[\operatorname{BN}(W X)\big]_+, \qquad
        f_k = \frac1{hw} \sum_{ij} A_{k,ij} X_{ij}, \qquad
        f = \frac{s([f_1; \ldots; f_M])}{\|s([f_1; \ldots; f_M])\|}, \quad
        s(z) = \operatorname{sign}(z) \sqrt{|z|}

    Args:
        channels: C of the map. Whoever builds an encoder need not say it.
        parts: M, how many attentions.

    Shape:
        (B, C, h, w) to (B, M C), norm 1; the C numbers of the first attention first.

    References:
        Hu, Qi, Huang, Lu, See better before looking closer: weakly supervised data augmentation
        network for fine-grained visual classification, 2019, eq. 1 to 4; M = 32 there. The
        convolution is 1 x 1 without bias, the norm's epsilon 0.001, as in the authors' code.
    """

    def __init__(self, channels: int, parts: int = 32) -> None:
        super().__init__()
        check_sizes("bilinear_attention", channels=channels, parts=parts)
        self.channels, self.parts = channels, parts
        self.attend = nn.Sequential(
            nn.Conv2d(channels, parts, 1, bias=False), nn.BatchNorm2d(parts, eps=1e-3), nn.ReLU()
        )

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return self.attended(last, self.attentions(last))

    def attentions(self, last: Tensor) -> Tensor:
        """A: (B, C, h, w) to (B, M, h, w), 0 or more."""
        made: Tensor = self.attend(last)
        return made

    def attended(self, last: Tensor, attentions: Tensor) -> Tensor:
        """The descriptor with attentions of any origin: (B, C, h, w), (B, M, h, w) to (B, M C)."""
        columns = last.flatten(2).transpose(1, 2)  # (B, N, C)
        means = attentions.flatten(2) @ columns / columns.shape[1]  # (B, M, C)
        return signed_root_and_norm(means.flatten(1))

    def out_dim(self, channels: tuple[int, int]) -> int:
        check_channels("bilinear_attention", self.channels, channels)
        return self.parts * self.channels
