"""ONNX: one file that most runtimes read."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from ..encoder import Encoder
from ..files import write_atomically
from ._card import snippet
from ._encoder import Call
from ._graph import INPUT, OUTPUT, GraphFormat

MODEL = "model.onnx"


class Onnx(GraphFormat):
    """``model.onnx``, computed by ONNX Runtime."""

    summary: ClassVar[str] = "ONNX, float32"
    to_write: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")
    to_read: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    runtime: ClassVar[str] = "onnxruntime"

    def write_graph(self, program: ExportedProgram, size: int, folder: Path) -> None:
        made = torch.onnx.export(
            program, (), input_names=[INPUT], output_names=[OUTPUT], dynamo=True, verbose=False
        )
        if made is None:
            raise TypeError("torch.onnx.export must give a program; got None")
        model = made.model_proto
        _clean(model.graph)
        write_atomically(folder / MODEL, model.SerializeToString())

    def open_graph(self, files: Mapping[str, bytes], lanes: int, threads: int) -> Call:
        library = importlib.import_module("onnxruntime")
        options = library.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors only; they are raised too
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # lanes decode too
        session = library.InferenceSession(
            files[MODEL], options, providers=["CPUExecutionProvider"]
        )

        def call(images: NDArray[np.float32]) -> NDArray[np.float32]:
            vectors: NDArray[np.float32] = session.run([OUTPUT], {INPUT: images})[0]
            return vectors

        return call

    def usage(self, encoder: Encoder) -> str:
        return snippet(
            encoder.transform,
            "pip install onnxruntime pillow numpy",
            "import onnxruntime",
            f"""
            session = onnxruntime.InferenceSession("{MODEL}", providers=["CPUExecutionProvider"])

            def vectors(images):  # (B, 3, S, S) float32 to (B, D) float32, rows of norm 1
                return session.run(["{OUTPUT}"], {{"{INPUT}": images}})[0]
            """,
        )


def _clean(graph: Any) -> None:  # noqa: ANN401
    """Take out what tells of the machine, such as the files each node came from; name the batch."""
    for part in (graph, *graph.node, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")  # shapes in between, in names of PyTorch's
    for value in (*graph.input, *graph.output):
        value.ClearField("metadata_props")
        value.type.tensor_type.shape.dim[0].dim_param = "B"
