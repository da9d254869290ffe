"""Image files or drawings in, unit vectors out: decoding beside computing, in bounded memory.

On a processor the work is cut lengthwise. There is one lane for each core, a thread that takes a
batch all the way from its files to its vectors and uses no other core; Pillow, PyTorch and OpenVINO
let go of Python's lock while they work. No core waits for another one: two cores encode twice as
fast as one, which neither a decoder beside a two-threaded network nor the network's own threads
achieve. With a graphics card the lanes decode and the card encodes.
"""

import copy
import math
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from . import runtimes
from .checks import UNIT_TOLERANCE
from .data import Modality
from .encoder import Encoder
from .encoder_pair import EncoderPair, door_of
from .errors import BadInputError
from .exports import ExportedEncoder
from .images import ImageError
from .lanes import open_lanes
from .modalities import picture_of, read_picture
from .strokes import Drawing
from .tensors import device_of
from .transforms import Transform

SAMPLE = 16
"""Pictures on which "auto" compares runtimes, evenly spread over all."""

AHEAD = 2
"""Batches for each lane that are made before the caller takes the first."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Rejection:
    """A file that has no vector.

    Attributes:
        path: As it was given; of a drawing, its position.
        reason: A sentence that names it.
    """

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class Encoded:
    """What became of some files.

    Attributes:
        vectors: (N, D) float32, rows of norm 1, in the order of the files.
        kept: (N,) int64, the position of each row's file among all that were given.
        rejected: The other files, in their order.
        runtime: What computed the vectors. For information: all runtimes share one space.
    """

    vectors: NDArray[np.float32]
    kept: NDArray[np.int64]
    rejected: list[Rejection]
    runtime: str


def encode_files(
    encoder: Encoder | EncoderPair,
    paths: Sequence[Path],
    *,
    modality: Modality | None = None,
    batch_size: int = 32,
    runtime: str = "auto",
    on_progress: Callable[[int], None] | None = None,
    root: Path | None = None,
) -> Encoded:
    """Unit vectors of image files.

    A file that cannot be read is rejected by name, and so is a picture without usable features; the
    others are not affected. What a vector is does not depend on the files around it.

    Args:
        encoder: In eval mode. Used on the graphics card where there is one; stays where it is.
        paths: The files.
        modality: Whether they are photos or sketches, and so which door of a pair they enter by. A
            pair must be told; one encoder takes them for photos where nothing is said.
        batch_size: Pictures that a lane holds at once, and that are reported at once.
        runtime: "auto", or a name that :func:`retrieval.runtimes.available_runtimes` gives. An
            exported graph has a runtime of its own.
        on_progress: Called in this thread with each count of files that got done.
        root: Folder that the paths are relative to.

    Raises:
        BadInputError: An argument is not what it must be.
        UnsuitableRuntimeError: The runtime that was asked for cannot compute this network.
    """
    batches = list(
        encode_batches(
            encoder,
            paths,
            modality=modality,
            batch_size=batch_size,
            runtime=runtime,
            on_progress=on_progress,
            root=root,
        )
    )
    return _joined(encoder.dim, runtime, batches)


def encode_batches(
    encoder: Encoder | EncoderPair,
    paths: Sequence[Path],
    *,
    modality: Modality | None = None,
    batch_size: int = 32,
    runtime: str = "auto",
    on_progress: Callable[[int], None] | None = None,
    root: Path | None = None,
) -> Iterator[Encoded]:
    """Like :func:`encode_files`, batch by batch in the order of the files, while others are made.

    A batch has at most ``batch_size`` files, fewer where there are not enough to keep every core
    busy. Closing the iterator, or an error or Ctrl-C in the thread that uses it, ends the work.
    """
    door, modality = door_of(encoder, modality)
    files = _Files(paths, root or Path(), modality)
    return _begun(door, files, batch_size, runtime, on_progress)


def encode_drawings(
    encoder: Encoder | EncoderPair,
    drawings: Sequence[Drawing],
    *,
    batch_size: int = 32,
    runtime: str = "auto",
    on_progress: Callable[[int], None] | None = None,
) -> Encoded:
    """Like :func:`encode_files`, for strokes at hand: they enter by the door of sketches.

    A rejected one is named by its position, from 0.
    """
    door, _ = door_of(encoder, Modality.SKETCH)
    batches = _begun(door, _Drawings(drawings), batch_size, runtime, on_progress)
    return _joined(encoder.dim, runtime, list(batches))


def _joined(dim: int, runtime: str, batches: Sequence[Encoded]) -> Encoded:
    nothing = Encoded(np.empty((0, dim), np.float32), np.empty(0, np.int64), [], runtime)
    return Encoded(
        np.concatenate([batch.vectors for batch in [nothing, *batches]]),
        np.concatenate([batch.kept for batch in [nothing, *batches]]),
        [rejection for batch in batches for rejection in batch.rejected],
        batches[0].runtime if batches else runtime,
    )


def _begun(
    encoder: Encoder,
    source: "_Source",
    batch_size: int,
    runtime: str,
    on_progress: Callable[[int], None] | None,
) -> Iterator[Encoded]:
    if encoder.training:
        raise BadInputError(
            "encoder must be in eval mode; got training mode, in which a vector depends on its "
            "batch. Call encoder.eval()."
        )
    if batch_size < 1:
        raise BadInputError(f"batch_size must be at least 1; got {batch_size}.")
    if isinstance(encoder, ExportedEncoder):
        encoder.check_runtime(runtime)
        device = torch.device("cpu")
    else:
        device = device_of(encoder)
        if device.type == "cpu":
            device = runtimes.default_device()
        runtimes.check_runtime(runtime, device.type)
    job = _Job(encoder, device, source, batch_size, runtime)
    return job.batches(on_progress or (lambda count: None))


class _StoppedError(Exception):
    """Nobody waits for the result any more."""


@dataclass(frozen=True)
class _Pictures:
    """Decoded files of one batch.

    Attributes:
        start: Position of the first file among all.
        pixels: What each file became, (H, W, 3) uint8, or why it became nothing.
    """

    start: int
    pixels: list[NDArray[np.uint8] | Rejection]


class _Source(Protocol):
    """What is to be encoded, by position."""

    def __len__(self) -> int:
        """Count the pictures."""
        ...

    def name(self, position: int) -> str:
        """What a picture is called in messages."""
        ...

    def picture(self, position: int, transform: Transform) -> Image.Image:
        """RGB pixels before the transform."""
        ...


@dataclass(frozen=True)
class _Files:
    """Pictures in files.

    Attributes:
        paths: The files.
        root: Folder that the paths are relative to.
        modality: What they show.
    """

    paths: Sequence[Path]
    root: Path
    modality: Modality

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, position: int) -> str:
        return str(self.paths[position])

    def picture(self, position: int, transform: Transform) -> Image.Image:
        path = self.root / self.paths[position]
        return read_picture(path, self.modality, transform, name=self.name(position))


@dataclass(frozen=True)
class _Drawings:
    """Pictures that are drawn when they are asked for."""

    drawings: Sequence[Drawing]

    def __len__(self) -> int:
        return len(self.drawings)

    def name(self, position: int) -> str:
        return f"drawing {position}"

    def picture(self, position: int, transform: Transform) -> Image.Image:
        return picture_of(self.drawings[position], transform)


class _Job:
    """One call: files, an encoder with its runtime, and lanes."""

    def __init__(
        self,
        encoder: Encoder,
        device: torch.device,
        source: _Source,
        batch_size: int,
        runtime: str,
    ) -> None:
        self._encoder, self._device, self._runtime = encoder, device, runtime
        self._source = source
        cores = torch.get_num_threads()
        self._batch = max(1, min(batch_size, math.ceil(len(source) / cores)))
        self._lanes = max(1, min(cores, math.ceil(len(source) / self._batch)))
        self._threads = cores // self._lanes
        self._chunk = batch_size
        self._stopped = threading.Event()

    def batches(self, on_progress: Callable[[int], None]) -> Iterator[Encoded]:
        """See :func:`encode_batches`."""
        if not len(self._source):
            return
        self._prepare()
        with closing(self._on_card() if self._device.type != "cpu" else self._in_cores()) as made:
            for encoded in made:
                on_progress(len(encoded.kept) + len(encoded.rejected))
                yield encoded

    def _in_cores(self) -> Generator[Encoded]:
        return self._in_lanes(lambda start: self._encoded(self._decoded(start)))

    def _on_card(self) -> Generator[Encoded]:
        with closing(self._in_lanes(self._decoded)) as made:
            for pictures in made:
                yield self._encoded(pictures)

    def _in_lanes(self, work: Callable[[int], Result]) -> Generator[Result]:
        """What ``work`` makes of the start of each batch, in order, a few batches ahead."""
        waiting: deque[Future[Result]] = deque()
        with open_lanes(self._lanes, self._threads) as lanes:
            try:
                for start in range(0, len(self._source), self._batch):
                    waiting.append(lanes.submit(work, start))
                    if len(waiting) > AHEAD * self._lanes:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                self._stopped.set()

    def _prepare(self) -> None:
        """Put the encoder where it will run and give it a runtime."""
        encoder, name = self._encoder, self._runtime
        shares = {"lanes": self._lanes, "threads": self._threads}
        if isinstance(encoder, ExportedEncoder):
            self._encoder, self._runtime = encoder.in_lanes(**shares), encoder.runtime
            self._chunk = 1  # no number may depend on who shares a batch
            return
        if device_of(encoder) != self._device:
            encoder = copy.deepcopy(encoder).to(self._device)
        if name == runtimes.AUTO:
            sample = self._sample() if self._is_long(encoder) else []
            name, encoder = runtimes.fastest(encoder, sample, len(self._source), **shares)
        else:
            encoder = runtimes.with_runtime(encoder, name, **shares)
        if self._device.type == "cpu":
            self._chunk = runtimes.chunk_of(name)
        self._encoder, self._runtime = encoder, name

    def _is_long(self, encoder: Encoder) -> bool:
        """Whether comparing runtimes on a sample can pay."""
        images = len(self._source)
        return images > SAMPLE and bool(runtimes.worth_trying(encoder, images, self._lanes))

    def _sample(self) -> list[Tensor]:
        spread = np.linspace(0, len(self._source) - 1, SAMPLE).astype(int)
        with open_lanes(self._lanes, self._threads) as lanes:
            decoded = list(lanes.map(self._pixels, sorted(set(spread.tolist()))))
        return [torch.from_numpy(one)[None] for one in decoded if not isinstance(one, Rejection)]

    def _decoded(self, start: int) -> _Pictures:
        end = min(start + self._batch, len(self._source))
        return _Pictures(start, [self._pixels(position) for position in range(start, end)])

    def _pixels(self, position: int) -> NDArray[np.uint8] | Rejection:
        if self._stopped.is_set():
            raise _StoppedError
        transform = self._encoder.transform
        try:
            return transform.read_pixels(lambda wanted: self._source.picture(position, wanted))
        except ImageError as error:
            return Rejection(self._source.name(position), str(error))

    def _encoded(self, pictures: _Pictures) -> Encoded:
        decoded, rejected = {}, {}
        for place, one in enumerate(pictures.pixels):
            if isinstance(one, Rejection):
                rejected[place] = one
            else:
                decoded[place] = one
        rows = {}
        for places in _same_shapes(decoded, self._chunk):
            vectors = self._vectors(np.stack([decoded[place] for place in places]))
            for place, vector in zip(places, vectors, strict=True):
                if _is_unit(vector):
                    rows[place] = vector
                else:
                    rejected[place] = _without_features(self._source.name(pictures.start + place))
        kept = sorted(rows)
        return Encoded(
            np.array([rows[place] for place in kept], np.float32).reshape(-1, self._encoder.dim),
            np.array(kept, np.int64) + pictures.start,
            [rejected[place] for place in sorted(rejected)],
            self._runtime,
        )

    def _vectors(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, H, W, 3) to (B, D), in halves where the memory is not enough for the whole."""
        if self._stopped.is_set():
            raise _StoppedError
        try:
            with torch.inference_mode():
                images = torch.from_numpy(pixels).to(self._device)
                vectors = self._encoder(self._encoder.transform.normalise(images))
                return cast(NDArray[np.float32], vectors.cpu().numpy())
        except (MemoryError, RuntimeError) as error:
            if len(pixels) == 1 or not _is_lack_of_memory(error):
                raise
        half = len(pixels) // 2
        return np.concatenate([self._vectors(pixels[:half]), self._vectors(pixels[half:])])


def _same_shapes(decoded: Mapping[int, NDArray[np.uint8]], most: int) -> Iterator[list[int]]:
    """Places of pictures of one shape, at most so many at once."""
    shapes: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, pixels in decoded.items():
        shapes[pixels.shape].append(place)
    for places in shapes.values():
        for begin in range(0, len(places), most):
            yield places[begin : begin + most]


def _without_features(name: str) -> Rejection:
    shown = name if name.isprintable() else ascii(name)
    sentence = f"{shown} must show something; got no usable features. Look at the picture."
    return Rejection(name, sentence)


def _is_unit(vector: NDArray[np.float32]) -> bool:
    return abs(float(np.linalg.norm(vector)) - 1) <= UNIT_TOLERANCE  # False for NaN


def _is_lack_of_memory(error: Exception) -> bool:
    """PyTorch raises a plain RuntimeError when the processor's memory is used up."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "memory" in str(error)
