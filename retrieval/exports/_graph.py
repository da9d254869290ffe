"""Formats that hold an encoder as one graph: from the normalised images to the unit vectors."""

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from torch.export import Dim, ExportedProgram, export

from ..encoder import Encoder
from ..errors import BadInputError, FgirError
from ._description import Description
from ._encoder import Call, ExportedEncoder
from ._format import Format

INPUT, OUTPUT = "images", "vectors"
"""Names in the graph of (B, 3, S, S) float32 and of (B, D) float32; B is open."""


class GraphFormat(Format):
    """A graph, and the runtime that computes it.

    Attributes:
        runtime: Name of the runtime.
    """

    runtime: ClassVar[str]

    def write(self, encoder: Encoder, folder: Path) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what tracing makes constant
                self.write_graph(_program(encoder), encoder.transform.size, folder)
        except (FgirError, OSError):
            raise
        except Exception as error:  # a compiler refuses a network in any way it likes
            raise BadInputError(
                f"{encoder.backbone.name} must be a network that can be exported as a graph; got: "
                f"{str(error).strip()[:300]}. Use --format torch."
            ) from error

    def load(self, folder: Path, files: Mapping[str, bytes], description: Description) -> Encoder:
        return ExportedEncoder(description, files, self.runtime, partial(self.open_graph, files))

    @abstractmethod
    def write_graph(self, program: ExportedProgram, size: int, folder: Path) -> None:
        """Write the graph's files; ``size`` is S."""

    @abstractmethod
    def open_graph(self, files: Mapping[str, bytes], lanes: int, threads: int) -> Call:
        """The graph, for ``lanes`` threads that call it and may each use so many ``threads``."""


def _program(encoder: Encoder) -> ExportedProgram:
    size = encoder.transform.size
    with torch.no_grad():
        return export(
            encoder, (torch.zeros(2, 3, size, size),), dynamic_shapes=({0: Dim("B")},), strict=False
        )
