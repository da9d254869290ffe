"""What frozen layers make of the training pictures, computed once for a few variations of each.

The frozen part of a network is most of its work. With its output kept, an epoch over the learned
part takes a fraction of the time, at the price of augmentation that repeats: a picture is seen in
as many variations as were computed, drawn anew for each step.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrieval.errors import BadInputError, DamagedDataError, StorageError

from .config import TrainConfig
from .network import Network
from .pictures import Batch, Batches, Pictures
from .ranks import Ranks

CHUNK = 64
"""Pictures that go through the frozen layers at once."""


class CachedMaps:
    """Batches of the outputs of frozen layers, in place of :class:`train.pictures.Batches`.

    Which variation of a picture a step sees depends on seed, epoch and step alone. With a folder,
    the maps lie in a file there, and another run with the same pictures, frozen layers, variations
    and seed of variations reads it instead of computing them again.

    Attributes:
        maps: (N, V, C, h, w), of N pictures in V variations.

    Args:
        pictures: N of them.
        network: Its frozen layers are what is computed.
        config: ``run.cached_views``, ``run.maps_folder``, ``augment`` and the seed.
        ranks: Batches have the rows of this rank only.
        on_batch: Called after each batch of pictures with how many are done, and how many there
            are.

    Raises:
        BadInputError: The maps do not fit in ``run.cache_mib``, and no folder is given.
        StorageError: They cannot be written.
        DamagedDataError: The file was cut or changed.
    """

    def __init__(
        self,
        pictures: Pictures,
        network: Network,
        config: TrainConfig,
        ranks: Ranks,
        on_batch: Callable[[int, int], None],
    ) -> None:
        self._views, self._seed, self._ranks = config.run.cached_views, config.seed, ranks
        folder = config.run.maps_folder
        if not folder:
            self.maps = _computed(pictures, network, config, on_batch, None)
            return
        file = Path(folder) / f"maps-{_identity(pictures, network, config)}.npy"
        if not file.exists():
            _computed(pictures, network, config, on_batch, file)
        try:
            self.maps = _as_tensor(np.load(file, mmap_mode="c", allow_pickle=False))
        except (OSError, ValueError) as error:
            raise DamagedDataError(
                f"{file} must hold the maps that were kept; got: {error}. Delete it; they are "
                "computed again."
            ) from error

    def epoch(
        self, epoch: int, batches: Sequence[NDArray[np.int64]], start: int = 0
    ) -> Generator[Batch, None, None]:
        """See :meth:`train.pictures.Batches.epoch`; the inputs are maps (B, C, h, w)."""
        for step in range(start, len(batches)):
            positions = batches[step]
            rng = np.random.default_rng([self._seed, epoch, step])
            chosen = rng.integers(0, self._views, len(positions))
            rows = self._ranks.rows(len(positions))
            own = slice(rows.start, rows.stop)
            maps = self.maps[torch.from_numpy(positions[own]), torch.from_numpy(chosen[own])]
            yield Batch(positions, maps)


def _computed(
    pictures: Pictures,
    network: Network,
    config: TrainConfig,
    on_batch: Callable[[int, int], None],
    file: Path | None,
) -> Tensor:
    """(N, V, C, h, w), in memory or in a file that appears when it is whole."""
    views, transform = config.run.cached_views, network.encoder.transform
    seed, threads = config.run.views_seed, config.run.threads
    made = Batches(pictures, transform, config.augment, seed, threads)
    everything = np.arange(len(pictures), dtype=np.int64)
    chunks = [everything[start : start + CHUNK] for start in range(0, len(pictures), CHUNK)]
    side = transform.size
    one = network.features(torch.zeros(1, 3, side, side))[0]
    unfinished = None if file is None else file.with_suffix(f".{os.getpid()}.unfinished")
    room = _room((len(pictures), views, *one.shape), one.dtype, config.run.cache_mib, unfinished)
    maps = _as_tensor(room)
    for view in range(views):
        for number, batch in enumerate(made.epoch(view, chunks)):
            images = transform.normalise(torch.as_tensor(batch.inputs))
            maps[batch.positions, view] = network.features(images).cpu()
            on_batch(view * len(chunks) + number + 1, views * len(chunks))
    if isinstance(room, np.memmap) and unfinished is not None and file is not None:
        room.flush()
        unfinished.rename(file)
    return maps


def _room(
    shape: tuple[int, ...], dtype: torch.dtype, limit_mib: int, file: Path | None
) -> NDArray[np.generic]:
    kind = np.dtype(np.int16 if dtype == torch.bfloat16 else np.float32)  # numpy has no bfloat16
    needed = math.prod(shape) * kind.itemsize / 2**20
    if file is None:
        if needed > limit_mib:
            raise BadInputError(
                f"run.cached_views must fit in run.cache_mib = {limit_mib}; got {shape[1]} views "
                f"of {shape[0]} pictures, which need {needed:.0f} MiB. Lower cached_views, raise "
                "cache_mib, freeze more layers, or set run.maps_folder."
            )
        return np.empty(shape, kind)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        room = np.lib.format.open_memmap(file, mode="w+", dtype=kind, shape=shape)
        if hasattr(os, "posix_fallocate"):  # not on macOS
            with file.open("r+b") as opened:  # a full disk ends who writes into a mapping
                os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
        return room
    except OSError as error:
        raise StorageError(
            f"{file.parent} must have room for {needed:.0f} MiB; got: {error.strerror}."
        ) from error


def _as_tensor(room: NDArray[np.generic]) -> Tensor:
    tensor = torch.from_numpy(room)
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.int16 else tensor


def _identity(pictures: Pictures, network: Network, config: TrainConfig) -> str:
    """A name for what decides the maps."""
    files = [pictures.path(position) for position in range(len(pictures))]
    facts = {
        "files": [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files],
        "transform": network.encoder.transform.settings(),
        "augment": asdict(config.augment),
        "views": [config.run.cached_views, config.run.views_seed],
        "precision": config.run.precision,
        "torch": torch.__version__,
        "network": network.frozen_fingerprint(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
