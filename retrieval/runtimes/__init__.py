"""Ways to compute a backbone: equal vectors, other speeds.

A file of this folder without a leading underscore is a runtime and its name is the file's.
"auto" is the fastest of them that works here, pays for its start-up, and whose vectors of the
user's own pictures keep a cosine above 0.999 to those of ``eager``: rounding that one network
never notices costs another one its ranking.
"""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from .. import plugins
from ..encoder import Encoder
from ..errors import BadInputError, FgirError
from ..joined import JoinedEncoder
from ..lanes import open_lanes
from ..tensors import device_of
from ._runtime import Job, Runtime

__all__ = ["Job", "Runtime", "available_runtimes", "check_runtime", "fastest", "with_runtime"]

AUTO, EAGER = "auto", "eager"

FASTEST_FIRST = ("openvino_bf16", "bf16", "openvino", "folded")
"""What "auto" tries, in this order, before it takes ``eager``."""

MIN_COSINE = 0.999
"""Least cosine between a picture's vector and that of ``eager``, for a runtime to be chosen."""

_BROKEN = 0.3
"""Relative error of a map above which a runtime computes something else than the backbone."""

_LOG = logging.getLogger(__name__)


class UnsuitableRuntimeError(FgirError):
    """A runtime cannot take this network."""

    identifier = "unsuitable-runtime"


def available_runtimes(device: str | None = None) -> list[tuple[str, str]]:
    """Each runtime's name, and what it is or why this machine does not have it.

    Args:
        device: "cpu" or "cuda"; by default the one where encoding takes place.
    """
    device = device or default_device().type
    rows = []
    for name in plugins.names(sys.modules[__name__]):
        part = _part(name)
        reason = part.why_not(device)
        rows.append((name, f"not here: {reason}" if reason else part.summary))
    return rows


