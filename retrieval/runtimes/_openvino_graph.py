"""The backbone as a graph that OpenVINO compiles for the processor."""

import importlib.util
import sys
import threading
import warnings
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..backbones import Backbone
from ._runtime import Job, Runtime


@cache
def openvino() -> Any:  # noqa: ANN401
    """The library.

    Importing it would report to an analytics service over the network, unasked. Its reporter is a
    package of its own; hidden, the library goes on without it.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


class OpenVinoGraph(Runtime):
    """Traced once, compiled for one image at a time: no slower than batches, and the same numbers
    whatever shares a batch.
    """  # noqa: D205

    pays_from: ClassVar[float] = 200.0
    chunk: ClassVar[int] = 8
    precision: ClassVar[str]

    def __init__(self, backbone: Backbone, job: Job) -> None:
        super().__init__(backbone, job)
        self._compiled = _compiled(backbone, job, self.precision)
        self._requests = threading.local()  # a request belongs to one thread at a time

    @classmethod
    def why_not(cls, device: str) -> str:
        if device != "cpu":
            return "it is for processors"
        if importlib.util.find_spec("openvino") is None:
            return "OpenVINO is not installed: pip install 'fine-grained-image-retrieval[fast]'"
        return ""

    def forward(self, images: Tensor) -> Tensor:
        return self._maps(images)[-1]

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        early, last = self._maps(images)
        return early, last

    def _maps(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) to the maps the graph was made for, each (B, C, h, w)."""
        if not hasattr(self._requests, "request"):
            self._requests.request = self._compiled.create_infer_request()
        request, each = self._requests.request, []
        for image in images.permute(0, 2, 3, 1):  # (H, W, 3), as it lies in memory
            results = request.infer([image[None].contiguous().numpy()], share_inputs=True)
            each.append([torch.from_numpy(result) for result in results.values()])
        return [torch.cat(maps) for maps in zip(*each, strict=True)]


class _Maps(nn.Module):
    """What the graph computes; tracing wants a module's ``forward``."""

    def __init__(self, backbone: Backbone, early: bool) -> None:
        super().__init__()
        self.backbone, self.early = backbone, early

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401
        return self.backbone.early_and_last(images) if self.early else self.backbone(images)


def _compiled(backbone: Backbone, job: Job, precision: str) -> Any:  # noqa: ANN401
    library = openvino()
    decoder = importlib.import_module("openvino.frontend.pytorch.ts_decoder")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every Python condition it freezes
        traced = decoder.TorchScriptPythonDecoder(
            _Maps(backbone, job.early).eval(),
            example_input=torch.zeros(1, 3, job.size, job.size),
            # three times as fast: it would trace again and compare, as our caller does anyway
            trace_kwargs={"check_trace": False},
        )
        model = library.convert_model(traced)
    side = -1 if job.native else job.size
    model.reshape([1, 3, side, side])
    steps = library.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_layout(library.Layout("NHWC"))
    steps.input().model().set_layout(library.Layout("NCHW"))
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": job.lanes,
        "INFERENCE_NUM_THREADS": job.lanes * job.threads,
        "ENABLE_CPU_PINNING": False,  # decoding runs on the same cores
    }
    return library.Core().compile_model(steps.build(), "CPU", settings)
