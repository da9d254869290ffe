"""OpenVINO in half as many bits."""

from typing import ClassVar

from ._openvino_graph import OpenVinoGraph, openvino


class OpenVinoBf16(OpenVinoGraph):
    """Bfloat16 in OpenVINO, on processors that multiply such numbers."""

    summary: ClassVar[str] = "OpenVINO, bfloat16"
    reduced: ClassVar[bool] = True
    precision: ClassVar[str] = "bf16"

    @classmethod
    def why_not(cls, device: str) -> str:
        reason = super().why_not(device)
        if reason:
            return reason
        if "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            return ""
        return "OpenVINO finds no bfloat16 arithmetic in this processor"
