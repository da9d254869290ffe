"""One picture in, one vector out, on threads that share the cores out among them."""

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from retrieval import runtimes
from retrieval.data import Modality
from retrieval.encoder import Encoder, unusable
from retrieval.encoder_pair import EncoderPair, door_of
from retrieval.errors import BadInputError
from retrieval.exports import ExportedEncoder
from retrieval.lanes import open_lanes
from retrieval.transforms import Transform

Vector = NDArray[np.float32]


class Encoding:
    """Threads that compute, at most one for each core, however many requests there are.

    Args:
        running: Requests that are worked on at once.
    """

    def __init__(self, running: int) -> None:
        cores = torch.get_num_threads()
        self.lanes = max(1, min(running, cores))
        self.threads = max(1, cores // self.lanes)
        self._open = ExitStack()
        self._executor = self._open.enter_context(open_lanes(self.lanes, self.threads))

    def placed(self, encoder: Encoder | EncoderPair) -> Encoder | EncoderPair:
        """The encoder, where it will compute."""
        if isinstance(encoder, ExportedEncoder):
            return encoder.in_lanes(lanes=self.lanes, threads=self.threads)
        return encoder.to(runtimes.default_device())

    def vector(
        self,
        encoder: Encoder | EncoderPair,
        modality: Modality,
        read: Callable[[Transform], Image.Image],
    ) -> Vector:
        """Of one picture, (1, D).

        Args:
            encoder: From :meth:`placed`.
            modality: Which door the picture enters by.
            read: Gives the picture as a transform wants it.

        Raises:
            BadInputError: It cannot be read, or has no usable features.
        """
        door, _ = door_of(encoder, modality)
        pixels = door.transform.read_pixels(read)
        return self._executor.submit(_vector, door, pixels, str(modality)).result()

    def close(self) -> None:
        """End the threads."""
        self._open.close()


def _vector(door: Encoder, pixels: NDArray[np.uint8], name: str) -> Vector:
    images = torch.from_numpy(pixels)[None]
    with torch.inference_mode():
        vectors = door.vectors(door.transform.normalise(images))
    for reason in unusable(vectors).values():
        raise BadInputError(f"{name} must show something; got {reason}. Look at the picture.")
    return vectors
