"""A graph that was exported, as an encoder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..backbones import Backbone
from ..checks import check_shape
from ..encoder import Encoder
from ..errors import BadInputError, DamagedDataError
from ..files import write_atomically
from ..poolings.average import Average
from ..transforms import Transform
from ._description import Description

AUTO = "auto"

Call = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(B, 3, S, S) to (B, D); several threads may call it at once."""

Opener = Callable[[int, int], Call]
"""From the number of threads that will call, and of threads that each may use, to the graph."""


class ExportedEncoder(Encoder):
    """An encoder whose arithmetic is one graph, from the image to the unit vector.

    It is its own runtime: it stays on the processor, and no other runtime can take its place.

    Args:
        description: Of the folder it comes from.
        files: Contents of the folder's files by name.
        runtime: What computes the graph.
        opener: Opens the graph.
        lanes: Threads that will call at the same time.
        threads: Threads that each of them may use; all of PyTorch's when left out.
    """

    def __init__(
        self,
        description: Description,
        files: Mapping[str, bytes],
        runtime: str,
        opener: Opener,
        *,
        lanes: int = 1,
        threads: int | None = None,
    ) -> None:
        transform = Transform.from_settings(description.settings["transform"])
        call = opener(lanes, torch.get_num_threads() if threads is None else threads)
        graph = _Graph(call, str(description.settings["backbone"]), description.dim, transform)
        super().__init__(graph, Average(), transform)
        self.runtime, self._opener = runtime, opener
        self._description, self._files = description, files
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) float32 to (B, dim) float32 as the graph gives them."""
        vectors: Tensor = self.backbone(images)
        return vectors.flatten(1)

    def check_runtime(self, name: str) -> None:
        """Raise unless ``name`` is "auto" or the runtime of the graph."""
        if name not in (AUTO, self.runtime):
            raise BadInputError(
                f"runtime must be {self.runtime}, which the encoder was exported for; got {name}. "
                "Use auto."
            )

    def in_lanes(self, lanes: int, threads: int) -> "ExportedEncoder":
        """The same one, for so many threads that call and that each may use."""
        return ExportedEncoder(
            self._description,
            self._files,
            self.runtime,
            self._opener,
            lanes=lanes,
            threads=threads,
        )

    def save(self, folder: Path) -> None:
        """Write the files it came from, all but the model card, into a new folder."""
        folder.mkdir(parents=True)
        for name, data in self._files.items():
            write_atomically(folder / name, data)
        self._description.write(folder)

    def settings(self) -> dict[str, Any]:
        """Of the encoder it was made from, and the format."""
        return {**self._description.settings, "export": self._description.kind}

    def fingerprint(self) -> str:
        """Of the encoder it was made from, unless precision is reduced."""
        return self._description.fingerprint

    def with_parts(self, **parts: Any) -> Encoder:  # noqa: ANN401
        """Refused: the parts are inside the graph."""
        raise BadInputError(
            f"{' and '.join(parts)} must be set before an encoder is exported; got an exported "
            "one. Change the encoder it was made from, then export that."
        )

    def mask(self, images: Tensor) -> Tensor:
        """Refused: the graph gives vectors only."""
        raise BadInputError(
            "a mask needs the maps of an encoder; got an exported one, which gives vectors only. "
            "Use the encoder it was made from."
        )


class _Graph(Backbone):
    """Images to maps of one position: the vectors."""

    fixed_size = True

    def __init__(self, call: Call, name: str, dim: int, transform: Transform) -> None:
        super().__init__()
        self._call, self.name, self.channels = call, name, (dim, dim)
        self.size = self.stride = transform.size
        self.mean, self.std = transform.mean, transform.std

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        check_shape("images", images, ("B", 3, self.size, self.size), "The graph takes no other.")
        vectors = torch.from_numpy(self._call(np.ascontiguousarray(images.numpy())))
        if vectors.shape != (len(images), self.channels[1]):
            raise DamagedDataError(
                f"the graph must give vectors of {self.channels[1]}; got {tuple(vectors.shape)} "
                f"for {len(images)} images. Export the encoder again."
            )
        last = vectors[:, :, None, None]  # (B, D, 1, 1)
        return last, last