def default_device() -> torch.device:
    """The graphics card, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def check_runtime(name: str, device: str) -> None:
    """Raise unless ``name`` is "auto" or a runtime that works on ``device`` of this machine."""
    known = [AUTO, *plugins.names(sys.modules[__name__])]
    if name not in known:
        raise BadInputError(plugins.unknown("runtime", name, known))
    reason = "" if name == AUTO else _part(name).why_not(device)
    if reason:
        raise BadInputError(f"runtime must be one that works here; got {name}: {reason}. Use auto.")


def with_runtime(encoder: Encoder, name: str, *, lanes: int = 1, threads: int = 1) -> Encoder:
    """The same encoder, its backbone, or that of each part, computed by the runtime ``name``.

    Args:
        encoder: In eval mode, on the device where it will run.
        name: File of this folder, not "auto".
        lanes: Threads that will call the encoder at the same time.
        threads: Threads that each of them may use.

    Raises:
        BadInputError: This machine does not have it.
        UnsuitableRuntimeError: It cannot compute this network.
    """
    if isinstance(encoder, JoinedEncoder):
        return encoder.with_encoders(
            [with_runtime(part, name, lanes=lanes, threads=threads) for part in encoder.encoders()]
        )
    check_runtime(name, device_of(encoder.backbone).type)
    job = Job(
        early=encoder.pooling.needs_early,
        native=encoder.transform.fit == "native",
        size=encoder.transform.size,
        lanes=lanes,
        threads=threads,
    )
    try:
        with _using(threads):
            runtime = _part(name)(encoder.backbone, job)
            if name != EAGER:
                _check_maps(encoder, runtime)
    except UnsuitableRuntimeError:
        raise
    except Exception as error:  # a compiler refuses a network in any way it likes
        raise UnsuitableRuntimeError(
            f"runtime must be one that takes {encoder.backbone.name}; got {name}, which failed: "
            f"{error}. Use auto."
        ) from error
    return encoder.with_parts(backbone=runtime).eval()


def fastest(
    encoder: Encoder, sample: Sequence[Tensor], images: int, *, lanes: int = 1, threads: int = 1
) -> tuple[str, Encoder]:
    """Name of the runtime that "auto" stands for, and the encoder with it.

    Args:
        encoder: In eval mode, on the device where it will run.
        sample: Some of the pictures, each (1, H, W, 3) uint8; without any, nothing is compared.
        images: How many there are to encode.
        lanes: Threads that will call the encoder at the same time.
        threads: Threads that each of them may use.
    """
    reference = with_runtime(encoder, EAGER, lanes=lanes, threads=threads)
    if not sample:
        return EAGER, reference
    device = device_of(encoder)  # a runtime may hold no parameters of its own
    want = _vectors(reference, sample, device, lanes, threads)
    rounding_hurts = False
    for name in worth_trying(encoder, images, lanes):
        if _part(name).reduced and rounding_hurts:
            continue
        try:
            candidate = with_runtime(encoder, name, lanes=lanes, threads=threads)
        except UnsuitableRuntimeError as failure:
            _LOG.info("%s", failure)
            continue
        got = _vectors(candidate, sample, device, lanes, threads)
        cosine = float((want * got).sum(dim=1).min())
        _LOG.info("%s: least cosine to eager %.6f of %d pictures", name, cosine, len(sample))
        if cosine > MIN_COSINE:
            return name, candidate
        rounding_hurts |= _part(name).reduced
    return EAGER, reference


def worth_trying(encoder: Encoder, images: int, lanes: int) -> list[str]:
    """Runtimes that work here and pay for their start-up with so many images, fastest first."""
    device = device_of(encoder)
    parts = encoder.encoders() if isinstance(encoder, JoinedEncoder) else [encoder]
    with FlopCounterMode(display=False) as counter, torch.inference_mode(), _using(1):
        for part in parts:
            size = part.transform.size
            part.backbone(torch.zeros(1, 3, size, size, device=device))
    work = images * counter.get_total_flops() / 1e9 / lanes
    return [
        name
        for name in FASTEST_FIRST
        if work >= _part(name).pays_from and not _part(name).why_not(device.type)
    ]


def chunk_of(name: str) -> int:
    """Images that a processor computes fastest at once with the runtime ``name``."""
    return _part(name).chunk


@contextmanager
def _using(threads: int) -> Iterator[None]:
    """Compiled code is made for the number of threads at hand, and again for any other number."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _part(name: str) -> type[Runtime]:
    return plugins.find(sys.modules[__name__], name)


def _vectors(
    encoder: Encoder, sample: Sequence[Tensor], device: torch.device, lanes: int, threads: int
) -> Tensor:
    """(N, D) on the CPU; picture by picture, because they may differ in size."""

    def vector(pixels: Tensor) -> Tensor:
        with torch.inference_mode():
            vectors: Tensor = encoder(encoder.transform.normalise(pixels.to(device)))
            return vectors.cpu()

    with open_lanes(lanes, threads) as opened:
        return torch.cat(list(opened.map(vector, sample)))


def _check_maps(encoder: Encoder, runtime: Runtime) -> None:
    """Raise if the runtime computes another function, such as one that was traced for one size."""
    size, stride = encoder.transform.size, encoder.backbone.stride
    widths = [size, size + 2 * stride] if runtime.job.native else [size]
    for width in widths:
        images = _noise(size, width).to(device_of(encoder.backbone))
        with torch.inference_mode():
            if runtime.job.early:
                want = encoder.backbone.early_and_last(images)[1]
                got = runtime.early_and_last(images)[1]
            else:
                want, got = encoder.backbone(images), runtime(images)
        off = (got.float() - want).norm() if got.shape == want.shape else torch.tensor(torch.inf)
        if not off <= _BROKEN * want.norm():
            raise UnsuitableRuntimeError(
                f"runtime must compute the maps of {encoder.backbone.name}; got others for "
                f"{size} x {width} pixels. Use eager."
            )


def _noise(height: int, width: int) -> Tensor:
    """(1, 3, H, W), always the same; the caller's random numbers are left alone."""
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
