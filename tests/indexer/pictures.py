"""Folders of files that stand for pictures, and an encoder that needs no network.

The vector of a file depends on its bytes. Files that begin with ``bad`` cannot be encoded.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from indexer.build import BuildResult, Entry, build_collection
from indexer.collection import Vectors
from indexer.disk import DiskCollection
from tests.indexer.gallery import DIM, FINGERPRINT, vector_of


@dataclass
class Rejection:
    path: str
    reason: str


@dataclass
class Encoded:
    vectors: Vectors
    kept: NDArray[np.int64]
    rejected: list[Rejection]


@dataclass
class Encoder:
    """Encodes by the bytes of a file, and remembers which it was asked for."""

    name: str = FINGERPRINT
    root: Path = Path()
    batch_size: int = 4
    seconds: float = 0.0
    asked: list[str] = field(default_factory=list)
    after_batch: Callable[[int], None] = lambda number: None
    broken: Sequence[str] = ()

    def fingerprint(self) -> str:
        return self.name

    def __call__(self, paths: Sequence[Path]) -> Iterator[Encoded]:
        for number, start in enumerate(range(0, len(paths), self.batch_size)):
            yield self._batch(paths[start : start + self.batch_size], start)
            self.after_batch(number)

    def _batch(self, paths: Sequence[Path], start: int) -> Encoded:
        time.sleep(self.seconds)
        kept, rejected, vectors = [], [], []
        for place, path in enumerate(paths, start):
            self.asked.append(path.name)
            file = self.root / path
            data = file.read_bytes() if file.exists() else b"bad"
            if data.startswith(b"bad"):
                rejected.append(Rejection(str(path), f"{path} must be an image; got bad bytes."))
                continue
            kept.append(place)
            vector = vector_of(data.hex())
            vectors.append(vector * np.float32(path.name not in self.broken))
        stacked = np.array(vectors, np.float32).reshape(-1, DIM)
        return Encoded(stacked, np.array(kept, np.int64), rejected)


def build(
    collection: DiskCollection,
    entries: Sequence[Entry],
    root: Path,
    encoder: Encoder | None = None,
    **options: Any,
) -> BuildResult:
    encoder = encoder or Encoder()
    encoder.root = root
    return build_collection(
        collection, entries, root, cast(Any, encoder), encode=cast(Any, encoder), **options
    )


def write_pictures(root: Path, count: int = 20) -> Path:
    """``count`` files in three class folders."""
    for number in range(count):
        path = root / f"class {number % 3}" / f"{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"picture {number}".encode())
    return root
