"""OpenVINO, exact."""

from typing import ClassVar

from ._openvino_graph import OpenVinoGraph


class OpenVino(OpenVinoGraph):
    """Float32 in OpenVINO: fused layers, and a memory layout chosen for the processor."""

    summary: ClassVar[str] = "OpenVINO, float32"
    precision: ClassVar[str] = "f32"
