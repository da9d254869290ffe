"""Parts of two maps, and of both together."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInputError
from ._pooling import Pooling
from ._second_order import check_sizes


class CrossX(Pooling):
    r"""What gates of channels let through: of the last map, of the early one, of both added.

    .. math::
        u^p = \operatorname{avg}(x^p), \qquad v^p = \max(e^p), \qquad
        c^p = \operatorname{avg}\big(\phi^p(e^p + U(\psi^p x^p))\big)

    with :math:`x^p = m^p(x) \odot x` the p-th part of the last map, :math:`e^p` that of the early
    one (one squeeze, several excitations, as in pooling ``osme``), :math:`\psi` a 1 x 1 convolution
    to the early map's channels, U the nearest place of the smaller map, and :math:`\phi` a 3 x 3
    convolution with BatchNorm. In the authors' network the gates are inside the last block of a
    stage, before its shortcut is added; here they follow it.

    Args:
        channels: C of the last map. Whoever builds an encoder need not say it.
        early_channels: Of the early map; likewise.
        parts: P; 2 in the paper, 3 for its largest data set.
        ratio: Of channels to the hidden ones of a gate; 256 in the authors' code.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to (B, P (C + 2 C_early)): u, v, c, each with
        its parts one after the other.

    References:
        Luo et al., Cross-X learning for fine-grained visual categorization, ICCV 2019.
    """

    needs_early = True

    def __init__(
        self, channels: int, early_channels: int, parts: int = 2, ratio: int = 256
    ) -> None:
        super().__init__()
        check_sizes(
            "cross_x", channels=channels, early_channels=early_channels, parts=parts, ratio=ratio
        )
        self.channels, self.early_channels = channels, early_channels
        self.parts, self.ratio = parts, ratio
        self.last_gates = nn.ModuleList(_gate(channels, ratio) for _ in range(parts))
        self.early_gates = nn.ModuleList(_gate(early_channels, ratio) for _ in range(parts))
        self.narrowing = nn.ModuleList(
            nn.Conv2d(channels, early_channels, 1, bias=False) for _ in range(parts)
        )
        self.joining = nn.ModuleList(_joining(early_channels) for _ in range(parts))

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return torch.cat([layer.flatten(1) for layer in self.of_layers(last, early)], dim=1)

    def of_layers(self, last: Tensor, early: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The layers u, (B, P, C), v and c, (B, P, C_early) each."""
        if early is None:
            raise BadInputError("cross_x needs the early map; got None. Pass both maps.")
        last_parts = _parted(last, self.last_gates)
        early_parts = _parted(early, self.early_gates)
        joined = [
            join(fine + F.interpolate(narrow(coarse), size=early.shape[2:]))
            for coarse, fine, narrow, join in zip(
                last_parts, early_parts, self.narrowing, self.joining, strict=True
            )
        ]
        return (
            torch.stack([part.mean(dim=(2, 3)) for part in last_parts], dim=1),
            torch.stack([part.amax(dim=(2, 3)) for part in early_parts], dim=1),
            torch.stack([part.mean(dim=(2, 3)) for part in joined], dim=1),
        )

    def out_dim(self, channels: tuple[int, int]) -> int:
        return self.parts * (self.channels + 2 * self.early_channels)


def _gate(channels: int, ratio: int) -> nn.Sequential:
    narrow = max(1, channels // ratio)
    return nn.Sequential(
        nn.Linear(channels, narrow), nn.ReLU(), nn.Linear(narrow, channels), nn.Sigmoid()
    )


def _joining(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
    )


def _parted(features: Tensor, gates: nn.ModuleList) -> list[Tensor]:
    squeezed = features.mean(dim=(2, 3))
    return [features * gate(squeezed)[:, :, None, None] for gate in gates]
