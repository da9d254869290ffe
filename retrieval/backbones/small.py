"""A network of our own that learns from scratch in a minute on a processor."""

from torch import Tensor, nn

from ._backbone import Backbone

WIDTHS = (32, 64, 128, 192)


class Small(Backbone):
    """Four residual blocks, each but the first at half the resolution of the one before.

    0.9 M parameters, meant for pictures of 64 to 96 pixels and for training without pretrained
    weights: demonstrations, tests, sketches. Every operation has a fast bfloat16 form.

    Shape:
        (B, 3, H, W) to (B, 192, H/16, W/16); the early map is (B, 128, H/8, W/8).
    """

    channels, stride, size = WIDTHS[2:], 16, 96

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.ReLU(inplace=True),
        )
        before = (WIDTHS[0], *WIDTHS[:-1])
        *first, final = (
            _Residual(narrow, wide, stride=1 if narrow == wide else 2)
            for narrow, wide in zip(before, WIDTHS, strict=True)
        )
        self.first, self.final = nn.Sequential(*first), final

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        early = self.first(self.stem(images))
        return early, self.final(early)

    def layers(self) -> tuple[list[nn.Module], int]:
        return [self.stem, *self.first, self.final], 1 + len(self.first)


class _Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut; starts as the shortcut alone."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        last_norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(last_norm.weight)
        self.branch = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            last_norm,
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True),
                nn.Conv2d(channels_in, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        activated: Tensor = self.activation(self.branch(features) + self.shortcut(features))
        return activated
