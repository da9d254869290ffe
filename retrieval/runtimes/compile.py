"""PyTorch compiled."""

import shutil
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ..backbones import Backbone
from ..folding import folded_backbone
from ._runtime import Job, Runtime

COMPILERS = ("c++", "g++", "clang++")


class Compile(Runtime):
    """``torch.compile`` writes C++ for the network, in float32, and has it compiled.

    That takes tens of seconds for less than OpenVINO gains, so it is never chosen by itself.
    """

    summary: ClassVar[str] = "PyTorch, float32, compiled to C++"
    chunk: ClassVar[int] = 8

    def __init__(self, backbone: Backbone, job: Job) -> None:
        super().__init__(backbone, job)
        network = folded_backbone(backbone)
        call = network.early_and_last if job.early else network.forward
        self._call: Any = torch.compile(call, options={"freezing": True})

    @classmethod
    def why_not(cls, device: str) -> str:
        if device == "cpu" and not any(map(shutil.which, COMPILERS)):
            return f"it needs a C++ compiler ({', '.join(COMPILERS)})"
        return ""

    def forward(self, images: Tensor) -> Tensor:
        last: Tensor = self._call(self._filled_up(images))
        return last[: len(images)]

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        early, last = self._call(self._filled_up(images))
        return early[: len(images)], last[: len(images)]

    def _filled_up(self, images: Tensor) -> Tensor:
        whole = F.pad(images, (0, 0, 0, 0, 0, 0, 0, -len(images) % self.chunk))
        return whole.contiguous(memory_format=torch.channels_last)
