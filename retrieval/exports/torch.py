"""PyTorch: the weights and what they belong to."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from ..checkpoints import load_encoder, save_encoder
from ..encoder import Encoder
from ._description import Description
from ._format import Format


class Torch(Format):
    """``weights-*.safetensors`` and ``encoder.json``: the encoder itself.

    Not a graph: TorchScript files and ``torch.export`` archives keep parts of themselves as pickle
    and text that is evaluated, so opening one can run code.
    """

    summary: ClassVar[str] = "PyTorch weights, float32"
    to_write: ClassVar[tuple[str, ...]] = ("torch",)
    to_read: ClassVar[tuple[str, ...]] = ("torch",)

    def write(self, encoder: Encoder, folder: Path) -> None:
        save_encoder(encoder, folder)

    def load(self, folder: Path, files: Mapping[str, bytes], description: Description) -> Encoder:
        return load_encoder(folder)

    def usage(self, encoder: Encoder) -> str:
        name = encoder.backbone.name
        return inspect.cleandoc(
            f"""
            `encoder.json` says what the parts are and which file holds their weights, named
            after the parts: `backbone.*` is {name} without its classifier. PyTorch needs the code
            of the network, so without fgir only the tensors can be read; for a model that runs
            without fgir, export to onnx or openvino.

            ```python
            import json
            from pathlib import Path

            from safetensors.torch import load_file  # pip install safetensors torch

            description = json.loads(Path("encoder.json").read_text())
            weights = load_file(description["weights"]["file"])  # name to tensor
            ```
            """
        )
