"""PyTorch with less to do."""

from typing import ClassVar

import torch
from torch import Tensor

from ..backbones import Backbone
from ..folding import folded_backbone
from ._runtime import Job, Runtime


class Folded(Runtime):
    """Float32 with batch normalisation folded into convolutions and channels last in memory."""

    summary: ClassVar[str] = "PyTorch, float32, normalisation folded into convolutions"
    pays_from: ClassVar[float] = 600.0

    def __init__(self, backbone: Backbone, job: Job) -> None:
        super().__init__(backbone, job)
        self.backbone = folded_backbone(backbone)

    def forward(self, images: Tensor) -> Tensor:
        last: Tensor = self.backbone(images.contiguous(memory_format=torch.channels_last))
        return last

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.backbone.early_and_last(images.contiguous(memory_format=torch.channels_last))
