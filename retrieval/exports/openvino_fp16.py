"""OpenVINO in half the bytes."""

from typing import ClassVar

from ._openvino import OpenVinoFormat


class OpenVinoFp16(OpenVinoFormat):
    """The graph with weights rounded to float16: half the size, vectors of a space of their own."""

    summary: ClassVar[str] = "OpenVINO, weights in float16, arithmetic in float32"
    reduced: ClassVar[bool] = True
    half: ClassVar[bool] = True
