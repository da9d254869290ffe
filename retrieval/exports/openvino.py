"""OpenVINO, exact."""

from typing import ClassVar

from ._openvino import OpenVinoFormat


class OpenVino(OpenVinoFormat):
    """The graph with its weights as they are."""

    summary: ClassVar[str] = "OpenVINO, float32"
    half: ClassVar[bool] = False
