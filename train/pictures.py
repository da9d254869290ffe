"""Training pictures, decoded once and kept small, and the batches made of them."""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from retrieval.errors import BadInputError
from retrieval.images import decode
from retrieval.transforms import Transform

from .augment import draw
from .config import AugmentConfig
from .ranks import Ranks

STORED_SHARE = 8 / 7
"""Side of a stored picture over the side of the network input (256 for 224), so that a crop
keeps detail."""

TOLERATED_SHARE = 0.01
"""Share of unreadable pictures that is left out with a note; more of them stop the run."""


@dataclass(frozen=True)
class Batch:
    """What one step works on.

    Attributes:
        positions: (B,) int64, which of the pictures.
        inputs: (b, S, S, 3) float32, augmented, 0 to 255; or what frozen layers made of that,
            (b, C, h, w). Of the rows of this rank, all B of one process alone.
        blended: (B,) int64, the picture that each was blended with; None where none was.
        share: Of the first picture in a blend.
    """

    positions: NDArray[np.int64]
    inputs: NDArray[np.float32] | Tensor
    blended: NDArray[np.int64] | None = None
    share: float = 1.0

    def targets(self, targets: Tensor) -> Tensor:
        """What is right for each picture.

        Args:
            targets: (N,) int64 of all pictures, 0..C-1.

        Returns:
            (B,) int64; of blended pictures the shares of the classes, (B, C) float32.
        """
        own = targets[self.positions]
        if self.blended is None:
            return own
        count = int(targets.max()) + 1
        first, second = (F.one_hot(one, count).float() for one in (own, targets[self.blended]))
        return self.share * first + (1 - self.share) * second


class Named(Protocol):
    """Pictures, or pairs, that can be named in a message."""

    def path(self, position: int) -> Path:
        """The file of one of them."""
        ...


class Pictures:
    """Pictures of a training part, in memory as far as ``cache_mib`` allows.

    Each is kept as the encoder would see it, only a little larger, so that augmentation starts
    from a small uint8 array instead of a file. Files that do not fit are decoded at every use.

    Attributes:
        kept: (M,) int64, positions of the readable files among ``paths``.
        rejected: Sentences about the others.

    Raises:
        BadInputError: More than 1 % of the files cannot be read; the first ones are named.
    """

    def __init__(
        self, paths: Sequence[Path], transform: Transform, cache_mib: int, threads: int
    ) -> None:
        if transform.fit == "native":
            raise BadInputError(
                "encoder.fit must be squash, crop or pad for training; got 'native'. "
                "Batches need pictures of one shape."
            )
        side = round(transform.size * STORED_SHARE)
        self._stored = replace(transform, size=side, crop_share=1.0)
        in_memory = min(len(paths), cache_mib * 2**20 // (side * side * 3))
        self._cache: dict[Path, NDArray[np.uint8]] = {}
        self.rejected: list[str] = []
        with ThreadPoolExecutor(threads) as pool:
            for path, found in zip(
                paths[:in_memory], pool.map(self._try, paths[:in_memory]), strict=True
            ):
                if isinstance(found, str):
                    self.rejected.append(found)
                else:
                    self._cache[path] = found
        if len(self.rejected) > TOLERATED_SHARE * len(paths):
            raise BadInputError(
                f"training pictures must be readable; got {len(self.rejected)} of {len(paths)} "
                f"that are not, first: {'; '.join(self.rejected[:3])}"
            )
        self.kept = np.array(
            [i for i, path in enumerate(paths) if path in self._cache or i >= in_memory], np.int64
        )
        self._paths: list[Path] = [paths[i] for i in self.kept.tolist()]

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, position: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 of the picture ``paths[kept[position]]``."""
        path = self._paths[position]
        cached = self._cache.get(path)
        return self._read(path) if cached is None else cached

    def path(self, position: int) -> Path:
        """The file of a picture."""
        return self._paths[position]

    def _read(self, path: Path) -> NDArray[np.uint8]:
        return self._stored.pixels(decode(path, draft_size=self._stored.draft_size))

    def _try(self, path: Path) -> NDArray[np.uint8] | str:
        try:
            return self._read(path)
        except BadInputError as error:
            return str(error)


class Batches:
    """Augmented batches of an epoch, made by threads while the network works.

    What happens to a picture depends on seed, epoch, step and its place in the batch, not on the
    threads: an epoch that is taken up in the middle goes on with the same pictures.
    """

    def __init__(
        self,
        pictures: Pictures,
        transform: Transform,
        augment: AugmentConfig,
        seed: int,
        threads: int,
        ranks: Ranks = Ranks(),  # noqa: B008
    ) -> None:
        self._pictures, self._transform, self._augment = pictures, transform, augment
        self._seed, self._threads, self._ranks = seed, threads, ranks

    def epoch(
        self, epoch: int, batches: Sequence[NDArray[np.int64]], start: int = 0
    ) -> Generator[Batch, None, None]:
        """Batches ``start`` and later of an epoch, in order.

        Args:
            epoch: Number of the epoch.
            batches: What :meth:`train.samplers.PKSampler.batches` made for it.
            start: How many of them are done.
        """
        steps = iter(range(start, len(batches)))
        waiting: deque[Future[Batch]] = deque()
        pool = ThreadPoolExecutor(self._threads)
        try:
            while True:
                while len(waiting) <= self._threads and (step := next(steps, None)) is not None:
                    waiting.append(pool.submit(self._make, epoch, step, batches[step]))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _make(self, epoch: int, step: int, positions: NDArray[np.int64]) -> Batch:
        rng = np.random.default_rng([self._seed, epoch, step])
        drawn = [draw(self._augment, rng) for _ in positions]
        size, mean = self._transform.size, self._transform.mean
        rows = self._ranks.rows(len(positions))
        pixels = np.empty((len(rows), size, size, 3), np.float32)
        for place, row in enumerate(rows):
            pixels[place] = drawn[row](self._pictures[int(positions[row])], size, mean)
        return Batch(positions, pixels)
