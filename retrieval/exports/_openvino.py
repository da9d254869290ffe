"""OpenVINO's own format: the graph as XML, its numbers in a file beside it."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch.export import ExportedProgram

from ..encoder import Encoder
from ..runtimes._openvino_graph import openvino
from ._card import snippet
from ._encoder import Call
from ._graph import INPUT, OUTPUT, GraphFormat

MODEL, WEIGHTS = "model.xml", "model.bin"

PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}
"""Some processors would compute in bfloat16 unasked, which moves the vectors."""


class OpenVinoFormat(GraphFormat):
    """``model.xml`` and ``model.bin``.

    Attributes:
        half: Whether weights are kept in 16 bits; arithmetic stays in float32.
    """

    to_write: ClassVar[tuple[str, ...]] = ("openvino",)
    to_read: ClassVar[tuple[str, ...]] = ("openvino",)
    extra: ClassVar[str] = "fast"
    runtime: ClassVar[str] = "openvino"
    half: ClassVar[bool]

    def write_graph(self, program: ExportedProgram, size: int, folder: Path) -> None:
        model = openvino().convert_model(program)
        model.reshape([-1, 3, size, size])
        model.input(0).set_names({INPUT})
        model.output(0).set_names({OUTPUT})
        openvino().save_model(model, folder / MODEL, compress_to_fp16=self.half)

    def open_graph(self, files: Mapping[str, bytes], lanes: int, threads: int) -> Call:
        core = openvino().Core()
        model = core.read_model(model=files[MODEL], weights=files[WEIGHTS])
        settings = {
            **PRECISION,
            "NUM_STREAMS": lanes,
            "INFERENCE_NUM_THREADS": lanes * threads,
            "ENABLE_CPU_PINNING": False,  # decoding runs on the same cores
        }
        compiled = core.compile_model(model, "CPU", settings)
        requests = threading.local()  # a request belongs to one thread at a time

        def call(images: NDArray[np.float32]) -> NDArray[np.float32]:
            if not hasattr(requests, "request"):
                requests.request = compiled.create_infer_request()
            vectors: NDArray[np.float32] = requests.request.infer([images])[0].copy()
            return vectors

        return call

    def usage(self, encoder: Encoder) -> str:
        return snippet(
            encoder.transform,
            "pip install openvino pillow numpy",
            "import openvino",
            f"""
            # Some processors would compute in bfloat16 unasked, which moves the vectors.
            model = openvino.Core().compile_model("{MODEL}", "CPU", {PRECISION})

            def vectors(images):  # (B, 3, S, S) float32 to (B, D) float32, rows of norm 1
                return model([images])["{OUTPUT}"]
            """,
        )
