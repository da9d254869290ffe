"""An encoder that is made and run in milliseconds."""

import torch
from torch import Tensor, nn

from retrieval.backbones import Backbone
from retrieval.encoder import Encoder
from retrieval.poolings import Pooling
from retrieval.poolings.average import Average
from retrieval.transforms import Transform

SIZE = 64


def disturb_norms(network: nn.Module) -> None:
    """Make every batch normalisation one that does something."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]


class SmallNetwork(Backbone):
    """Convolutions, batch normalisations that do something, and a residual connection."""

    name, size, stride, channels = "small", SIZE, 8, (16, 24)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        )
        self.second = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.SiLU())
        self.side = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1), nn.BatchNorm2d(16))
        self.third = nn.Conv2d(16, 24, 3, 2, 1)
        disturb_norms(self)

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        early = self.second(self.first(images))
        return early, self.third(torch.relu(early + self.side(early)))


def small_encoder(
    pooling: Pooling | None = None, fit: str = "squash", flip: bool = False
) -> Encoder:
    """An encoder of 64-pixel squares; always the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Encoder(SmallNetwork(), pooling or Average(), Transform(SIZE, fit), flip=flip).eval()
