"""PyTorch in half as many bits."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ..backbones import Backbone
from ..folding import folded_backbone
from ._hardware import why_no_bf16
from ._runtime import Job, Runtime


class Bf16(Runtime):
    """Like ``folded``, with weights and maps in bfloat16: 8 bits of precision instead of 24.

    Images go through in eights, filled up with grey ones: rounded numbers would otherwise depend
    on how many images happened to share a batch.
    """

    summary: ClassVar[str] = "PyTorch, bfloat16, normalisation folded into convolutions"
    reduced: ClassVar[bool] = True
    pays_from: ClassVar[float] = 100.0
    chunk: ClassVar[int] = 8

    def __init__(self, backbone: Backbone, job: Job) -> None:
        super().__init__(backbone, job)
        self.backbone = folded_backbone(backbone).bfloat16()

    @classmethod
    def why_not(cls, device: str) -> str:
        return why_no_bf16(device)

    def forward(self, images: Tensor) -> Tensor:
        last: Tensor = self.backbone(self._filled_up(images))
        return last[: len(images)]

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        early, last = self.backbone.early_and_last(self._filled_up(images))
        return early[: len(images)], last[: len(images)]

    def _filled_up(self, images: Tensor) -> Tensor:
        whole = F.pad(images, (0, 0, 0, 0, 0, 0, 0, -len(images) % self.chunk))
        return whole.to(torch.bfloat16, memory_format=torch.channels_last)
