"""PyTorch as it is: the reference."""

from typing import ClassVar

from torch import Tensor

from ..backbones import Backbone
from ._runtime import Job, Runtime


class Eager(Runtime):
    """The backbone itself, in float32. Nothing to prepare, so the fastest for a few images.

    One image at a time: large maps come fresh from the operating system at every layer, and
    MobileNetV2 needs three times as long for each of 32 images as for one.
    """

    summary: ClassVar[str] = "PyTorch, float32: the reference"

    def __init__(self, backbone: Backbone, job: Job) -> None:
        super().__init__(backbone, job)
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        last: Tensor = self.backbone(images)
        return last

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.backbone.early_and_last(images)
