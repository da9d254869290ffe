"""Clustered unit vectors with held-out queries, the same ones every time, kept in a folder.

Centres and the spread around them have a power-law spectrum (standard deviations j^-1/2 along
random axes), as descriptors of photos have: most directions say little. About a hundred vectors
share a centre, and centres lie close enough for neighbourhoods to overlap. Queries are drawn from
the same centres and are not in the gallery.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.ranking import rank

Rows = NDArray[np.float32]
Positions = NDArray[np.int64]

HITS = 10
IN_A_CLUSTER = 100
NOISE = 0.6  # length of the spread where a centre has length 1
_CHUNK = 65_536


class Clusters:
    """Draws rows of norm 1.

    Args:
        count: Vectors of the whole gallery, which decides how many centres there are.
        dim: Length of a vector.
    """

    def __init__(self, count: int, dim: int) -> None:
        random = np.random.default_rng(0)
        self._scale = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
        self._scale /= np.linalg.norm(self._scale)
        self._axes = np.linalg.qr(random.standard_normal((dim, dim)))[0].astype(np.float32)
        centres = random.standard_normal((max(10, count // IN_A_CLUSTER), dim), np.float32)
        self._centres = centres * self._scale

    def draw(self, part: int, count: int) -> Rows:
        """(count, D) rows; each part is another draw, part 0 is for queries."""
        random = np.random.default_rng([1, part])
        rows = self._centres[random.integers(0, len(self._centres), count)]
        rows += NOISE * self._scale * random.standard_normal(rows.shape, np.float32)
        rows = rows @ self._axes
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


def prepare(folder: Path, count: int, dim: int, queries: int) -> None:
    """Make the files of a folder: vectors, queries, and the true nearest of each query.

    Raises:
        SystemExit: The folder holds other vectors.
    """
    settings = {"count": count, "dim": dim, "queries": queries}
    record = folder / "settings.json"
    if record.exists():
        if (got := json.loads(record.read_text())) != settings:
            raise SystemExit(f"--folder must hold {settings}; got {got}. Name another folder.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    clusters = Clusters(count, dim)
    shape = (count, dim)
    kept = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, shape)
    for part, start in enumerate(range(0, count, _CHUNK), 1):
        kept[start : start + _CHUNK] = clusters.draw(part, min(_CHUNK, count - start))
    kept.flush()
    asked = clusters.draw(0, queries)
    np.save(folder / "queries.npy", asked)
    np.save(folder / "nearest.npy", rank(asked, kept, HITS).indices)
    record.write_text(json.dumps(settings))


def vectors_of(folder: Path, *, mapped: bool = False) -> Rows:
    """The gallery (N, D): in memory, or pages of the file."""
    rows: Rows = np.load(folder / "vectors.npy", mmap_mode="r" if mapped else None)
    return rows


def tuning_half(folder: Path) -> tuple[Rows, Positions]:
    """Queries that settings are chosen by, and their true nearest."""
    return np.load(folder / "queries.npy")[::2], np.load(folder / "nearest.npy")[::2]


def report_half(folder: Path) -> tuple[Rows, Positions]:
    """Queries that figures are reported of, and their true nearest."""
    return np.load(folder / "queries.npy")[1::2], np.load(folder / "nearest.npy")[1::2]


def recall(found: Positions, nearest: Positions) -> float:
    """Share of the true nearest that were found."""
    pairs = zip(found.tolist(), nearest.tolist(), strict=True)
    return sum(len(set(mine) & set(true)) for mine, true in pairs) / nearest.size
